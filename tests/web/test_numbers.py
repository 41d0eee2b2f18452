"""Numbers as English and as German readers write them, and how many there are of something."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
import wtforms
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict

from app.services.formatting import counted
from app.tables import Dataset
from app.web.forms import with_point
from app.web.mappings.forms import MappingFields
from app.web.plain_words import WORDS
from app.web.training.forms import TrainForm


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("0.5", "0.5"),
        ("0,5", "0.5"),
        ("2,25", "2.25"),
        ("0,500", "0.500"),
        ("-1,5", "-1.5"),
        ("3", "3"),
        ("1,2,3", "1,2,3"),
    ],
)
def test_a_comma_stands_for_the_point(written: str, number: str) -> None:
    assert with_point(written) == number


@pytest.mark.parametrize(("written", "meant"), [("1,500", "1500"), (" 12,000 ", "12000"), ("1,500.5", "1500.5")])
def test_a_comma_that_may_stand_for_thousands_is_asked_about(written: str, meant: str) -> None:
    with pytest.raises(ValueError, match=f"Write {meant}, without a comma"):
        with_point(written)


def test_the_form_of_a_training_takes_both(app: Flask) -> None:
    with app.test_request_context():
        form = TrainForm(MultiDict({"window_length_s": "2,5", "overlap": "0.5"}))
        assert (form.window_length_s.data, form.overlap.data) == (Decimal("2.5"), Decimal("0.5"))
        form = TrainForm(MultiDict({"window_length_s": "2,500"}))
        assert form.window_length_s.process_errors == ["Write 2500, without a comma for thousands."]


def test_the_form_of_a_mapping_takes_both() -> None:
    fields = MappingFields(MultiDict({"rate_hz": "12,5", "sensors-0-scale": "0,001"}))
    assert (fields.rate_hz.data, fields.sensors[0].scale.data) == (12.5, 0.001)


def test_no_field_lets_the_browser_decide_which_mark_it_takes(admin_client: FlaskClient, small: Dataset) -> None:
    page = admin_client.get("/training/").text
    assert 'inputmode="decimal"' in page
    assert 'step="any"' not in page


def test_one_is_not_several() -> None:
    assert [counted(n, "recording") for n in (0, 1, 1945)] == ["0 recordings", "1 recording", "1,945 recordings"]
    assert counted(2, "activity", "activities") == "2 activities"


def test_no_form_shows_a_text_of_the_library_that_reads_it() -> None:
    texts: set[str] = set()
    for path in Path(str(wtforms.__file__)).parent.rglob("*.py"):
        for call in re.findall(r"gettext\(\s*((?:\"[^\"]+\",?\s*){1,2})", path.read_text("utf-8")):
            texts.update(re.findall(r'"([^"]+)"', call))
    assert len(texts) > 25
    assert texts - WORDS.keys() <= {"Invalid field name '%s'.", "Choices cannot be None."}  # errors of the program


def test_a_wrong_number_among_columns_is_refused_in_plain_words(app: Flask) -> None:
    with app.test_request_context():
        form = MappingFields(MultiDict({"rate_hz": "often", "sensors-0-scale": "big", "sensors-0-unit": "stones"}))
        assert not form.validate()
    (sensor,) = form.sensors.entries
    assert form.rate_hz.errors == ["Write a number, for example 2.5."]
    assert sensor.form.scale.errors == ["Write a number, for example 2.5."]
    assert sensor.form.unit.errors == ["Choose from the list."]
