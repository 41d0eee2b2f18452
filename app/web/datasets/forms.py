"""What an administrator enters to add a data set. The rules are the service's."""

from __future__ import annotations

from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import StringField, SubmitField
from wtforms.validators import DataRequired, Length

from app.services.datasets import NAME_PATTERN, NAME_RULE


class AddForm(FlaskForm):
    name = StringField(
        "Name",
        [DataRequired("Give the data set a name.")],
        description=f"{NAME_RULE[0].upper()}{NAME_RULE[1:]}. Models trained on it carry this name.",
        render_kw={"pattern": NAME_PATTERN, "maxlength": 64, "autocomplete": "off", "autocapitalize": "none",
                   "spellcheck": "false", "placeholder": "ku-har"},
    )  # fmt: skip
    file = FileField("File", description="A zip archive or one CSV file.")
    path = StringField(
        "…or a path on the server",
        [Length(max=1000, message="A path has at most 1,000 characters.")],
        description="A folder, a zip archive or a CSV file on the machine that runs this site. It is read, not moved.",
        render_kw={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"},
    )
    submit = SubmitField("Add data set")
