from __future__ import annotations

from typing import TYPE_CHECKING

from flask_login import current_user
from flask_wtf.file import FileField, FileRequired
from wtforms import BooleanField, SelectField
from wtforms.validators import InputRequired

from app.har.classifiers.catalogue import EVERYDAY_MODEL
from app.services.models import model_versions
from app.services.recordings import known_walking
from app.services.recordings.places import PLACES
from app.services.recordings.quota import quota_of
from app.web.forms import PageForm

if TYPE_CHECKING:
    from app.tables import ModelVersion


PLACE_CHOICES = [("", "not specified"), *PLACES.items()]
AUTOMATIC = 0  # in place of a version's id: the model that fits the file
NAMED = 2  # activities of a model, in a list of models
USE_WALKING = "Measure against my own walking in this place"


class UploadForm(PageForm):
    file = FileField(
        "Recording",
        validators=[FileRequired("Choose a file first.")],
        description="A file from a phone, a watch or a sensor app, or a zip archive with all files of one recording.",
    )
    version = SelectField("Recognise with", coerce=int, validate_choice=False)  # the service knows which there are
    place = SelectField("Where was the device worn?", choices=PLACE_CHOICES, default="")
    use_walking = BooleanField(USE_WALKING, default=True)

    def __init__(self) -> None:
        super().__init__(version=AUTOMATIC)
        self.version.choices = model_choices()
        self.use_walking.description = known_places()
        self.quota = quota_of(current_user.id)


def known_places() -> str:
    """Return for which places a user's own walking is known; empty where there is none."""
    places = dict.fromkeys(PLACES[own.place or ""] for own in known_walking.list_known(current_user.id))
    return f"Your walking is known with the device {', '.join(places)}." if places else ""


def model_choices() -> list[tuple[int, str]]:
    """Return the models that one may choose among: where there are several, first the one that fits the file."""
    versions = [(version.id, f"{version.label}: {_about(version)}") for version in model_versions.list_versions()]
    if len(versions) < 2:
        return versions
    default = model_versions.promoted()
    return [(AUTOMATIC, f"Automatic{f', usually {default.label}' if default else ''}"), *versions]


def _about(version: ModelVersion) -> str:
    """Say in a few words what a version recognises, and on which devices; a list is as wide as a phone."""
    about = model_versions.provenance(version)
    if about.get("model") == EVERYDAY_MODEL:
        return "everyday activities, any phone or watch"
    activities = about.get("activities", [])
    more = f" and {len(activities) - NAMED} more" if len(activities) > NAMED else ""
    devices = sorted({channel.rpartition(".")[0] for channel in about.get("channels", [])} - {""})
    return ", ".join(activities[:NAMED]) + more + (f", {' and '.join(devices)}" if devices else "")


class RerunForm(PageForm):
    """Another model for a recording, or another place; the view fills in the models."""

    version = SelectField("Recognise again with", coerce=int, validators=[InputRequired()])
    place = SelectField("Where was the device worn?", choices=PLACE_CHOICES, default="")
    use_walking = BooleanField(USE_WALKING, default=True)
