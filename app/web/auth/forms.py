"""What a person enters to get in. The rules are the service's; the forms only say where an answer breaks one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask_login import current_user
from wtforms import BooleanField, Field, Form, PasswordField, StringField, SubmitField, TextAreaField
from wtforms.validators import DataRequired, EqualTo, Length, ValidationError

from app.services.errors import Invalid
from app.services.identity import rules
from app.web.forms import PageForm


def follows(rule: Callable[[str], Any]) -> Callable[[Form, Field], None]:
    """Turn a rule of the service into a validator of a form."""

    def validate(form: Form, field: Field) -> None:
        try:
            rule(field.data or "")
        except Invalid as error:
            raise ValidationError(str(error)) from error

    return validate


def _new_password(label: str) -> PasswordField:
    return PasswordField(
        label,
        [DataRequired(f"Choose a password of at least {rules.PASSWORD_MIN} characters.")],
        description=rules.PASSWORD_RULE,
        render_kw={"autocomplete": "new-password", "minlength": rules.PASSWORD_MIN, "maxlength": rules.PASSWORD_MAX},
    )


def _repeated(label: str) -> PasswordField:
    return PasswordField(
        label,
        [DataRequired("Enter the password again."), EqualTo("password", "The two passwords are different.")],
        render_kw={"autocomplete": "new-password"},
    )


def _email() -> StringField:
    return StringField(
        "E-mail",
        [DataRequired("Enter your e-mail address."), follows(rules.clean_email)],
        render_kw={"type": "email", "autocomplete": "email"},
    )


def _contact_number() -> StringField:
    return StringField(
        "Contact number (optional)",
        [follows(rules.clean_contact_number)],
        render_kw={"type": "tel", "autocomplete": "tel"},
    )


def _address() -> TextAreaField:
    return TextAreaField(
        "Address (optional)",
        [follows(rules.clean_address)],
        render_kw={"autocomplete": "street-address", "rows": 2},
    )


def second_factor_code() -> StringField:
    """Return the field for the six digits of an authenticator app, or a recovery code."""
    return StringField(
        "Code",
        [DataRequired("Enter the code that your app shows."), Length(max=40)],
        render_kw={"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"},
    )


class OwnPassword(PasswordField):
    """What is asked of who has a password; others confirm at the provider that it is them (`owner.check_owner`)."""

    of_owner = True

    def validate(self, form: Form, extra_validators: Any = ()) -> bool:
        """Look at the answer, where there is one to give."""
        return not current_user.has_password or bool(super().validate(form, extra_validators))


def own_password() -> OwnPassword:
    """Return the field in which whoever is logged in shows once more that they are the account's owner."""
    return OwnPassword(
        "Your password", [DataRequired("Enter your password.")], render_kw={"autocomplete": "current-password"}
    )


class LoginForm(PageForm):
    username = StringField(
        "Username",
        [DataRequired("Enter your username."), Length(max=254)],
        render_kw={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"},
    )
    password = PasswordField(
        "Password", [DataRequired("Enter your password.")], render_kw={"autocomplete": "current-password"}
    )
    submit = SubmitField("Log in")


class DetailsForm(PageForm):
    """What an account says of its owner."""

    email = _email()
    contact_number = _contact_number()
    address = _address()
    submit = SubmitField("Save")

    def details(self) -> dict[str, str]:
        """Return what ``accounts.change_details`` takes."""
        return {name: self[name].data or "" for name in ("contact_number", "email", "address")}


class CodeForm(PageForm):
    code = second_factor_code()
    submit = SubmitField("Log in")


class RegisterForm(PageForm):
    username = StringField(
        "Username",
        [DataRequired(f"Choose a username: {rules.USERNAME_RULE}"), follows(rules.clean_username)],
        description=rules.USERNAME_RULE,
        render_kw={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"},
    )
    password = _new_password("Password")
    password_again = _repeated("Repeat password")
    contact_number = _contact_number()
    email = _email()
    address = _address()
    submit = SubmitField("Create account")

    def answers(self) -> dict[str, str]:
        """Return what ``accounts.register`` and ``accounts.set_up`` take."""
        return {name: self[name].data or "" for name in ("username", "password", "contact_number", "email", "address")}


class ChangePasswordForm(PageForm):
    current = OwnPassword(
        "Current password",
        [DataRequired("Enter your current password.")],
        render_kw={"autocomplete": "current-password"},
    )
    password = _new_password("New password")
    password_again = _repeated("Repeat new password")
    devices = BooleanField("Also stop my streaming devices", description="Each needs a new token to stream again.")
    submit = SubmitField("Change password")


class NewPasswordForm(PageForm):
    password = _new_password("New password")
    password_again = _repeated("Repeat new password")
    submit = SubmitField("Set password")


class OwnPasswordForm(PageForm):
    """What cannot be taken back is asked of the account's owner, not of whoever finds an open page."""

    password = own_password()
