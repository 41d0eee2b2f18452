"""What an administrator enters to start a cohort. The rules are the service's."""

from __future__ import annotations

from wtforms import IntegerField, SelectField, StringField, SubmitField
from wtforms.validators import DataRequired, Length, NumberRange

from app.har.measures.cut_points import AGES
from app.services.cohorts.cohorts import MOST_WORKERS
from app.web.forms import PageForm
from app.web.predictions.forms import PLACE_CHOICES


class CohortForm(PageForm):
    folder = StringField(
        "Folder on the server",
        [DataRequired("Name a folder."), Length(max=1000, message="A path has at most 1,000 characters.")],
        render_kw={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"},
    )
    model = SelectField("Model", choices=[])
    workers = IntegerField(
        "Processes",
        [NumberRange(1, MOST_WORKERS, f"Expected 1 to {MOST_WORKERS}, as many as this machine has cores.")],
        default=max(MOST_WORKERS - 1, 1),
        description="The pages of the site come first; fewer leave more to the people who use it meanwhile.",
    )
    people = StringField(
        "People",
        [DataRequired("Say how people are told apart.")],
        default="folder",
        description="folder: a person is the uppermost folder; file: each file is another person's; or a pattern of "
        "file names such as {subject}_{trial}.",
        render_kw={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false", "maxlength": 200},
    )
    place = SelectField("Where were the devices worn?", choices=PLACE_CHOICES, default="")
    age = SelectField(
        "Age group",
        choices=[("", "not specified"), *AGES.items()],
        default="",
        description="Without one there are no intensities.",
    )
    zone = StringField(
        "Time zone of days, and of clocks without one", [DataRequired("Name a time zone.")], default="UTC",
        render_kw={"autocomplete": "off", "maxlength": 60},
    )  # fmt: skip
    submit = SubmitField("Start")
