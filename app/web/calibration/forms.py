from __future__ import annotations

from flask_wtf.file import FileField, FileRequired
from wtforms import HiddenField, SelectField
from wtforms.validators import InputRequired, Length, NumberRange

from app.services.recordings.places import PLACES
from app.web.forms import NumberField, PageForm


class StepsForm(PageForm):
    """Where the device is worn, and what the script noted of the steps."""

    place = SelectField("Where is the device worn?", choices=[("", "choose"), *PLACES.items()], validate_choice=False)
    steps = HiddenField(validators=[Length(max=20_000)])


class RecordingForm(PageForm):
    """The recording that was made meanwhile: a file, or one that is there already."""

    file = FileField("The recording", validators=[FileRequired("Choose the file of the recording first.")])


class ApplyForm(PageForm):
    later = NumberField(
        "Move the steps by (seconds)",
        default=0,
        validators=[InputRequired("Write a number of seconds, 0 to leave them."), NumberRange(-86_400, 86_400)],
    )
