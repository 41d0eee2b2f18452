"""How an activity may be called that a person names: in a correction, a calibration, or among several data sets."""

from __future__ import annotations

from app.har.vocabulary import PARENT, means_none, normalised, shared_node
from app.services.errors import Invalid

LONGEST = 64  # characters


def checked(name: str, field: str) -> str:
    """Return the name of an activity as it is kept; one of the shared vocabulary as it is written there.

    Parameters
    ----------
    field : of the form, for the message.

    Raises
    ------
    Invalid : it is none.
    """
    name = " ".join(name.split())
    if not name or len(name) > LONGEST or not name.isprintable():
        raise Invalid(f"Name the activity in 1 to {LONGEST} characters, all of them printable.", field=field)
    if means_none(name) or shared_node(name) not in (None, *PARENT):
        raise Invalid(f"“{name}” is no activity: it says that there is no answer. Choose another name.", field=field)
    if not any(character.isalpha() for character in name):
        raise Invalid(f"“{name}” is no activity. Say in words what it was.", field=field)
    return next((node for node in PARENT if normalised(node) == normalised(name)), name)
