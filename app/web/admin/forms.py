"""What an administrator may change about an account."""

from __future__ import annotations

from wtforms import SelectField, StringField, SubmitField
from wtforms.validators import AnyOf

from app.services.accounts import ROLES
from app.web.auth.forms import OwnPasswordForm, own_password
from app.web.forms import PageForm


class RoleForm(OwnPasswordForm):
    role = StringField("Role", [AnyOf(ROLES)])


class StateForm(PageForm):
    state = StringField("State", [AnyOf(["enabled", "disabled"])])


class InvitationForm(PageForm):
    role = SelectField("Role", choices=list(ROLES.items()))
    password = own_password()
    submit = SubmitField("Make an invitation")
