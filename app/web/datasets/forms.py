"""What an administrator enters to add a data set. The rules are the service's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_wtf.file import FileField
from wtforms import BooleanField, FormField, RadioField, SelectField, StringField, SubmitField
from wtforms.validators import DataRequired, Length

from app.services.names import NAME_PATTERN, NAME_RULE
from app.web.forms import EntryList, PageForm
from app.web.mappings.forms import MappingFields, fields_of
from app.web.predictions.forms import PLACE_CHOICES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.har.datasets.description import Description
    from app.har.recordings.mappings.mapping import ColumnMapping
    from app.services.datasets.shared_names import SharedName


class AddForm(PageForm):
    name = StringField(
        "Name",
        [DataRequired("Give the data set a name.")],
        description=f"{NAME_RULE[0].upper()}{NAME_RULE[1:]}. Models trained on it get the same name.",
        render_kw={"pattern": NAME_PATTERN, "maxlength": 64, "autocomplete": "off", "autocapitalize": "none",
                   "spellcheck": "false", "placeholder": "ku-har"},
    )  # fmt: skip
    file = FileField("File", description="A zip archive or a single CSV file.")
    path = StringField(
        "Or a path on the server",
        [Length(max=1000, message="A path has at most 1,000 characters.")],
        description="A folder, a zip archive or a CSV file on the machine that runs this site.",
        render_kw={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"},
    )
    describe = BooleanField(
        "Let me specify where labels and subjects come from",
        description="For your own recordings. If the layout is not known, you will be asked anyway.",
    )
    submit = SubmitField("Add data set")


class SharedNamesForm(PageForm):
    """What the activities of a data set are called among several, in the order of its activities."""

    names = EntryList(SelectField(choices=[], render_kw={"class": "form-select form-select-sm"}, validate_choice=False))
    submit = SubmitField("Save names")

    def offer(self, table: Sequence[SharedName]) -> None:
        """Show the current names, and let each of them be chosen anew."""
        while self.names.entries:
            self.names.pop_entry()
        for each in table:
            field = self.names.append_entry(each.shared)
            field.choices = [("", "– leave out –"), *((name, name) for name in each.choices)]


class PlacesForm(PageForm):
    """Where the devices of a data set were worn, in the order of its devices."""

    places = EntryList(SelectField(choices=PLACE_CHOICES, render_kw={"class": "form-select"}))
    submit = SubmitField("Save places")


LEVELS = ("the folder that the file is in", "the folder above it", "two folders above it", "three folders above it")
WAYS = [
    ("folder", "A folder name"),
    ("name", "The file name"),
    ("column", "The file itself: a column, or its known layout"),
    ("table", "A separate table"),
    ("one", "One subject for all recordings"),
]


class DescribeForm(PageForm):
    """Where label and subject of each recording come from, and what the columns are."""

    label_from = RadioField("Label", choices=[*WAYS[:-1], ("later", "Nothing yet: the stretches are labelled here")])
    label_level = SelectField("Folder with the label", choices=list(enumerate(LEVELS, 1)), coerce=int)
    subject_from = RadioField("Subject", choices=WAYS)
    subject_level = SelectField("Folder with the subject", choices=list(enumerate(LEVELS, 1)), coerce=int)
    subject_value = StringField("Subject of all recordings", render_kw={"autocomplete": "off"})
    pattern = StringField(
        "File name pattern",
        description="Words in braces stand for parts of the name, for example {subject}_{label}_{trial}. "
        "{label+} may contain underscores.",
        render_kw={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"},
    )
    table = SelectField("Table", validate_choice=False, choices=[])
    clock = SelectField(
        "Start and end are",
        choices=[("start", "seconds from the start of the recording"), ("file", "times on the file’s own clock")],
    )
    columns = FormField(MappingFields)
    check = SubmitField("Check")
    yaml = SubmitField("Save as YAML")
    submit = SubmitField("Add data set")

    def description(self, *, mapped: bool) -> Description:
        """Return what was entered; ``mapped`` where there are files in no known layout.

        Raises
        ------
        InvalidDescription : the message names the key, what was expected and what was found.
        """
        from app.har.datasets.description import Description

        document: dict[str, Any] = {part: self._source(part) for part in ("label", "subject")}
        document["clock"] = self.clock.data
        if mapped:
            document["columns"] = self.columns.form.mapping("The description").as_dict()
        return Description.from_document(document, "The description")

    def _source(self, part: str) -> dict[str, Any]:
        kind = self[f"{part}_from"].data
        answers = {
            "folder": {"level": self[f"{part}_level"].data},
            "name": {"pattern": self.pattern.data or None},
            "table": {"table": self.table.data or None},
            "one": {"value": self.subject_value.data or None},
        }
        return {"from": kind, **answers.get(kind, {})}


def answers_of(description: Description, guessed: ColumnMapping | None) -> dict[str, Any]:
    """Return the answers that stand for a description."""
    label, subject = description.label, description.subject
    columns = description.columns or guessed
    return {
        "label_from": label.kind,
        "label_level": getattr(label, "level", 1),
        "subject_from": subject.kind,
        "subject_level": getattr(subject, "level", 1),
        "subject_value": getattr(subject, "value", ""),
        "pattern": getattr(label, "pattern", None) or getattr(subject, "pattern", "{subject}_{label}_{trial}"),
        "table": getattr(label, "table", None) or getattr(subject, "table", ""),
        "clock": description.clock,
        "columns": fields_of(columns) if columns else {},
    }
