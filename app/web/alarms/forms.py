"""What people answer about an alarm, and where they want to be told of one."""

from __future__ import annotations

from wtforms import StringField
from wtforms.validators import AnyOf, Length, Optional

from app.web.forms import PageForm


class CloseForm(PageForm):
    verdict = StringField("What it was", [Optional(), AnyOf(["true", "false"])])
    why = StringField("Note", [Optional(), Length(max=200)])
