"""What one answers about one's own account."""

from __future__ import annotations

from wtforms import SubmitField

from app.web.auth.forms import own_password, second_factor_code
from app.web.forms import PageForm


class SecondFactorForm(PageForm):
    code = second_factor_code()
    password = own_password()
    submit = SubmitField("Switch on")
