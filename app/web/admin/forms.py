"""What an administrator may change about an account."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import SelectField, StringField, SubmitField
from wtforms.validators import AnyOf

from app.web.auth.forms import OwnPasswordForm, own_password


class RoleForm(OwnPasswordForm):
    role = StringField("Role", [AnyOf(["admin", "user"])])


class StateForm(FlaskForm):
    state = StringField("State", [AnyOf(["enabled", "disabled"])])


class InvitationForm(FlaskForm):
    role = SelectField("Role", choices=[("user", "User"), ("admin", "Administrator")])
    password = own_password()
    submit = SubmitField("Make an invitation")
