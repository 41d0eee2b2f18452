"""Units of the columns as recorded, and whose, what and when a row is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.har.datasets import embedded_example
from app.har.datasets.loaders import LOADERS
from app.har.datasets.row_columns import LAYOUTS, RowFacts
from app.har.datasets.store import Store, build_store, open_store
from app.har.recordings.reach import ANYWHERE
from tests.bad_inputs import zipped
from tests.synthetic import kinelab_csv, ku_har_zip, sp_sw_files


def stored(folder: Path, files: dict[str, bytes]) -> Store:
    (folder / "data.zip").write_bytes(zipped(files))
    build_store(folder / "data.zip", folder / "store", reach=ANYWHERE)
    return open_store(folder / "store")


def test_every_format_of_a_data_set_says_what_its_columns_are() -> None:
    assert {*(loader.FORMAT for loader in LOADERS), embedded_example.FORMAT} == set(LAYOUTS)


def test_raw_ku_har_has_units_subject_activity_and_time(tmp_path: Path) -> None:
    ku_har_zip(tmp_path / "data.zip", subjects=2, seconds=12.5)
    build_store(tmp_path / "data.zip", tmp_path / "store")
    store = open_store(tmp_path / "store")
    about = store.row_columns("rows")
    assert [about.unit(column) for column in store.columns("rows")] == [
        "", "s", "m/s²", "m/s²", "m/s²", "s", "rad/s", "rad/s", "rad/s",
    ]  # fmt: skip
    name = next(name for name in store.signals.recording_ids if "Walk/1002" in name)
    facts = about.facts(store.rows("rows", recording=name, offset=100, limit=1).places)
    assert facts == [RowFacts("1002", "Walk", pytest.approx(1.0, abs=0.1))]


def test_a_unit_that_the_values_showed_stands_in_the_heading(tmp_path: Path) -> None:
    lines = kinelab_csv().splitlines()
    in_g = [lines[0]]
    for line in lines[1:]:
        cells = line.split(",")
        x, y, z = (float(cell) for cell in cells[1:4])
        in_g.append(",".join([cells[0], *(str(v / 9.80665) for v in (x / 20, y / 20, z / 20 + 9.80665)), *cells[4:]]))
    store = stored(tmp_path, {"s1/1.csv": "\n".join(in_g).encode()})
    about = store.row_columns("rows")
    assert (about.unit("acc_x"), about.unit("gyro_x"), about.unit("time_s")) == ("g", "rad/s", "s")


def test_a_label_column_is_the_activity_of_its_row(tmp_path: Path) -> None:
    store = stored(tmp_path, sp_sw_files())
    about = store.row_columns("watch")
    assert (about.unit("x_acc"), about.unit("z_gyro"), about.unit("timestamp"), about.unit("label")) == (
        "m/s²", "rad/s", "ms", "",
    )  # fmt: skip
    found = store.rows("watch", recording="s02_01", limit=10_000, columns=["timestamp", "label"])
    facts = about.facts(found.places)
    assert [each.activity for each in facts] == [row[1] for row in found.items]
    assert {each.subject for each in facts} == {"s02"}
    assert [each.time_s for each in facts] == pytest.approx(
        [(row[0] - found.items[0][0]) / 1000 for row in found.items], abs=1e-9
    )


@pytest.mark.real_data
def test_the_rows_of_hapt_have_the_labels_of_its_other_file(real_store: Callable[[str], Store]) -> None:
    store = real_store("hapt/HAPT Data Set.zip")
    about = store.row_columns("accelerometer")
    assert (about.unit("x"), store.row_columns("gyroscope").unit("x")) == ("g", "rad/s")
    first = store.rows("accelerometer", recording="exp01_user01", offset=240, limit=1011)
    activities = [each.activity for each in about.facts(first.places)]
    # labels.txt: experiment 1, user 1, STANDING from sample 250 to 1232
    assert set(activities[:9]) == {""}
    assert set(activities[10:992]) == {"STANDING"}
    assert activities[994] != "STANDING"
    assert np.isclose(about.facts(first.places)[0].time_s or 0, 4.8)
