"""Mappings: written, read strictly, and what a table becomes by one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from app.har.errors import InvalidDescription, UnknownTable, UnreadableData
from app.har.recordings.files import in_memory
from app.har.recordings.mappings import mapped
from app.har.recordings.mappings import mapping as mappings
from app.har.recordings.mappings.dry_run import dry_run
from app.har.recordings.mappings.mapping import ColumnMapping, SensorColumns
from app.har.recordings.mappings.units import TIME_UNITS, UNITS
from app.har.recordings.tables import Source, open_table
from app.har.recordings.upload import read_upload
from app.har.signals.normalisation import normalise_units
from app.har.signals.types import Recording
from tests.bad_inputs import zipped
from tests.tables import ACC, GYRO, LINEAR, TIME, G, labelled, mapping_of, rows, table

FULL = """
time: {column: millis, unit: ms}
sensors:
  accelerometer: {columns: [x_acc, y_acc, z_acc], unit: g, signs: [1, 1, -1]}
  watch.gyroscope: {columns: [gyro_x, gyro_y, gyro_z], unit: dps, scale: 2}
gravity: included
label: movement
subject: person
"""


def source(content: str, name: str = "own.csv") -> Source:
    return open_table(in_memory(name, content.encode()))


def test_a_mapping_survives_yaml() -> None:
    mapping = ColumnMapping.from_yaml(FULL, "m.yaml")
    assert mapping.sensors[1] == SensorColumns(
        modality="watch.gyroscope", columns=("gyro_x", "gyro_y", "gyro_z"), unit="deg/s", scale=2.0
    )
    assert (mapping.time, mapping.time_unit, mapping.label, mapping.subject) == ("millis", "ms", "movement", "person")
    assert ColumnMapping.from_yaml(mapping.to_yaml(), "m.yaml") == mapping


FAULTS = {
    "not keys": ("- a\n- b\n", "m.yaml: document: expected keys with values"),
    "not YAML": ("time: [1\n", "expected a YAML document"),
    "a key twice": (FULL + "label: other\n", "line 9: expected each key once, found 'label' twice"),
    "an unknown key": (
        FULL + "axis: x\n",
        "axis: expected one of the keys gravity, label, sensors, subject, time, found 'axis'",
    ),
    "an unknown key below": (
        FULL.replace("unit: g,", "unit: g, gravitty: 1,"),
        "sensors.accelerometer.gravitty: expected one of",
    ),
    "no time": (FULL.replace("time: {column: millis, unit: ms}", ""), "time: expected the keys column and unit"),
    "time without unit": (
        FULL.replace(", unit: ms", ""),
        "time.unit: expected one of s, ms, µs, ns, 0.1 ms, days, date-time, found nothing",
    ),
    "an unknown unit of time": (
        FULL.replace("ms}", "weeks}"),
        "time.unit: expected one of s, ms, µs, ns, 0.1 ms, days, date-time, found 'weeks'",
    ),
    "neither time nor rate": (FULL.replace("column: millis, unit: ms", "rate_hz: null"), "time: expected either"),
    "time and rate": (FULL.replace("unit: ms", "unit: ms, rate_hz: 5"), "time: expected either"),
    "a rate below zero": (
        FULL.replace("column: millis, unit: ms", "rate_hz: -5"),
        "time.rate_hz: expected a number of rows per second",
    ),
    "a rate that is none": (
        FULL.replace("column: millis, unit: ms", "rate_hz: .nan"),
        "time.rate_hz: expected a number",
    ),
    "no sensors": ("time: {rate_hz: 50}\nsensors: {}\n", "sensors: expected at least one of accelerometer"),
    "an unknown sensor": (
        FULL.replace("watch.gyroscope", "watch.gyro"),
        "sensors.watch.gyro: expected one of accelerometer",
    ),
    "a device in capitals": (FULL.replace("watch.", "My Watch."), "a device's name in small letters"),
    "an unknown unit": (
        FULL.replace("unit: g,", "unit: feet,"),
        "sensors.accelerometer.unit: expected one of m/s², g, mg, cm/s², found 'feet'",
    ),
    "two axes": (
        FULL.replace("x_acc, y_acc, z_acc", "x_acc, y_acc"),
        "columns: expected 3 names of columns, for acc_x, acc_y, acc_z",
    ),
    "axes that are no list": (FULL.replace("[x_acc, y_acc, z_acc]", "x_acc"), "columns: expected 3 names"),
    "signs of another kind": (FULL.replace("[1, 1, -1]", "[1, 1, 2]"), "signs: expected 3 times 1 or -1"),
    "a scale of nothing": (FULL.replace("scale: 2", "scale: 0"), "scale: expected a number above 0"),
    "a sign that is true": (FULL.replace("[1, 1, -1]", "[1, true, -1]"), "signs: expected 3 times 1 or -1"),
    "an unknown key without a value": (FULL + "axis:\n", "axis: expected one of the keys"),
    "the modality twice": (
        FULL.replace("unit: g,", "unit: g, modality: gyroscope,"),
        "sensors.accelerometer.modality: expected no such key",
    ),
    "a column used twice": (FULL.replace("gyro_z", "z_acc"), "expected a column that nothing else uses"),
    "gravity unknown": (FULL.replace("included", "yes"), "gravity: expected one of included, removed, found True"),
    "a list for a name": (
        FULL.replace("label: movement", "label: [movement]"),
        "label: expected the name of a column, found ['movement']",
    ),
    "too long": ("#" * 200_000, "expected at most 100,000 characters"),
    "nested a thousand deep": ("[" * 5000, "expected a YAML document"),
    "a bomb of aliases": (
        "a: &a [x, x]\n" + "".join(f"b{i}: &b{i} [{', '.join(['*a'] * 9)}]\n" for i in range(9)),
        "time: expected",
    ),
    "an object": ("time: !!python/object/apply:os.system ['true']\n", "expected a YAML document"),
}


@pytest.mark.parametrize(("text", "message"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_mapping_is_refused_by_the_key(text: str, message: str) -> None:
    with pytest.raises(InvalidDescription) as caught:
        ColumnMapping.from_yaml(text, "m.yaml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("m.yaml")
    assert len(str(caught.value)) < 600


def test_units_signs_and_factors_end_in_si_units() -> None:
    (recording,) = mapped.read([source(labelled())], ColumnMapping.from_yaml(FULL, "m.yaml"))
    acceleration, rotation = recording.streams
    assert np.median(acceleration.values[:, 2]) == pytest.approx(-9.81, abs=0.5)
    assert rotation.modality == "watch.gyroscope"
    assert np.abs(rotation.values).max() == pytest.approx(2 * np.abs(GYRO).max(), rel=0.2)
    assert acceleration.time_s[1] - acceleration.time_s[0] == pytest.approx(0.02)
    assert acceleration.unit_found == "g, by the mapping"
    assert recording.gravity == "included"


@pytest.mark.parametrize(("unit", "factor"), [("s", 1.0), ("ms", 1e3), ("µs", 1e6), ("ns", 1e9)])
def test_a_clock_that_counts_from_1970_tells_its_origin(unit: str, factor: float) -> None:
    content = rows("t,x,y,z", lambda i, t, v: f"{round((1_700_000_000 + t) * factor, 2):.2f},{v[0]},{v[1]},{v[2]}")
    mapping = mapping_of(("accelerometer", "xyz", "m/s²"), unit=unit)
    (recording,) = mapped.read([source(content)], mapping)
    assert recording.origin_utc_s == pytest.approx(1_700_000_000)
    np.testing.assert_allclose(recording.streams[0].time_s, TIME, atol=0.006)


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("2024-05-31 12:00:{:06.3f}", 1717156800.0),
        ("2024-05-31T12:00:{:06.3f}Z", 1717156800.0),
        ("2024-05-31T12:00:{:06.3f}+02:00", 1717149600.0),
        ("31.05.2024 12:00:{:06.3f}", 1717156800.0),
        ("5/31/2024 12:00:{:06.3f}", 1717156800.0),
        ("12:00:{:06.3f}", None),
    ],
)
def test_date_time_text_becomes_seconds(written: str, origin: float | None) -> None:
    content = rows("when,x,y,z", lambda i, t, v: f"{written.format(t)},{v[0]},{v[1]},{v[2]}")
    mapping = mapping_of(("accelerometer", "xyz", "m/s²"), time="when", unit="date-time")
    (recording,) = mapped.read([source(content)], mapping)
    assert recording.origin_utc_s == origin
    np.testing.assert_allclose(np.diff(recording.streams[0].time_s), 0.02, atol=1e-6)


def dated(write: Callable[[datetime], str], start: datetime, header: str = "T,x,y,z") -> Recording:
    """Read eight seconds whose time is written in a way of its own."""
    content = rows(header, lambda i, t, v: f"{write(start + timedelta(seconds=t))},{v[0]},{v[1]},{v[2]}")
    mapping = mapping_of(("accelerometer", "xyz", "m/s²"), time="T", unit="date-time")
    (recording,) = mapped.read([source(content)], mapping)
    np.testing.assert_allclose(recording.streams[0].time_s - recording.streams[0].time_s[0], TIME, atol=2e-3)
    return recording


MIDNIGHT = datetime(2024, 6, 6, tzinfo=timezone.utc)
CLOCK = "%H:%M:%S.%f"


@pytest.mark.parametrize(
    "written", [f"%m/%d/%Y {CLOCK}", f"%d/%m/%Y {CLOCK}", "%m/%d/%y %I:%M:%S.%f %p", "%d.%m.%y %H:%M:%S.%f"]
)
def test_the_order_of_day_and_month_is_that_in_which_time_runs_on(written: str) -> None:
    recording = dated(lambda now: now.strftime(written), MIDNIGHT - timedelta(seconds=4))
    assert recording.origin_utc_s == MIDNIGHT.timestamp() - 4
    assert recording.problems == ()


@pytest.mark.parametrize(("day", "doubtful"), [(5, False), (6, True), (13, False)])
def test_a_date_that_may_be_read_both_ways_is_told(day: int, doubtful: bool) -> None:
    noon = datetime(2024, 5, day, 12, tzinfo=timezone.utc)
    recording = dated(lambda now: now.strftime(f"%m/%d/%Y {CLOCK}"), noon)
    assert [(p.source, p.kind) for p in recording.problems] == [("own.csv", "date in doubt")] * doubtful
    assert doubtful or recording.origin_utc_s == noon.timestamp()
    for problem in recording.problems:
        assert "line 2: T begins with '05/06/2024 12:00:00.000000'" in problem.detail
        assert problem.action == "read day first, from 2024-06-05 on; only the date is in doubt"


def test_all_rows_of_a_file_are_read_in_one_order() -> None:
    """Rows of one person alone would leave it in doubt."""
    content = "T,who,x,y,z\n" + "".join(
        f"{date} 12:00:{i / 10:04.1f},{who},0,{i % 7},9.8\n"
        for who, date in (("a", "06/05/2024"), ("b", "06/13/2024"))
        for i in range(100)
    )
    mapping = mapping_of(("accelerometer", "xyz", "m/s²"), time="T", unit="date-time", subject="who")
    found = mapped.read([source(content)], mapping)
    noon = datetime(2024, 6, 5, 12, tzinfo=timezone.utc).timestamp()
    assert [recording.origin_utc_s for recording in found] == [noon, noon + 8 * 86400]
    assert "date in doubt" not in [problem.kind for recording in found for problem in recording.problems]


@pytest.mark.parametrize("written", [CLOCK, "%H:%M:%S:%f", "%I:%M:%S.%f %p"])
def test_a_time_of_day_runs_on_over_midnight(written: str) -> None:
    assert dated(lambda now: now.strftime(written), MIDNIGHT - timedelta(seconds=4)).problems == ()


def test_a_column_of_dates_beside_one_of_times_is_told() -> None:
    recording = dated(lambda now: now.strftime(f"%d.%m.%Y,{CLOCK}"), MIDNIGHT, "Date,T,x,y,z")
    assert [(p.kind, p.detail) for p in recording.problems] == [
        ("date not used", "Date has dates, but T, which the mapping takes for the time, only times of day")
    ]


@pytest.mark.parametrize(("unit", "fits", "refused"), [("ms", "s", True), ("s", "ms", False), ("s", "ns", True)])
def test_a_unit_of_time_that_makes_no_rate_is_told_with_the_one_that_does(unit: str, fits: str, refused: bool) -> None:
    factor = 1 / TIME_UNITS[fits]
    content = table("T,x,y,z", [TIME * factor, ACC])
    mapping = mapping_of(("accelerometer", "xyz", "m/s²"), time="T", unit=unit)
    expected = f"the mapping's time.unit is {unit}, but T goes up by {0.02 * factor:.4g} from row to row"
    if refused:
        with pytest.raises(UnreadableData) as caught:
            mapped.read([source(content)], mapping)
        assert str(caught.value).startswith(f"own.csv: {expected}")
        assert str(caught.value).endswith(f" 50 in {fits}. Change time.unit of the mapping to {fits}.")
        return
    (recording,) = mapped.read([source(content)], mapping)
    (problem,) = [problem for problem in recording.problems if problem.kind == "time unit in doubt"]
    assert expected in problem.detail
    assert f"kept in {unit}; if {fits} is right" in problem.action


@pytest.mark.parametrize(
    ("acceleration", "rotation", "actions"),
    [
        ("mg", "deg/s", ("kept in mg; if m/s² is right", "kept in deg/s; if rad/s is right")),
        ("g", "mdeg/s", ("taken as m/s²", "kept in mdeg/s; if rad/s is right")),
        ("m/s²", "rad/s", ()),
    ],
)
@pytest.mark.parametrize("turning", [GYRO, GYRO[::-1]], ids=["with gravity", "by itself"])
def test_units_that_the_values_contradict_are_converted_if_certain_and_told(
    acceleration: str, rotation: str, actions: tuple[str, ...], turning: np.ndarray
) -> None:
    mapping = mapping_of(("accelerometer", "xyz", acceleration), ("gyroscope", "uvw", rotation), time="T")
    (recording,) = mapped.read([source(table("T,x,y,z,u,v,w", [TIME, ACC, turning]))], mapping)
    recording = normalise_units(recording)
    problems = [problem for problem in recording.problems if problem.kind == "unit mismatch"]
    assert len(problems) == len(actions)
    for problem, sensor, fits, action in zip(problems, mapping.sensors, ("m/s²", "rad/s"), actions, strict=False):
        assert problem.detail.startswith(f"{sensor.modality}: {sensor.unit}, by the mapping, but ")
        assert problem.detail.endswith(f" in {fits}")
        assert problem.action.startswith(action)
    if acceleration == "g":
        np.testing.assert_allclose(recording.streams[0].values, ACC, atol=1e-4)


def test_without_a_clock_the_rate_makes_the_time() -> None:
    mapping = mapping_of(("accelerometer", "xyz", "m/s²"), rate_hz=25.0)
    (recording,) = mapped.read([source(table("x,y,z", [LINEAR]))], mapping)
    assert recording.streams[0].time_s[-1] == pytest.approx((len(TIME) - 1) / 25)
    assert recording.gravity == "removed"


def test_a_column_of_subjects_makes_a_recording_for_each_and_lines_stay_right() -> None:
    first, second = labelled(subject=1, seconds=6), labelled(subject=2, seconds=6)
    lines = first.splitlines() + second.splitlines()[1:]
    lines[450] = "450,p2,Walk,nonsense,1,1,1,1,1,1"
    recordings = mapped.read([source("\n".join(lines))], ColumnMapping.from_yaml(FULL, "m.yaml"))
    assert [(r.recording_id, r.subject) for r in recordings] == [("own.csv, p1", "p1"), ("own.csv, p2", "p2")]
    problems = [p for p in recordings[1].problems if p.kind == "corrupt rows"]
    assert "line 451: '450,p2" in problems[0].detail
    assert recordings[0].problems == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("x_acc, y", "xx, y"), "sensors.accelerometer.columns[0]: expected one of its columns (sample, person"),
        (("label: movement", "label: activity"), "label: expected one of its columns"),
        (("column: millis", "column: person"), "expected numbers in person"),
        (("column: millis, unit: ms", "column: movement, unit: date-time"), "expected dates and times in movement"),
    ],
)
def test_a_mapping_that_does_not_fit_the_file_says_where(change: tuple[str, str], message: str) -> None:
    text = (
        FULL.replace(*change)
        .replace("subject: person\n", "")
        .replace("label: movement\n", "" if "movement" in change[1] else "label: movement\n")
    )
    with pytest.raises((InvalidDescription, UnreadableData)) as caught:
        mapped.read([source(labelled())], ColumnMapping.from_yaml(text, "m.yaml"))
    assert message in str(caught.value)
    assert str(caught.value).startswith("own.csv")


def test_an_unknown_table_is_told_from_what_nobody_can_map(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_text(labelled())
    with pytest.raises(UnknownTable, match=r"own\.csv"):
        read_upload(path, "own.csv")
    (recording,) = read_upload(path, "own.csv", mapping=ColumnMapping.from_yaml(FULL, "m.yaml"))
    assert recording.subject == "p1"


def test_of_a_zip_the_files_that_fit_are_read_and_a_readme_is_left(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(
        zipped(
            {"readme.txt": "read me\n", "notes.csv": "a,b\n1,2\n", "a.csv": labelled(), "b.csv": labelled(subject=2)}
        )
    )
    with pytest.raises(UnknownTable):
        read_upload(path, "own.zip")
    recordings = read_upload(path, "own.zip", mapping=ColumnMapping.from_yaml(FULL, "m.yaml"))
    assert [r.subject for r in recordings] == ["p1", "p2"]
    assert [(p.source, p.kind) for p in recordings[0].problems] == [("notes.csv", "file not used")]
    assert not recordings[1].problems


def test_a_layout_is_known_again_by_the_names_of_its_columns_or_their_number() -> None:
    prints = [
        mappings.fingerprint(source(content).layout)
        for content in (
            labelled(),
            labelled(subject=2),
            table("t,x,y,z", [TIME, ACC]),
            table("", [TIME, ACC]),
            table("", [TIME, LINEAR]),
        )
    ]
    assert prints[0] == prints[1]
    assert prints[3] == prints[4]
    assert len(set(prints)) == 3


def test_files_of_one_header_are_told_apart_by_the_sensors_that_their_names_tell(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "Accelerometer.csv": table("t,x,y,z", [TIME, ACC]),
        "Gyroscope.csv": table("t,x,y,z", [TIME, GYRO]),
    }
    prints = {mappings.fingerprint(source(str(text), name).layout) for name, text in files.items()}
    assert len(prints) == 2
    path = tmp_path / "upload"
    path.write_bytes(zipped(files))
    columns = mapping_of(("gyroscope", "xyz", "rad/s"))
    (recording,) = read_upload(path, "both.zip", mapping=columns)
    assert recording.recording_id == "Gyroscope.csv"
    assert [(p.source, p.kind, p.action) for p in recording.problems] == [
        ("Accelerometer.csv", "file not used", "left out")
    ]


def test_columns_with_one_name_or_none_are_told_apart() -> None:
    layout = source("x,x,,x,x (2)\n" + "1,2,3,4,5\n" * 3).layout
    assert mappings.column_names(layout) == ("x", "x (2)", "column 3", "x (3)", "x (2) (2)")


def test_what_would_be_read_is_told_with_what_speaks_against_it() -> None:
    good, wrong = (
        ColumnMapping.from_yaml(FULL, "m.yaml"),
        ColumnMapping.from_yaml(FULL.replace("unit: g,", "unit: m/s²,").replace("dps", "rad/s"), "m.yaml"),
    )
    (facts,) = dry_run([source(labelled())], good)
    assert facts.duration_s == pytest.approx(12, abs=0.1)
    assert (facts.subject, facts.activities, facts.gravity, facts.whole) == ("p1", ("Walk",), "included", True)
    without = good.model_copy(update={"subject": None})
    assert [own.subject for own in dry_run([source(labelled())], without)] == [""]  # the name of the file is nobody's
    assert facts.sensors[0].rate_hz == pytest.approx(50, rel=0.02)
    assert facts.sensors[0].size == pytest.approx(9.81, abs=0.3)
    assert [sensor.doubt for sensor in facts.sensors] == ["", ""]
    (facts,) = dry_run([source(labelled())], wrong)
    assert "should be about 9.8 m/s², found 1:" in facts.sensors[0].doubt
    assert "is it in deg/s?" in facts.sensors[1].doubt


def test_a_sum_of_g_is_gravity() -> None:
    assert UNITS["accelerometer"]["mg"] * 1000 == pytest.approx(G)


@pytest.mark.parametrize("header", ["time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z", "t,ax,ay,az,gx,gy,gz"])
@pytest.mark.parametrize("blank", ["", "NaN"])
def test_sensors_of_different_rates_in_one_table_leave_each_others_cells_blank(
    header: str, blank: str, tmp_path: Path
) -> None:
    def row(time_s: float, values: np.ndarray, first: int) -> tuple[float, str]:
        cells = [blank] * 6
        cells[first : first + 3] = [f"{value:.5f}" for value in values]
        return time_s, ",".join([f"{time_s:.4f}", *cells])

    often = [row(t, values, 0) for t, values in zip(TIME, ACC, strict=True)]
    seldom = [row(t + 0.001, values, 3) for t, values in zip(TIME[::4], GYRO[::4], strict=True)]
    path = tmp_path / "upload"
    path.write_text("\n".join([header, *(text for _, text in sorted(often + seldom)), ""]))
    names = header.split(",")
    mapping = mapping_of(("accelerometer", names[1:4], "m/s²"), ("gyroscope", names[4:7], "rad/s"), time=names[0])
    (recording,) = read_upload(path, "own.csv", mapping=mapping if names[0] == "t" else None)
    assert [len(stream.time_s) for stream in recording.streams] == [len(often), len(seldom)]
    path.write_text(path.read_text().replace(f"{blank},{blank},{blank}", "?,?,?"))
    with pytest.raises(UnreadableData, match="rows are unusable"):
        read_upload(path, "own.csv", mapping=mapping if names[0] == "t" else None)
