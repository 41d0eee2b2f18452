from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flask_login import current_user
from flask_wtf.file import FileRequired, MultipleFileField
from wtforms import BooleanField, SelectField, StringField, SubmitField, TextAreaField
from wtforms.validators import InputRequired, Length

from app.services.models import model_titles
from app.services.recordings import known_walking
from app.services.recordings.places import PLACES
from app.services.recordings.quota import quota_of
from app.services.recordings.recordings import NOTES_LENGTH, TITLE_LENGTH
from app.web.forms import PageForm

if TYPE_CHECKING:
    from app.services.models.model_titles import ModelInWords

PLACE_CHOICES = [("", "not specified"), *PLACES.items()]
AUTOMATIC = 0  # in place of a version's id: the model that fits the file
USE_WALKING = "Measure against my own walking in this place"


class UploadForm(PageForm):
    file = MultipleFileField(
        "Recordings",
        validators=[FileRequired("Choose a file first.")],
        description="A file from a phone, a watch or a sensor app, or a zip archive with all files of one recording. "
        "Of several files, each becomes a recording.",
    )
    version = SelectField("Recognise with", coerce=int, validate_choice=False)  # the service knows which there are
    place = SelectField("Where was the device worn?", choices=PLACE_CHOICES, default="")
    use_walking = BooleanField(USE_WALKING, default=True)
    only_new = BooleanField("Ask me before a file that I already have is stored again", default=True)

    def __init__(self) -> None:
        super().__init__(version=AUTOMATIC)
        self.models = model_titles.in_words()
        self.version.choices = model_choices(self.models)
        self.use_walking.description = known_places()
        self.quota = quota_of(current_user.id)

    def show_unfit(self, unfit: Mapping[int, str]) -> None:
        """Let nobody choose a model that cannot read the file, and say why."""
        self.version.choices = model_choices(self.models, unfit)
        if self.version.data in unfit:
            self.version.data = AUTOMATIC


def known_places() -> str:
    """Return for which places a user's own walking is known; empty where there is none."""
    places = dict.fromkeys(PLACES[own.place or ""] for own in known_walking.list_known(current_user.id))
    return f"Your walking is known with the device {', '.join(places)}." if places else ""


def model_choices(
    models: Sequence[ModelInWords], unfit: Mapping[int, str] | None = None
) -> list[tuple[int, str, dict[str, bool]]]:
    """Return the models that one may choose among: where there are several, first the one that fits the file.

    Those that are ``unfit`` cannot be chosen; the reason stands beside them.
    """
    choices = [model_choice(model, (unfit or {}).get(model.version.id, "")) for model in models]
    if len(choices) < 2:
        return choices
    default = next((model.version for model in models if model.version.promoted), None)
    return [(AUTOMATIC, f"Automatic{f', usually {default.label}' if default else ''}", {}), *choices]


def model_choice(model: ModelInWords, reason: str = "", more: str = "") -> tuple[int, str, dict[str, bool]]:
    """Return a model as one of several, with more about it or the reason why it cannot be chosen for a file."""
    text = f"{model.choice}: cannot read this file, {reason}" if reason else f"{model.choice}{more}"
    return model.version.id, text, {"disabled": True} if reason else {}


class AgainForm(PageForm):
    """Another model for a file that could not be read."""

    version = SelectField("Try again with", coerce=int, validate_choice=False)  # the service knows which there are


class RerunForm(PageForm):
    """Another model for a recording, or another place; the view fills in the models."""

    version = SelectField("Recognise again with", coerce=int, validators=[InputRequired()])
    place = SelectField("Where was the device worn?", choices=PLACE_CHOICES, default="")
    use_walking = BooleanField(USE_WALKING, default=True)


class CorrectForm(PageForm):
    """What a person did in the stretches beside it, which have fields of their own."""

    activity = StringField("It was", validators=[Length(max=200)])
    other = StringField("Another activity", validators=[Length(max=200)])


class DescribeForm(PageForm):
    """What a person calls a recording, and what they want to remember of it."""

    title = StringField(
        "Name",
        validators=[Length(max=TITLE_LENGTH)],
        description="Shown in lists in place of the name of the file. Leave it empty to show that.",
    )
    notes = TextAreaField(
        "Notes",
        validators=[Length(max=NOTES_LENGTH)],
        description="Only you can see them. The search on the home page finds them.",
    )
    submit = SubmitField("Save")
