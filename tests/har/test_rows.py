"""The rows of a data set whose files have different columns: those of all files, and what a row lacks is empty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.har.datasets.described import DescribedDataset
from app.har.datasets.description import Description
from app.har.datasets.rows import MAX_COLUMNS, RowTable, RowWriter
from app.har.datasets.store import Store, build_store, open_store
from app.har.recordings.parts import Matrix
from tests.bad_inputs import zipped
from tests.synthetic import kinelab_csv


def stored(folder: Path, *frames: pl.DataFrame | Matrix) -> RowTable:
    writer = RowWriter(folder, "rows", "table-0", show_recording=False)
    for number, frame in enumerate(frames):
        writer.append(frame, [f"r{number}"])
    return RowTable(folder, writer.finish())


def store_of(folder: Path, **files: str) -> Store:
    (folder / "set.zip").write_bytes(zipped({f"{name}.csv": text for name, text in files.items()}))
    build_store(folder / "set.zip", folder / "store")
    return open_store(folder / "store")


def column(store: Store, name: str, recording: str) -> set[Any]:
    return {row[0] for row in store.rows("rows", limit=10_000, recording=recording, columns=[name])[1]}


def without_activity() -> str:
    return kinelab_csv(None, subject=2)


def with_pulse() -> str:
    header, *lines = kinelab_csv("Walk", subject=3).splitlines()
    return "\n".join([f"{header},pulse", *(f"{line},p{n % 7}" for n, line in enumerate(lines))])


@pytest.mark.parametrize("first", ["a", "z"])
def test_rows_of_a_file_without_labels_have_none(first: str, tmp_path: Path) -> None:
    store = store_of(tmp_path, **{f"{first}1": kinelab_csv("Walk"), "m2": without_activity(), "n3": kinelab_csv("Run")})
    assert column(store, "activity", f"{first}1") == {"Walk"}
    assert column(store, "activity", "m2") == {None}
    assert column(store, "activity", "n3") == {"Run"}


def test_a_column_that_only_a_later_file_has_is_taken_up(tmp_path: Path) -> None:
    store = store_of(tmp_path, a=kinelab_csv("Walk"), b=with_pulse())
    assert store.columns("rows") == ["recording", *with_pulse().splitlines()[0].split(",")]
    assert column(store, "pulse", "a") == {None}
    assert column(store, "pulse", "b") == {f"p{n}" for n in range(7)}
    for descending in (False, True):
        total, rows, _ = store.rows("rows", limit=2000, sort="pulse", descending=descending, columns=["pulse"])
        cells = [row[0] for row in rows]
        known = [cell for cell in cells if cell is not None]
        assert total == len(cells) == 2 * len(known)
        assert known == sorted(known, reverse=descending)
        assert cells[: len(known)] == known


@pytest.mark.parametrize("heading", ["#", "", "recording", "a,a_10,a", "time_s"])
def test_any_heading_can_be_that_of_a_column(heading: str, tmp_path: Path) -> None:
    header, *lines = kinelab_csv("Walk").splitlines()
    cells = ",k" * (heading.count(",") + 1)
    store = store_of(tmp_path, a="\n".join([f"{header},{heading}", *(f"{line}{cells}" for line in lines)]))
    assert store.rows("rows", limit=1, columns=store.columns("rows")[-1:])[1] == [("k",)]


def test_headings_that_are_there_twice_move_no_column(tmp_path: Path) -> None:
    header, *lines = kinelab_csv("Walk").splitlines()
    more = "\n".join([header.replace("time_s", "time_s,a,a_3,a"), *(line.replace(",", ",1,2,3,", 1) for line in lines)])
    plain = store_of(tmp_path, a=kinelab_csv("Walk"))
    (tmp_path / "other").mkdir()
    store = store_of(tmp_path / "other", a=more)
    assert store.columns("rows")[1:5] == ["time_s", "a", "a_3", "a_3_3"]
    assert store.rows("rows", limit=3, columns=["acc_x"])[:2] == plain.rows("rows", limit=3, columns=["acc_x"])[:2]


def test_the_names_of_sensors_never_become_those_of_files(tmp_path: Path) -> None:
    text = kinelab_csv("Walk").replace("acc_", "../../../evil.acc_").replace("gyro_", f"{'x' * 300}.gyro_")
    (tmp_path / "in" / "a").mkdir(parents=True)
    (tmp_path / "in" / "a" / "1.csv").write_text(text)
    sources = {"label": {"from": "folder"}, "subject": {"from": "one", "value": "p"}, "clock": "start"}
    loader = DescribedDataset(Description.from_document(sources, "description"))
    build_store(tmp_path / "in", tmp_path / "deep" / "er" / "store", loader=loader)
    written = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {"in", "deep"}
    assert all(path.parent.name == "store" for path in (tmp_path / "deep").rglob("*") if path.is_file())
    store = open_store(tmp_path / "deep" / "er" / "store")
    assert {store.rows(table, limit=1)[0] for table in store.tables} == {len(text.splitlines()) - 1}


def test_columns_beyond_the_most_there_may_be_are_left_out_and_listed(tmp_path: Path) -> None:
    header, *lines = kinelab_csv("Walk", subject=2).splitlines()
    wide = ",".join([header, *(f"extra_{n}" for n in range(300))])
    more = ",0" * 300
    store = store_of(tmp_path, a=kinelab_csv("Walk"), b="\n".join([wide, *(line + more for line in lines)]))
    assert len(store.columns("rows")) == 1 + MAX_COLUMNS
    assert any("108 more columns" in problem.detail for problem in store.summary.problems)


def test_numbers_and_text_under_one_heading_become_text(tmp_path: Path) -> None:
    table = stored(
        tmp_path,
        pl.DataFrame({"a": [1, None, 3], "b": np.array([0.1, np.nan, 2.5], np.float32)}),
        pl.DataFrame({"b": [0.1, None], "a": ["x", None]}),
        Matrix(("a", "c"), np.array([[7.5, 1.0]], np.float32)),
    )
    assert table.page(columns=["a", "b", "c"])[1] == [
        ("1", 0.1, None), (None, None, None), ("3", 2.5, None), ("x", 0.1, None), (None, None, None),
        ("7.5", None, 1.0),
    ]  # fmt: skip


VALUES = {
    "integer": st.none() | st.integers(-9, 9),
    "float": st.none() | st.integers(-99, 99).map(lambda n: n / 8),
    "text": st.none() | st.sampled_from(["", "a", "Walk", "=1"]),
}
TYPES = {"integer": pl.Int64, "float": pl.Float64, "text": pl.String}


@st.composite
def frames(draw: st.DrawFn) -> list[pl.DataFrame]:
    """Draw frames with some of the columns each, a column always of one type."""
    kinds = draw(st.dictionaries(st.sampled_from("abcde"), st.sampled_from(sorted(VALUES)), min_size=1))
    made = []
    for _ in range(draw(st.integers(1, 5))):
        names = draw(st.lists(st.sampled_from(sorted(kinds)), min_size=1, unique=True))
        rows = draw(st.integers(1, 4))
        columns = {name: draw(st.lists(VALUES[kinds[name]], min_size=rows, max_size=rows)) for name in names}
        made.append(pl.DataFrame(columns, schema={name: TYPES[kinds[name]] for name in names}))
    return made


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames=frames())
def test_rows_are_what_polars_makes_of_the_same_frames(frames: list[pl.DataFrame], tmp_path: Path) -> None:
    table = stored(tmp_path, *frames)
    expected = pl.concat(frames, how="diagonal")
    assert table.columns == expected.columns
    assert table.page(limit=100)[:2] == (len(expected), expected.rows())
    for name in expected.columns:
        (tmp_path / f"table-0.{expected.columns.index(name)}.order.npy").unlink(missing_ok=True)
        ordered = [row[0] for row in table.page(limit=100, sort=name, columns=[name])[1]]
        assert ordered == expected[name].sort(nulls_last=True).to_list()
    for number, frame in enumerate(frames):
        assert table.page(limit=100, recording=f"r{number}", columns=frame.columns)[1] == frame.rows()
