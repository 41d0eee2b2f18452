"""Cells that hold three numbers, or a number and a letter, are read as numbers."""

from __future__ import annotations

import numpy as np
import pytest

from app.har.recordings.conversions import open_source
from app.har.recordings.files import in_memory
from tests import cases
from tests.exports import stream
from tests.har.test_cases import by_guess


def vectors(values: cases.Values, form: str) -> list[str]:
    return [form.format(*row) for row in values.round(5).tolist()]


@pytest.mark.parametrize(
    ("form", "separator"),
    [('"[{}, {}, {}]"', ","), ("[{}, {}, {}]", ";"), ("({};{};{})", ","), ("[{} {} {}]", ",")],
)
def test_three_numbers_in_a_cell_are_the_axes(form: str, separator: str) -> None:
    t, a, w, _ = cases.person()
    columns = [(1000 * t).astype(int), vectors(a, form), vectors(w, form), ["walking"] * len(t)]
    lines = [["timestamp", "accelerometer (m/s^2)", "gyroscope", "activity"], *zip(*columns, strict=True)]
    found, recording = by_guess("\n".join(separator.join(map(str, line)) for line in lines) + "\n")
    assert found.mapping.sensors[0].columns[0] == "accelerometer_x (m/s^2)"
    assert np.allclose(stream(recording, "accelerometer").values, a, atol=1e-3)
    assert np.allclose(stream(recording, "gyroscope").values, w, atol=1e-3)
    assert recording.activities == ("walking",)


@pytest.mark.parametrize("names", ["ax,ay,az,gx,gy,gz", None])
def test_a_letter_behind_each_number_is_passed_over(names: str | None) -> None:
    t, a, w, _ = cases.person()
    cells = [[f"{x:.4f}{letter}" for x in column] for column, letter in zip([*a.T, *w.T], "aaaggg", strict=True)]
    header = f"time,{names}" if names else "0,0.1a,9.7a,0.2a,0.1g,0.2g,0.1g"
    _, recording = by_guess(cases.table(header, (1000 * t + 10).astype(int), *cells))
    skipped = 0 if names else 1
    assert np.allclose(stream(recording, "accelerometer").values[skipped:], a, atol=1e-3)
    assert np.allclose(stream(recording, "gyroscope").values[skipped:], w, atol=1e-3)


def test_a_damaged_cell_costs_its_row_which_keeps_its_line() -> None:
    t, a, _, _ = cases.person()
    cells = vectors(a, '"[{}, {}, {}]"')
    cells[1500] = '"[0.1, 9.8"'
    text = "# a logger\n# of somebody\n" + cases.table(
        "ms,accelerometer,b,c", (1000 * t).astype(int), cells, *t[None], *t[None]
    )
    _, recording = by_guess(text)
    assert len(recording.streams[0].values) == len(a) - 1
    (problem,) = [own for own in recording.problems if own.kind == "empty cells"]
    assert "the first in line 1504" in problem.detail


@pytest.mark.parametrize("cell", ["P1", "12a", "[1, 2]", "1.5m"])
def test_other_cells_stay_as_they_are(cell: str) -> None:
    cells = [cell, "x", *[cell] * 5, *["y"] * 5]
    text = cases.table("time,ax,ay,az,what", *[range(12)] * 4, [f'"{own}"' for own in cells])
    assert open_source(in_memory("a.csv", text.encode())).layout.names == ("time", "ax", "ay", "az", "what")
    assert open_source(in_memory("a.csv", text.encode())).layout.column(4) == cells
