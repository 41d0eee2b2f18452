"""What a person says of the columns of a table. The rules are those of a mapping written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wtforms import (
    BooleanField,
    FloatField,
    FormField,
    SelectField,
    StringField,
    SubmitField,
)
from wtforms.validators import Length, Optional

from app.har.errors import InvalidDescription
from app.har.recordings.mappings.units import DATE_TIME, UNITS
from app.har.signals.types import MODALITY_CHANNELS
from app.services.formatting import sensor_name
from app.services.models import model_titles
from app.web.forms import EntryList, FactorField, PageForm, PartForm
from app.web.predictions.forms import model_choices

if TYPE_CHECKING:
    from app.har.recordings.mappings.guess import Guess
    from app.har.recordings.mappings.mapping import ColumnMapping

AXES = "xyz"
MAX_SENSORS = 12
ALL_UNITS = tuple(dict.fromkeys(unit for units in UNITS.values() for unit in units))
SENSORS = [("", "– no sensor –"), *((kind, sensor_name(kind)) for kind in MODALITY_CHANNELS)]
TIMES = [("s", "seconds"), ("ms", "milliseconds"), ("µs", "microseconds"), ("ns", "nanoseconds"),
         (DATE_TIME, "date or time as text")]  # fmt: skip
GRAVITY = [("", "detect from the data"), ("included", "with gravity"), ("removed", "without gravity")]


class ColumnField(SelectField):
    """One of the table's columns, or none; whether it is there is checked where the mapping is."""

    def __init__(self, label: str, none: str = "– none –", **options: Any) -> None:
        super().__init__(label, validate_choice=False, choices=[], **options)
        self.none = none

    def offer(self, columns: Sequence[str]) -> None:
        self.choices = [("", self.none), *((name, name) for name in columns)]


class SensorFields(PartForm):
    kind = SelectField("Sensor", choices=SENSORS)
    device = StringField(
        "Device or placement", [Length(max=32)], render_kw={"maxlength": 32, "placeholder": "only one device"}
    )
    x = ColumnField("x, or the only value")
    y = ColumnField("y")
    z = ColumnField("z")
    flip_x = BooleanField("invert x")
    flip_y = BooleanField("invert y")
    flip_z = BooleanField("invert z")
    unit = SelectField("Unit", choices=[(unit, unit) for unit in ALL_UNITS])
    file = SelectField("File name contains", validate_choice=False, choices=[])
    scale = FactorField("Factor", [Optional()], render_kw={"inputmode": "decimal", "placeholder": "1"})

    @property
    def modality(self) -> str:
        device = (self.device.data or "").strip().lower()
        return f"{device}.{self.kind.data}" if device else str(self.kind.data)


class MappingFields(PartForm):
    """The columns of a table; put into a form by a FormField."""

    time = ColumnField("Time column", "– none: fixed rate –")
    time_unit = SelectField("Time unit", choices=TIMES)
    rate_hz = FactorField("Rows per second", [Optional()], render_kw={"inputmode": "decimal"})
    sensors = EntryList(FormField(SensorFields), min_entries=1, max_entries=MAX_SENSORS)
    gravity = SelectField("Accelerometer values", choices=GRAVITY)
    label = ColumnField("Activity column")
    subject = ColumnField("Subject column")

    def offer(self, columns: Sequence[str], words: Sequence[str] = ()) -> None:
        """Offer these columns everywhere, these parts of files' names for each sensor, and room for one more."""
        last = self.sensors.entries[-1].form
        if last.kind.data and len(self.sensors.entries) < MAX_SENSORS:
            self.sensors.append_entry({"unit": "m/s²"})
        sensors = [entry.form for entry in self.sensors]
        for field in (self.time, self.label, self.subject, *(form[axis] for form in sensors for axis in AXES)):
            field.offer(columns)
        chosen = [form.file.data for form in sensors if form.file.data]
        known = dict.fromkeys([*words, *chosen])
        for form in sensors:
            form.file.choices = [("", "any file"), *((word, f"… {word} …") for word in known)] if known else []

    def mapping(self, source: str) -> ColumnMapping:
        """Return what was entered.

        Raises
        ------
        InvalidDescription : the message names the key, what was expected and what was found.
        """
        from app.har.recordings.mappings.mapping import ColumnMapping  # with pydantic, which pages wait for if used

        sensors: dict[str, Any] = {}
        for form in (entry.form for entry in self.sensors):
            if not form.kind.data:
                continue
            axes = AXES[: len(MODALITY_CHANNELS.get(form.kind.data, ()))]  # a kind that there is not is refused below
            flipped = [form[f"flip_{axis}"].data for axis in axes]
            modality = form.modality
            if modality in sensors:
                raise InvalidDescription(
                    f"{source}: sensors.{modality}: expected each sensor once; name where it is worn, found it twice."
                )
            sensors[modality] = {
                "columns": [form[axis].data for axis in axes],
                "unit": form.unit.data,
                "signs": [-1 if flip else 1 for flip in flipped] if any(flipped) else None,
                "scale": _number(form.scale),
                "file": form.file.data or None,
            }
        time = {"column": self.time.data or None, "unit": self.time_unit.data}
        document = {
            "time": time if self.time.data else {"rate_hz": _number(self.rate_hz)},
            "sensors": sensors,
            "gravity": self.gravity.data or None,
            "label": self.label.data or None,
            "subject": self.subject.data or None,
        }
        return ColumnMapping.from_document(document, source)


def _number(field: FloatField) -> Any:
    """Return the number entered, or the text where it is none, so that the message can show it."""
    return field.data if field.data is not None else (field.raw_data or [None])[0] or None


def fields_of(mapping: ColumnMapping) -> dict[str, Any]:
    """Return the answers that stand for a mapping."""
    sensors = []
    for sensor in mapping.sensors:
        device, _, kind = sensor.modality.rpartition(".")
        columns = dict(zip(AXES, sensor.columns, strict=False))
        flips = {f"flip_{axis}": sign == -1 for axis, sign in zip(AXES, sensor.signs, strict=False)}
        scale = sensor.scale if sensor.scale != 1.0 else None
        sensors.append({"kind": kind, "device": device, **columns, **flips, "unit": sensor.unit, "scale": scale})
        sensors[-1]["file"] = sensor.file
    return {
        "time": mapping.time or "",
        "time_unit": mapping.time_unit,
        "rate_hz": mapping.rate_hz,
        "sensors": sensors,
        "gravity": mapping.gravity or "",
        "label": mapping.label or "",
        "subject": mapping.subject or "",
    }


def reasons_for(fields: MappingFields, guess: Guess) -> dict[str, str]:
    """Return why each part was guessed, as long as it is as guessed."""
    guessed = fields_of(guess.mapping)
    reasons = dict(guess.reasons)
    for part in ("time", "label", "subject"):
        if fields[part].data != guessed[part]:
            reasons.pop(part, None)
    return reasons


class MappingForm(PageForm):
    columns = FormField(MappingFields)
    name = StringField(
        "Save this mapping as",
        [Length(max=80)],
        description="The next file with the same columns will be read the same way. Leave empty to be asked again.",
        render_kw={"maxlength": 80, "autocomplete": "off"},
    )
    version = SelectField("Recognise with", coerce=int, validate_choice=False)  # the service knows which there are
    check = SubmitField("Check")
    confirm = SubmitField("Read and recognise")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.version.choices = model_choices(model_titles.in_words())


class NameForm(PageForm):
    name = StringField("Name", [Length(max=80)])
