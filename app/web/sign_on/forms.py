"""What somebody of the provider is asked once, before they have an account here."""

from __future__ import annotations

from wtforms import SubmitField

from app.web.auth.forms import LoginForm, RegisterForm


class NewAccountForm(RegisterForm):
    """As at the registration, but for the password, and for an e-mail address that the provider has verified."""

    def __init__(self, known_email: str, **begun: str) -> None:
        super().__init__(prefix="new", **begun)
        del self.password, self.password_again
        if known_email:
            del self.email

    def answers(self) -> dict[str, str]:
        """Return what ``sign_on.make_account`` takes."""
        names = ("username", "contact_number", "email", "address")
        return {name: (self[name].data or "") if name in self else "" for name in names}


class LinkForm(LoginForm):
    """The password of an account that is there."""

    submit = SubmitField("Link it and log in")

    def __init__(self) -> None:
        super().__init__(prefix="own")
