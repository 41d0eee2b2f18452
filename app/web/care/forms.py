"""What a person answers about a caregiver."""

from __future__ import annotations

from wtforms import IntegerField, StringField
from wtforms.validators import InputRequired, Length, Optional

from app.web.forms import PageForm


class ConsentForm(PageForm):
    code = StringField("Code", [InputRequired(), Length(max=40)])
    version = IntegerField("Version", [InputRequired()])
    days = IntegerField("Version with days", [Optional()])


class ChangeForm(PageForm):
    version = IntegerField("Version", [InputRequired()])
