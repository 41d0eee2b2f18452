"""Text before a table, as loggers write it of themselves: left out where the table plainly begins below it."""

from __future__ import annotations

import numpy as np
import pytest

from app.har.errors import HarError
from app.har.recordings.files import in_memory
from app.har.recordings.layout import Layout
from app.har.recordings.mappings import mapped
from app.har.recordings.mappings.guess import guess
from app.har.recordings.tables import Source, open_table
from app.har.recordings.upload import read_members
from app.services.recordings.table_preview import preview_tables
from tests.synthetic import kinelab_csv
from tests.tables import ACC, TIME, labelled, table

OWN = table("t,ax,ay,az", [TIME, ACC])
HEADLESS = table("", [TIME, ACC])


def opened(text: str, name: str = "log.csv") -> Source:
    return open_table(in_memory(name, text.encode()))


@pytest.mark.parametrize(
    ("lead", "lines"),
    [
        ("# device: Pixel 7\n# rate: 50 Hz\n", 2),
        ("Start time,2024-05-31 12:00:00\n\n", 1),
        ("Logger 3000\nSubject,P1,left,wrist,m,40\nRate,50\n\n\n", 3),
        ('Name: "5" watch\n', 1),
        ("% one, two and three commas, here, and, there\n" * 60, 60),
        ("// a\r\n", 1),
        ("Hz,50\nsamples,400\nstart,0\n", 3),
        ("Device: Pixel 7,,,\n", 1),
    ],
)
@pytest.mark.parametrize("content", [OWN, OWN.replace(",", ";"), OWN.replace(",", "\t"), HEADLESS, labelled()])
def test_text_before_a_table_is_left_out_and_told(lead: str, lines: int, content: str) -> None:
    plain, source = opened(content), opened(lead + content)
    assert len(source.layout.lead) == lines
    assert (source.layout.header, source.layout.rows) == (plain.layout.header, plain.layout.rows)
    begins = lead.count("\n") + 1
    assert (source.layout.table_line, source.line(0)) == (begins, begins + bool(plain.layout.header))
    mapping = guess(source).mapping
    (recording,), (expected,) = mapped.read([source], mapping), mapped.read([plain], guess(plain).mapping)
    for stream, own in zip(recording.streams, expected.streams, strict=True):
        np.testing.assert_array_equal(stream.values, own.values)
        np.testing.assert_array_equal(stream.time_s, own.time_s)
    (problem,) = recording.problems
    assert problem.kind == "text before the table"
    assert problem.action == f"read from line {begins} on"
    assert preview_tables([[source]]).tables[0].lead[0] == lead.split("\n")[0].strip()


def test_a_commented_header_is_a_header() -> None:
    source = opened("# made by us\n# t,ax,ay,az\n" + HEADLESS)
    assert source.layout.header == ("# t", "ax", "ay", "az")
    assert len(source.layout.lead) == 1


def test_a_row_of_units_below_the_header_is_part_of_it() -> None:
    source = opened("# made by us\n" + OWN.replace("\n", "\ns,[mg],(mg),mg\n", 1))
    assert source.layout.header == ("t (s)", "ax (mg)", "ay (mg)", "az (mg)")
    assert (source.layout.table_line, source.line(0)) == (2, 4)


def test_of_comments_as_wide_as_the_table_only_the_last_may_be_its_header() -> None:
    for content, lead in ((OWN, 2), (HEADLESS, 1)):
        source = opened("# a,b,c,d\n# e,f,g,h\n" + content)
        assert len(source.layout.lead) == lead


def test_a_known_layout_below_comments_is_known_and_the_text_told() -> None:
    (recording,) = read_members([in_memory("a.csv", ("# us\n# them\n" + kinelab_csv()).encode())], "a.csv")
    assert recording.app == "Kinelab"
    assert [p.kind for p in recording.problems] == ["text before the table"]


def test_a_damaged_line_below_is_told_by_its_own_number() -> None:
    lines = ["# us", "", *OWN.splitlines()]
    lines[20] = "0.4,?,?,?"
    source = opened("\n".join(lines))
    (recording,) = mapped.read([source], guess(source).mapping)
    assert "line 21: '0.4,?,?,?'" in next(p.detail for p in recording.problems if p.kind == "empty cells")


def layout(text: str) -> Layout | str:
    try:
        return opened(text).layout
    except HarError as error:
        return str(error)


@pytest.mark.parametrize(
    "text",
    [
        OWN,
        OWN.replace("t,ax,ay,az", "t,ax,ay"),  # a heading lacks: its own message
        OWN.replace("t,ax,ay,az", "t,ax,ay,az,label,who"),  # headings to spare
        OWN.replace("t,ax,ay,az\n", "t,ax,ay,az\n0.0,1\n0.02\n"),  # damaged rows below the header
        "0.1,2\n" + HEADLESS,  # a damaged row of numbers
        "a,b,c\n" * 40,
        "# t\n1,2,3\n4,5,6\n",  # too few rows to be sure
        "note\n" * 120 + OWN,  # more than any logger writes
    ],
)
def test_where_it_is_not_plain_nothing_is_left_out(text: str) -> None:
    found = layout(text)
    assert isinstance(found, str) or found.lead == ()


def test_a_table_in_the_middle_of_prose_is_not_read_past_its_end() -> None:
    text = "Dear all,\nhere is what we measured:\n" + OWN + "Yours\n"
    source = opened(text)
    (recording,) = mapped.read([source], guess(source).mapping)
    assert len(recording.streams[0].values) == len(TIME)
    assert [p.kind for p in recording.problems] == ["text before the table", "empty cells"]
