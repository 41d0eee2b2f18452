"""What one answers about one's own account."""

from __future__ import annotations

from flask_login import current_user
from wtforms import SelectField, SelectMultipleField, StringField, SubmitField
from wtforms.validators import InputRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from app.services.alarms.outgoing import LONGEST_URL
from app.services.api.tokens import LONGEST_DAYS, NAME_LENGTH, SCOPES_OF
from app.services.subscriptions.events import EventType
from app.web.auth.forms import own_password, second_factor_code
from app.web.forms import PageForm

DAYS = {7: "a week", 30: "30 days", 90: "90 days", LONGEST_DAYS: "a year"}


class SecondFactorForm(PageForm):
    code = second_factor_code()
    password = own_password()
    submit = SubmitField("Switch on")


class TokenForm(PageForm):
    name = StringField(
        "Name",
        validators=[InputRequired("Give the token a name."), Length(max=NAME_LENGTH)],
        description="What uses it: “Export script”.",
    )
    scopes = SelectMultipleField(
        "It may",
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        validators=[InputRequired("Choose at least one.")],
    )
    days = SelectField("It is valid for", coerce=int, choices=list(DAYS.items()), default=90)
    password = own_password()
    submit = SubmitField("Make a token")

    def __init__(self) -> None:
        super().__init__()
        self.scopes.choices = [(each.value, f"{each.in_words} ({each.value})") for each in SCOPES_OF[current_user.role]]


class SubscriptionForm(PageForm):
    url = StringField(
        "Address",
        validators=[InputRequired("Say where the program is."), Length(max=LONGEST_URL)],
        render_kw={"type": "url", "placeholder": "https://", "autocomplete": "off"},
    )
    events = SelectMultipleField(
        "Tell it when",
        choices=[(each.value, f"{each.in_words} ({each.value})") for each in EventType],
        default=[each.value for each in EventType],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        validators=[InputRequired("Choose at least one.")],
    )
    submit = SubmitField("Add the program")
