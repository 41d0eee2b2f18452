"""What a use case refuses to do, in words for the person who asked."""

from __future__ import annotations


class ServiceError(Exception):
    """A request that cannot be carried out; its text is fit to be shown on a page."""

    status = 400
    title = "This could not be done"


class NotFound(ServiceError):
    """It does not exist, or is not yours (the two look the same on purpose)."""

    status = 404
    title = "Not found"


class Conflict(ServiceError):
    """It clashes with what is there: a name that is taken, a training that runs already."""

    status = 409
    title = "Not possible now"


class AlreadyThere(Conflict):
    """A file that its owner has uploaded before; ``recording_id`` says what it has become."""

    title = "You have this file already"

    def __init__(self, message: str, recording_id: int) -> None:
        super().__init__(message)
        self.recording_id = recording_id


class Forbidden(ServiceError):
    """The account may not do this."""

    status = 403
    title = "Not allowed"


class Invalid(ServiceError):
    """An answer in a form is wrong; ``field`` says which."""

    status = 422
    title = "Please check what you entered"

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class Busy(ServiceError):
    """Another program writes to the database, or too much is asked for at once; later it will do."""

    status = 503
    retry_after_s = 30
    title = "Too busy at this moment"

    def __init__(
        self,
        message: str = "Another program, a backup for example, is keeping the database from being written to. "
        "Nothing was changed. Try again in a minute.",
    ) -> None:
        super().__init__(message)


class NoRoom(ServiceError):
    """The disk of the server, or a user's part of it, is full."""

    status = 507
    title = "No room left"

    def __init__(
        self,
        message: str = "The server's disk is full. Nothing was stored. Delete recordings that you no longer need, or "
        "ask an administrator to make room.",
    ) -> None:
        super().__init__(message)
