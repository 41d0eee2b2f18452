"""What an administrator may change about an account."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import AnyOf


class RoleForm(FlaskForm):
    role = StringField("Role", [AnyOf(["admin", "user"])])


class StateForm(FlaskForm):
    state = StringField("State", [AnyOf(["enabled", "disabled"])])
