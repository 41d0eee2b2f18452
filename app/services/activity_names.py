"""How an activity may be called that a person names: in a correction, a calibration, or among several data sets."""

from __future__ import annotations

import re
from collections.abc import Iterable

from app.har.vocabulary import PARENT, means_none, normalised, shared_node
from app.services.errors import Invalid

LONGEST = 64  # characters


def checked(name: str, field: str, known: Iterable[str] = ()) -> str:
    """Return the name of an activity as it is kept; one of the shared vocabulary, or a known one, as written there.

    Parameters
    ----------
    field : of the form, for the message.
    known : names that are there already; one that differs in small and large letters alone is the same.

    Raises
    ------
    Invalid : it is none.
    """
    name = " ".join(name.split())
    if not name or len(name) > LONGEST or not name.isprintable():
        raise Invalid(f"Name the activity in 1 to {LONGEST} characters, all of them printable.", field=field)
    if "<" in name or ">" in name:
        raise Invalid("Name the activity without “<” and “>”: they mark up text where names are drawn.", field=field)
    if means_none(name) or shared_node(name) not in (None, *PARENT):
        raise Invalid(f"“{name}” is no activity: it says that there is no answer. Choose another name.", field=field)
    if not any(character.isalpha() for character in name):
        raise Invalid(f"“{name}” is no activity. Say in words what it was.", field=field)
    known = tuple(known)
    short = _without_what_is_open(name, known)
    node = next((node for node in PARENT if normalised(node) == normalised(short)), None)
    return node or next((other for other in known if other.casefold() == short.casefold()), short)


def _without_what_is_open(name: str, known: tuple[str, ...]) -> str:
    """Return the group of *on foot (walking or stairs)*: pages show what a group leaves open behind its name."""
    if not (found := re.fullmatch(r"([^()]+) \(([^()]+)\)", name)) or shared_node(found[1]) not in PARENT.values():
        return name
    named = {word for activity in (*PARENT, *known) for word in normalised(activity).split()}
    return found[1] if {*normalised(found[2]).split()} <= named | {"or"} else name
