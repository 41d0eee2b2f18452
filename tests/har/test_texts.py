"""Text for spreadsheets and pages: no formula, no half of a character, and the way back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.har.texts import FORMULA, cell, loads, text_of_cell, whole_characters


@pytest.mark.parametrize(
    "text", ["=1+1", "+1-2", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "'=1", "＝1", "=", "-", "@me", "-1e"]
)
def test_text_that_a_spreadsheet_takes_for_a_formula_gets_the_mark_of_text(text: str) -> None:
    assert cell(text) == "'" + text
    assert text_of_cell(f"'{text}") == text


@pytest.mark.parametrize("value", [-1, -1.5, 0.0, None, True, "", "Walk", "-1", "+2.5e-3", "a=b", "it's", "'s"])
def test_numbers_and_other_text_stay_as_they_are(value: object) -> None:
    assert cell(value) is value


@given(st.text(st.sampled_from(" '=+-@\t\r\n1.a＝e"), max_size=6))
def test_a_text_comes_back_as_it_was_and_never_begins_a_formula(text: str) -> None:
    written = cell(text)
    assert isinstance(written, str)
    assert text_of_cell(written) == text
    assert not FORMULA.match(written) or written.startswith("'") or float(written) < float("inf")


@settings(max_examples=30)
@given(st.dictionaries(st.text(max_size=5), st.lists(st.text(max_size=5) | st.integers() | st.none(), max_size=3)))
def test_json_without_halves_of_characters_is_read_as_it_is(value: object) -> None:
    assert loads(json.dumps(value)) == loads(json.dumps(value).encode()) == value


def test_halves_of_characters_become_question_marks_wherever_they_are() -> None:
    text = r'{"a\ud800": ["\udfff", {"b": "x\uD83Dy"}], "whole": "\ud83d\ude00"}'
    assert loads(text) == {"a?": ["?", {"b": "x?y"}], "whole": "😀"}
    assert whole_characters("a\ud800😀") == "a?😀"
