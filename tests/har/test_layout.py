"""Each detector of a text's layout by itself; what they make together is in test_lead_lines and test_recordings."""

from __future__ import annotations

import pytest

from app.har.errors import UnreadableData
from app.har.recordings.layout import (
    Decimals,
    Header,
    Line,
    Separation,
    decode,
    find_decimals,
    find_encoding,
    find_header,
    find_separator,
    find_table,
    sniff,
)


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        (b"a,b\n1,2\n", "utf-8"),
        ("\ufeffa,b\n1,2\n".encode(), "utf-8-sig"),
        ("a,b\n1,2\n".encode("utf-16"), "utf-16"),
        ("a,b\n1,2\n".encode("utf-16-le"), "utf-16-le"),
        ("a,b\n1,2\n".encode("utf-16-be"), "utf-16-be"),
        ("Länge,b\n1,2\n".encode("latin-1"), "latin-1"),
        ("a,µ".encode()[:-1], "utf-8"),  # the head ends within a letter
    ],
)
def test_encoding(head: bytes, encoding: str) -> None:
    assert find_encoding(head, "a.csv") == encoding


@pytest.mark.parametrize(
    ("head", "message"),
    [(b"\x1f\x8b\x08", "packed by gzip"), (b"%PDF-1.7\n1 0 obj", "is binary"), (bytes(range(64)), "is binary")],
)
def test_what_is_no_text_is_refused(head: bytes, message: str) -> None:
    with pytest.raises(UnreadableData, match=message):
        find_encoding(head, "a.csv")


@pytest.mark.parametrize(("end", "newline"), [("\n", "\n"), ("\r\n", "\n"), ("\r", "\r")])
def test_decoded_lines_keep_their_numbers(end: str, newline: str) -> None:
    text = decode(end.join(["", "a,b", "  ", "1,2", "3,"]).encode(), "a.csv")
    assert (text.newline, text.lines) == (newline, (Line(2, "a,b"), Line(4, "1,2"), Line(5, "3,")))


def test_the_last_line_of_an_incomplete_head_is_left_out() -> None:
    assert decode(b"a,b\n1,2\n3", "a.csv", complete=False).lines == (Line(1, "a,b"), Line(2, "1,2"))
    with pytest.raises(UnreadableData, match=r"a\.csv, line 1: longer than"):
        decode(b"1,2,3", "a.csv", complete=False)


ROWS = [f"{i},{i / 2},{-i}" for i in range(8)]


@pytest.mark.parametrize(
    ("lead", "header"),
    [
        ([], []),
        ([], ["t,x,y"]),
        (["Logger 5"], ["t,x,y"]),
        (["Logger 5", "rate: 50 Hz", "# by Ann, Ben, Cid"], ["t,x,y"]),
        (["Logger 5", "rate: 50 Hz"], []),
        (["Logger 5,,"], ["t,x,y", "s,m/s²,m/s²"]),
    ],
)
def test_a_table_begins_at_its_header_or_its_first_row(lead: list[str], header: list[str]) -> None:
    lines = [Line(number, text) for number, text in enumerate(lead + header + ROWS, 1)]
    table = find_table(lines)
    assert [line.text for line in table.lead] == lead
    assert [line.text for line in table.lines] == header + ROWS


@pytest.mark.parametrize(
    ("lines", "separation", "plain"),
    [
        (["1,2", "3,4"], Separation(","), "1,2"),
        (["1,5;2,5", "3,5;4,5"], Separation(";"), "1,5;2,5"),
        (["1\t2", "3\t4"], Separation("\t"), "1\t2"),
        (["1,2;", "3,4;"], Separation(",", terminator=";"), "1,2"),
        (["1;2;", "3;4;"], Separation(";"), "1;2;"),  # a last column without values
        (["1 2", "3 4"], Separation(" "), "1 2"),
        (["  1   2", " 13   4"], Separation(" ", aligned=True), "1 2"),
        (["1", "2"], Separation(","), "1"),
    ],
)
def test_separator_and_terminator(lines: list[str], separation: Separation, plain: str) -> None:
    found = find_separator(lines)
    assert found == separation
    assert found.plain(lines[0]) == plain


@pytest.mark.parametrize(
    ("content", "separator", "decimals"),
    [
        ("1.5,2.5\n", ",", Decimals(comma=False)),
        ("1,5;2,5\n", ";", Decimals(comma=True)),
        ("1.5;2.5\n", ";", Decimals(comma=False)),
        ("1;2\n3,5;4\n", ";", Decimals(comma=True)),  # the first rows are whole numbers
        ("1;2\n", ";", Decimals(comma=True)),  # either fits
        ("1.234,5;0,5\n", ";", Decimals(comma=True, thousands=True)),
        ("1.234,5;0,5\n0.5;1,5\n", ";", Decimals(comma=True)),
    ],
)
def test_decimals(content: str, separator: str, decimals: Decimals) -> None:
    assert find_decimals(content, separator) == decimals


@pytest.mark.parametrize(
    ("cells", "header"),
    [
        ([("t", " x "), ("1", "2")], Header(("t", "x"), 1)),
        ([("1", "2"), ("3", "4")], Header(None, 0)),
        ([("t", "x"), ("s", "[m/s²]"), ("1", "2")], Header(("t (s)", "x (m/s²)"), 2)),
        ([("t", "x"), ("s", ""), ("1", "2")], Header(("t", "x"), 1)),  # one unit alone may be a value
    ],
)
def test_header(cells: list[tuple[str, ...]], header: Header) -> None:
    assert find_header(cells) == header


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("t,x\n", r"holds a header \(t, x\) and no data row"),
        ("t,x\n1,2,3\n1,2,3\n", "line 2: has 3 cells, the header 2"),
        ("1," * 4001 + "1\n", "has 4,002 columns"),
    ],
)
def test_a_text_without_a_table_is_refused(text: str, message: str) -> None:
    with pytest.raises(UnreadableData, match=message):
        sniff(text.encode(), "a.csv")
