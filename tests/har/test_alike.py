"""Small files that look alike come out as they would one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.har.recordings import tables
from app.har.recordings.alike import Known
from app.har.recordings.files import in_memory
from app.har.recordings.layout import sniff
from app.har.recordings.tables import Source, open_table, parsed_together
from app.har.recordings.upload import read_upload
from tests.exports import zipped

HEADING = "time_s,acc_x,acc_y,acc_z"
ROWS = [f"{i / 50:.3f},{np.sin(i):.4f},{i % 7}.25,-9.8e0" for i in range(200)]
FIRST = "\n".join([HEADING, *ROWS]) + "\n"
PLAIN = {
    "other numbers": "\n".join([HEADING, *ROWS[::-1]]) + "\n",
    "a single row": f"{HEADING}\n1,2,3,4",
    "no line end at the end": "\n".join([HEADING, *ROWS]),
    "50 rows": "\n".join([HEADING, *ROWS[:50]]),
    "an empty cell far below": "\n".join([HEADING, *ROWS, "1,2,,4"]),
    "a blank line far below": "\n".join([HEADING, *ROWS, "", "5,2,3,4"]),
    "149 rows": "\n".join([HEADING, *ROWS[:149]]) + "\n",
}
OTHER = {
    "other headings": "\n".join([HEADING.replace("acc", "gyro"), *ROWS]),
    "an empty cell": "\n".join([HEADING, *ROWS[:9], "1,2,,4", *ROWS]),
    "an empty last cell": "\n".join([HEADING, "1,2,3,", *ROWS]),
    "an empty first cell": "\n".join([HEADING, ",2,3,4", *ROWS]),
    "a blank line": "\n".join([HEADING, "", *ROWS]),
    "text": "\n".join([HEADING, "1,2,3,oops", *ROWS]),
    "units": "\n".join([HEADING, "s,g,g,g", *ROWS]),
    "a unit of a minus": "\n".join([HEADING, "-,-,-,-", *ROWS]),
    "more cells": "\n".join([HEADING, *ROWS[:9], "1,2,3,4,5", *ROWS]),
    "fewer cells": "\n".join([HEADING, "1,2,3", *ROWS]),
    "a mark of its encoding": "\ufeff" + FIRST,
    "decimal commas": FIRST.replace(",", ";").replace(".", ","),
    "spaces": FIRST.replace(",", ", "),
    "headings alone": HEADING + "\n",
}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("kind", [*PLAIN, *OTHER])
def test_a_layout_that_was_seen_is_what_a_close_look_finds(kind: str, end: str) -> None:
    data = ({**PLAIN, **OTHER}[kind]).replace("\n", end).encode()
    known = Known()
    known.sniff(FIRST.replace("\n", end).encode(), "first.csv")
    if kind == "headings alone":
        with pytest.raises(Exception, match="no data row"):
            known.sniff(data, "next.csv")
        return
    layout = known.sniff(data, "next.csv")
    assert replace(layout, plain=False) == sniff(data, "next.csv")
    assert layout.plain == (kind in PLAIN)


@pytest.mark.parametrize("heading", ["1,2,3,4", "a;b,c,d", '"a",b,c', "# a,b,c", "a,b", "a\tb,c,d"])
def test_headings_that_leave_something_open_are_looked_at_each_time(heading: str) -> None:
    known = Known()
    row = ",".join("1234"[: heading.count(",") + 1])
    for _ in range(2):
        assert not known.sniff(f"{heading}\n{row}\n{row}\n".encode(), "a.csv").plain
    assert not known.layouts


@pytest.mark.parametrize("chunk", [2_000, 20_000, tables.CHUNK_BYTES])
def test_files_parsed_together_are_the_recordings_they_are_alone(
    chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "CHUNK_BYTES", chunk)
    files = {f"{i:02}.csv": FIRST for i in range(3)}
    files |= {f"{kind}.csv": text for kind, text in (PLAIN | OTHER).items()}
    files["strange numbers.csv"] = "\n".join([HEADING, *ROWS[:5], "1.2.3,4,5,6", *ROWS[5:]])
    files["long row.csv"] = "\n".join([HEADING, *ROWS[:160], "1,2,3,4,5,6", *ROWS[160:]])
    path = tmp_path / "upload"
    path.write_bytes(zipped(files))
    together = {recording.recording_id: recording for recording in read_upload(path, "upload.zip")}
    alone = 0
    for name, text in files.items():
        path.write_text(text)
        if name not in together:
            continue
        (recording,), alone = read_upload(path, name), alone + 1
        one, other = together[name], recording
        for stream, own in zip(one.streams, other.streams, strict=True):
            np.testing.assert_array_equal(stream.time_s, own.time_s)
            np.testing.assert_array_equal(stream.values, own.values)
        assert [p for p in one.problems if p.source == name and p.action != "left out"] == list(other.problems)
    assert alone > 10


def test_a_fault_of_one_file_is_told_of_that_file() -> None:
    known = Known()
    sources = [open_table(in_memory(f"{i}.csv", FIRST.encode()), known) for i in range(4)]
    assert [source.layout.plain for source in sources] == [False, True, True, True]
    asked: list[str] = []

    def parse_one(source: Source) -> pl.DataFrame:
        asked.append(source.name)
        if source.member.size > len(FIRST):
            raise tables.UnreadableData("together")
        return tables.parse(source, dict.fromkeys(source.layout.names, pl.Float64))

    parse_next = parsed_together(sources, parse_one)
    assert [len(parse_next(source)) for source in sources] == [200] * 4
    assert asked == ["0.csv", "1.csv", "1.csv", "2.csv", "3.csv"]
