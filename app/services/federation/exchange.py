"""Files that sites exchange: signed when they are written, checked when they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.services.errors import Conflict
from app.services.federation import sites
from app.services.files import written_whole
from app.tables._columns import now

if TYPE_CHECKING:
    from app.har.federation.documents import OfMap
    from app.har.federation.envelope import Sealed
    from app.har.federation.site_sums import Contribution, SharedMap


@dataclass(frozen=True)
class Merged:
    """Sums of several sites, and what is to be said of them."""

    total: Contribution
    sites: list[dict[str, Any]]  # name, and when its file was made
    missing: list[str]
    noise: list[dict[str, Any]]
    masked: bool


def today() -> str:
    """Return the date, without the hour, which is nobody else's business."""
    return now().date().isoformat()


def write(path: Path, document: Mapping[str, Any], payload: bytes = b"") -> None:
    """Sign a file and write it, whole or not at all; one that is there is never overwritten.

    Raises
    ------
    Conflict : there is one.
    """
    from app.har.federation.envelope import sealed

    if path.exists():
        raise Conflict(f"{path.name} is there already. Choose another name, or delete it first.")
    content = sealed(document, payload, sites.own_key())
    with written_whole(path) as draft:
        draft.write_bytes(content)


def opened(path: Path, name: str = "") -> Sealed:
    """Return a file whose signature holds, of a site that is known here.

    Parameters
    ----------
    name : of the file, for messages; default that of the path.

    Raises
    ------
    UnreadableData : it is no such file, or was changed.
    Invalid : nobody here knows the site that signed it.
    """
    from app.har.errors import UnreadableData
    from app.har.federation import envelope

    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableData(f"{path.name} cannot be read ({error.strerror}).") from error
    sealed = envelope.opened(content, name or path.name)
    sites.name_of(sealed.signer)
    return sealed


def kind_of(path: Path) -> str:
    """Return what kind of file it says it is.

    Raises
    ------
    UnreadableData : it is none that sites exchange.
    """
    from app.har.errors import UnreadableData
    from app.har.federation.envelope import document_of

    try:
        return str(document_of(path).get("kind"))
    except OSError as error:
        raise UnreadableData(f"{path.name} cannot be read ({error.strerror}).") from error


def check_map(document: OfMap, shared: SharedMap, name: str) -> None:
    """Refuse sums over another feature map than that of the model.

    Raises
    ------
    UnreadableData
    """
    from app.har.errors import UnreadableData

    found = (document.map, tuple(document.activities), document.nodes)
    if found != (shared.digest, shared.model.activities, shared.n_nodes):
        raise UnreadableData(
            f"{name} was made for another model ({document.model}): its feature map, {document.map[:12]}…, is not "
            f"that of the model here, {shared.digest[:12]}…. All sites must have the same version of the same model."
        )
