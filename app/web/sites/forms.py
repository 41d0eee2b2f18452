"""What an administrator enters to know a site, to bring its sums, and to merge them. The rules are the service's."""

from __future__ import annotations

from flask_wtf.file import MultipleFileField
from wtforms import SelectField, SelectMultipleField, StringField, SubmitField
from wtforms.validators import DataRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from app.services.names import NAME_PATTERN, NAME_RULE
from app.web.forms import PageForm

AS_TYPED = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
NAME_FIELD = {"pattern": NAME_PATTERN, "maxlength": 64, **AS_TYPED}
RULE = f"{NAME_RULE[0].upper()}{NAME_RULE[1:]}."


class SiteForm(PageForm):
    name = StringField(
        "Name of the site", [DataRequired("Give the site a name.")], description=RULE, render_kw=NAME_FIELD
    )
    public_key = StringField(
        "Its public key",
        [DataRequired("Enter the key of the site."), Length(max=200, message="A key has 64 digits.")],
        description="64 digits, which flask federation key prints there. Compare them on the telephone.",
        render_kw=AS_TYPED,
    )
    submit = SubmitField("Add site")


class FilesForm(PageForm):
    files = MultipleFileField(
        "Files with sums", [DataRequired("Choose a file.")], description="As flask federation export-stats wrote them."
    )
    submit = SubmitField("Upload")


class MergeForm(PageForm):
    tokens = SelectMultipleField(
        "Sums of", option_widget=CheckboxInput(), widget=ListWidget(prefix_label=False), validate_choice=False
    )
    model = SelectField("Base model", description="The model that the sites have exported their sums for.")
    name = StringField(
        "Name of the joint model", [DataRequired("Give the model a name.")], description=RULE, render_kw=NAME_FIELD
    )
    test = SelectField(
        "Test it on",
        default="",
        description="A data set here of people whose windows are in no sums. Without one, nobody knows how good it is.",
    )
    submit = SubmitField("Merge")
