"""Where the files of personal heads lie: ``uploads/personal-<user id>/``, one a model version and place."""

from __future__ import annotations

from pathlib import Path

from flask import current_app
from sqlalchemy import delete, select

from app.extensions import db
from app.services import leftovers
from app.services.transaction import transaction
from app.tables import PersonalHead, User

PREFIX = "personal-"


def folder_of(user_id: int) -> Path:
    """Return where a person's heads lie, whether there are any."""
    return Path(current_app.config["UPLOADS"]) / f"{PREFIX}{user_id}"


def forget(user_id: int) -> None:
    """Delete all that models learnt from a person, who goes, or whose recording goes; what still holds is learnt anew.

    Which heads are switched off stays known.
    """
    with transaction():
        forget_rows(user_id)
    delete_all(user_id)


def forget_rows(user_id: int) -> None:
    """Do so in the database alone, within a transaction."""
    db.session.execute(delete(PersonalHead).filter_by(user_id=user_id, switched_on=True))
    for row in db.session.scalars(select(PersonalHead).filter_by(user_id=user_id)):
        row.file, row.made_from, row.report = "", "", {}


def delete_all(user_id: int) -> None:
    """Delete a person's folder of heads."""
    if (folder := folder_of(user_id)).exists():
        leftovers.delete(folder)


def sweep(user_id: int | None = None) -> None:
    """Delete heads that no row knows (any more): of a deleted model version, or written as the server died.

    Parameters
    ----------
    user_id : whose; None: everybody's.
    """
    uploads = Path(current_app.config["UPLOADS"])
    folders = uploads.glob(f"{PREFIX}*") if user_id is None else [folder_of(user_id)]
    known = {str(number) for number in db.session.scalars(select(User.id))}
    for folder in folders:
        owner = folder.name.removeprefix(PREFIX)
        if owner not in known:
            leftovers.delete(folder)
            continue
        kept = set(db.session.scalars(select(PersonalHead.file).filter_by(user_id=int(owner))))
        for path in folder.glob("*.npz"):
            if path.name not in kept:
                path.unlink(missing_ok=True)
