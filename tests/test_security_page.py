"""docs/SECURITY.md: each requirement of ASVS 5.0, levels 1 and 2, once, with a reason."""

from __future__ import annotations

import re

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "SECURITY.md"
# How many requirements of levels 1 and 2 each section has; those of level 3 stand between them in some
SECTIONS = {
    "1.1": (1, 2), "1.2": range(1, 10), "1.3": range(1, 12), "1.4": range(1, 4), "1.5": (1, 2),
    "2.1": range(1, 4), "2.2": range(1, 4), "2.3": range(1, 5), "2.4": (1,),
    "3.2": (1, 2), "3.3": range(1, 5), "3.4": range(1, 7), "3.5": range(1, 6), "3.7": (1, 2),
    "4.1": range(1, 4), "4.2": (1,), "4.3": (1, 2), "4.4": range(1, 5),
    "5.1": (1,), "5.2": range(1, 4), "5.3": (1, 2), "5.4": range(1, 4),
    "6.1": range(1, 4), "6.2": range(1, 13), "6.3": range(1, 5), "6.4": range(1, 5), "6.5": range(1, 6),
    "6.6": range(1, 4), "6.8": range(1, 5),
    "7.1": range(1, 4), "7.2": range(1, 5), "7.3": (1, 2), "7.4": range(1, 6), "7.5": (1, 2), "7.6": (1, 2),
    "8.1": (1, 2), "8.2": range(1, 4), "8.3": (1,), "8.4": (1,),
    "9.1": range(1, 4), "9.2": range(1, 5),
    "10.1": (1, 2), "10.2": (1, 2), "10.5": range(1, 6),
    "11.1": (1, 2), "11.2": range(1, 4), "11.3": range(1, 4), "11.4": range(1, 5), "11.5": (1,), "11.6": (1,),
    "12.1": range(1, 4), "12.2": (1, 2), "12.3": range(1, 5),
    "13.1": (1,), "13.2": range(1, 6), "13.3": (1, 2), "13.4": range(1, 6),
    "14.1": (1, 2), "14.2": range(1, 5), "14.3": range(1, 4),
    "15.1": range(1, 4), "15.2": range(1, 4), "15.3": range(1, 8),
    "16.1": (1,), "16.2": range(1, 6), "16.3": range(1, 5), "16.4": range(1, 4), "16.5": range(1, 4),
}  # fmt: skip
# OAuth's servers and providers, and WebRTC, of which there is nothing
WHOLE_CHAPTERS = ["10.3.*", "10.4.*", "10.6.*", "10.7.*", "17.*"]
STATES = {"met", "lab", "partly", "not met", "n/a"}


def rows() -> list[list[str]]:
    lines = re.findall(r"^\| (\d+\.[\d.*]+) \| (.+) \| (.+) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.M)
    return [list(line) for line in lines]


def test_each_requirement_is_answered_once() -> None:
    wanted = [f"{section}.{number}" for section, numbers in SECTIONS.items() for number in numbers]
    assert len(wanted) == 226
    assert sorted(number for number, *_ in rows()) == sorted([*wanted, *WHOLE_CHAPTERS])


def test_each_answer_has_a_state_and_says_where_or_why() -> None:
    for number, subject, state, where in rows():
        assert state in STATES, number
        assert len(subject) > 2, number
        assert len(where) > 3, number


def test_what_the_answers_name_is_there() -> None:
    """Names of modules and tests; docs are looked at by `tests/test_docs.py`."""
    folders = (ROOT, ROOT / "app")
    named = {name for *_, where in rows() for name in re.findall(r"`([\w/-]+\.(?:py|html|js|txt))`", where)}
    assert len(named) > 50
    assert [name for name in sorted(named) if not any((folder / name).is_file() for folder in folders)] == []
