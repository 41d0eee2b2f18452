from __future__ import annotations

from textwrap import shorten
from typing import TYPE_CHECKING

from flask_login import current_user
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import BooleanField, SelectField
from wtforms.validators import InputRequired

from app.services.models import model_versions
from app.services.recordings import known_walking
from app.services.recordings.places import PLACES

if TYPE_CHECKING:
    from app.tables import ModelVersion


PLACE_CHOICES = [("", "not specified"), *PLACES.items()]
USE_WALKING = "Measure against my own walking in this place"


class UploadForm(FlaskForm):
    file = FileField(
        "Recording",
        validators=[FileRequired("Choose a file first.")],
        description="A CSV file, or a zip archive with all files of one recording.",
    )
    version = SelectField("Recognise with", coerce=int, validate_choice=False)  # the service knows which there are
    place = SelectField("Where was the device worn?", choices=PLACE_CHOICES, default="")
    use_walking = BooleanField(USE_WALKING, default=True)

    def __init__(self) -> None:
        promoted = model_versions.promoted()
        super().__init__(version=promoted.id if promoted else None)
        self.version.choices = model_choices()
        self.use_walking.description = known_places()


def known_places() -> str:
    """Return for which places a user's own walking is known; empty where there is none."""
    places = dict.fromkeys(PLACES[own.place or ""] for own in known_walking.list_known(current_user.id))
    return f"Your walking is known with the device {', '.join(places)}." if places else ""


def model_choices() -> list[tuple[int, str]]:
    """Return the models that one may choose among."""
    return [(version.id, _in_words(version)) for version in model_versions.list_versions()]


def _in_words(version: ModelVersion) -> str:
    """Name a version and what it recognises."""
    usual = " (default)" if version.promoted else ""
    activities = ", ".join(model_versions.provenance(version).get("activities", []))
    return shorten(f"{version.label}{usual}: {activities}", 100, placeholder=" …")


class RerunForm(FlaskForm):
    """Another model for a recording, or another place; the view fills in the models."""

    version = SelectField("Recognise again with", coerce=int, validators=[InputRequired()])
    place = SelectField("Where was the device worn?", choices=PLACE_CHOICES, default="")
    use_walking = BooleanField(USE_WALKING, default=True)
