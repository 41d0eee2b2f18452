from __future__ import annotations

from wtforms import BooleanField, SelectField, StringField
from wtforms.validators import DataRequired, Length

from app.services.recordings.places import PLACES
from app.web.forms import PageForm


class DeviceForm(PageForm):
    """A phone or watch that is to stream, and what its owner agrees to."""

    name = StringField(
        "What do you call it?", validators=[DataRequired("Give it a name, such as “My phone”."), Length(max=80)]
    )
    place = SelectField(
        "Where is it worn?", choices=[("", "not always in one place"), *PLACES.items()], validate_choice=False
    )
    keeps = BooleanField("Keep what it sends as recordings")
