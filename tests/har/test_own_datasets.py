"""Data sets of a lab's own recordings: where labels and subjects are told, and what is refused."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import pytest

from app.har.datasets.described import DescribedDataset, LabelAssignment
from app.har.datasets.description import Description, FromFolder, OneForAll
from app.har.datasets.name_patterns import PatternFault, name_pattern
from app.har.datasets.store import Store, build_store, open_store
from app.har.datasets.survey import survey
from app.har.errors import HarError, InvalidDescription, UnreadableData
from app.har.recordings.files import in_memory, open_files
from app.har.windows import make_windows
from tests.bad_inputs import zipped
from tests.synthetic import hhar_csv, kinelab_csv, sp_sw_csv
from tests.tables import ACC, TIME, labelled, table

COLUMNS = """
columns:
  time: {column: millis, unit: ms}
  sensors:
    accelerometer: {columns: [x_acc, y_acc, z_acc], unit: g}
    gyroscope: {columns: [gyro_x, gyro_y, gyro_z], unit: deg/s}
  label: movement
  subject: person
"""
FOLDERS = "label: {from: folder}\nsubject: {from: folder, level: 2}\n"
PATTERN = "{subject}_{label}_{trial}.csv"
NAMES = f'label: {{from: name, pattern: "{PATTERN}"}}\nsubject: {{from: name, pattern: "{PATTERN}"}}\n'
TABLE = "label: {from: table, table: labels.csv}\nsubject: {from: table, table: labels.csv}\n"
ONE = "label: {from: column}\nsubject: {from: one, value: P1}\n"


def store_of(folder: Path, files: dict[str, bytes | str], description: str, kind: str = "zip") -> Store:
    path = folder / "set"
    if kind == "zip":
        path.write_bytes(zipped(files))
    else:
        for name, content in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    build_store(
        path, folder / "store", name="own.zip", loader=DescribedDataset(Description.from_yaml(description, "spec.yaml"))
    )
    return open_store(folder / "store")


def told(store: Store) -> dict[str, tuple[str, str]]:
    """Return subject and activities by recording."""
    signals = store.signals
    found = {}
    for number, name in enumerate(signals.recording_ids):
        rows = np.concatenate(
            [
                signals.labels[f : f + n]
                for f, n, r in zip(signals.first, signals.length, signals.recording, strict=True)
                if r == number
            ]
        )
        activities = "+".join(signals.activities[code] if code >= 0 else "-" for code in dict.fromkeys(rows.tolist()))
        found[name] = (signals.subjects[number], activities)
    return found


@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_folders_tell_label_and_subject(kind: str, tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        f"data/p{subject}/{activity}/a.csv": kinelab_csv(None if subject == 1 else activity, subject, 6 + len(activity))
        for subject in (1, 2)
        for activity in ("Walk", "Run")
    }
    store = store_of(tmp_path, {"readme.md": "# ours", **files}, FOLDERS, kind)
    assert told(store) == {
        "data/p1/Run/a": ("p1", "Run"),
        "data/p1/Walk/a": ("p1", "Walk"),
        "data/p2/Run/a": ("p2", "Run"),
        "data/p2/Walk/a": ("p2", "Walk"),
    }
    assert store.summary.format_title == "Own recordings"
    assert store.summary.problems == ()
    assert len(make_windows(store.signals)) > 4
    assert store.columns("accelerometer") == ["recording", "time_s", "acc_x", "acc_y", "acc_z", "activity"]
    assert store.rows("accelerometer", limit=1)[1][0][-1] == "Run"


def test_one_label_written_in_two_ways_is_one_activity(tmp_path: Path) -> None:
    names = (" Gehen", "Gehen", "G\u00e9hen", "Ge\u0301hen", "Rennen")
    files: dict[str, bytes | str] = {
        f"p1/{name}/{number}.csv": kinelab_csv(None, number, 6 + number) for number, name in enumerate(names)
    }
    store = store_of(tmp_path, files, FOLDERS, "folder")
    assert sorted(store.signals.activities) == ["Gehen", "Géhen", "Rennen"]


def test_names_tell_label_and_subject_and_those_that_do_not_are_listed(tmp_path: Path) -> None:
    names = ("P01_Walk_1.csv", "P02_Run_1.csv", "notes.csv", "P03_stair_up_1.csv")
    files: dict[str, bytes | str] = {name: labelled(subject=number) for number, name in enumerate(names, 1)}
    store = store_of(tmp_path, files, NAMES + COLUMNS)
    assert told(store) == {"P01_Walk_1": ("P01", "Walk"), "P02_Run_1": ("P02", "Run")} | {
        "P02_Run_1": ("P02", "Run")
    } or "duplicate" in str(store.summary)
    skipped = [p.source for p in store.summary.problems if p.kind == "name unlike the pattern"]
    assert skipped == ["P03_stair_up_1.csv", "notes.csv"]


def test_a_mapping_reads_files_of_its_own_layout_and_their_columns_tell(tmp_path: Path) -> None:
    files = {"a.csv": labelled("Walk", 1), "b.csv": labelled("Run", 2), "other.csv": table("t,ax,ay,az", [TIME, ACC])}
    store = store_of(tmp_path, files, "label: {from: column}\nsubject: {from: column}\n" + COLUMNS)
    assert told(store) == {"a": ("p1", "Walk"), "b": ("p2", "Run")}
    assert [p.kind for p in store.summary.problems] == ["unreadable file"]
    assert store.summary.gravity == "included"


def test_a_known_layout_tells_its_own_labels_and_lacks_subjects_openly(tmp_path: Path) -> None:
    store = store_of(tmp_path, {"a.csv": kinelab_csv("Walk")}, "label: {from: column}\nsubject: {from: column}\n")
    assert told(store) == {"a": ("unknown", "Walk")}
    assert [p.kind for p in store.summary.problems] == ["no subject"]


def test_files_of_one_recording_are_put_together_by_their_importer(tmp_path: Path) -> None:
    files = {
        "s1/phones/acc.csv": hhar_csv("accelerometer"),
        "s1/phones/gyro.csv": hhar_csv("gyroscope"),
        "s2/x_01_sp.csv": sp_sw_csv("sp"),
        "s2/x_01_sw.csv": sp_sw_csv("sw"),
    }
    path = tmp_path / "set.zip"
    path.write_bytes(zipped(files))
    with open_files(path) as members:
        parts = list(DescribedDataset(Description.from_yaml(ONE, "spec.yaml")).read_dataset(members))
    found = [part.content for part in parts if part.content is not None]
    assert [(r.recording_id, r.subject, len(r.streams)) for r in found] == [
        ("s1/phones/a nexus4_1", "P1", 2),
        ("s2/x_01", "P1", 4),
    ]
    assert parts[-1].fraction == 1.0


def test_a_folder_of_archives_is_read_an_archive_a_recording(tmp_path: Path) -> None:
    files = {f"p{n}/Walk/phone.zip": zipped({"a.csv": kinelab_csv(None, n), "readme.txt": "hello"}) for n in (1, 2)}
    store = store_of(tmp_path, files, FOLDERS, "folder")
    assert told(store) == {"p1/Walk/phone": ("p1", "Walk"), "p2/Walk/phone": ("p2", "Walk")}


LABELS = "recording,start,end,label,subject\nwalk,0,4,Rest,P9\nwalk,5,7.9,Walk,P9\n"


def test_intervals_of_a_table_label_stretches(tmp_path: Path) -> None:
    store = store_of(tmp_path, {"x/walk.csv": kinelab_csv(None), "labels.csv": LABELS}, TABLE)
    assert told(store) == {"x/walk": ("P9", "Rest+-+Walk")}
    labels = store.signals.labels
    assert (labels[:195] == 0).all()
    assert (labels[205:245] == -1).all()
    assert (labels[255:390] == 1).all()


@pytest.mark.parametrize(
    ("first", "last"),
    [("1700000002", "1700000006"), ("2023-11-14 22:13:22", "2023-11-14 22:13:26"), ("1700000002000", "1700000006000")],
)
def test_intervals_may_be_on_the_files_own_clock(first: str, last: str, tmp_path: Path) -> None:
    scale = 1000 if len(first) == 13 else 1
    lines = [f"{(1_700_000_000 + t) * scale:.3f},{a},{b},{c}" for t, (a, b, c) in zip(TIME, ACC, strict=True)]
    columns = f"""
clock: file
columns:
  time: {{column: t, unit: {"ms" if scale > 1 else "s"}}}
  sensors: {{accelerometer: {{columns: [x, y, z], unit: m/s²}}}}
"""
    files = {
        "walk.csv": "\n".join(["t,x,y,z", *lines]),
        "labels.csv": f"file,begin,stop,activity\nwalk.csv,{first},{last},Walk\n",
    }
    store = store_of(
        tmp_path, files, "label: {from: table, table: labels.csv}\nsubject: {from: one, value: A}\n" + columns
    )
    labels = store.signals.labels
    assert (labels[:98] == -1).all()
    assert (labels[102:298] == 0).all()
    assert (labels[302:] == -1).all()


def test_a_table_may_tell_whole_recordings(tmp_path: Path) -> None:
    files = {
        "a.csv": kinelab_csv(None),
        "b.csv": kinelab_csv(None, 2),
        "labels.csv": "file;subject;label\na;P1;Walk\nb;P2;Run\n",
    }
    assert told(store_of(tmp_path, files, TABLE)) == {"a": ("P1", "Walk"), "b": ("P2", "Run")}


def test_recordings_that_the_table_leaves_out_and_intervals_beyond_the_end_are_listed(tmp_path: Path) -> None:
    files = {
        "walk.csv": kinelab_csv(None),
        "b.csv": kinelab_csv("Run", 2),
        "labels.csv": LABELS + "walk,90,95,Run,P9\n",
    }
    store = store_of(tmp_path, files, TABLE)
    assert told(store) == {"b": ("unknown", "-"), "walk": ("P9", "Rest+-+Walk")}
    assert {p.kind: p.source for p in store.summary.problems} == {
        "no label": "b.csv",
        "no subject": "b.csv",
        "labels beyond the end": "walk",
    }


TABLE_FAULTS = {
    "no such table": (None, "labels.csv: expected a table of labels among the files"),
    "other columns": ("a,b\n1,2\n", "labels.csv: expected a header with recording and label"),
    "a start without end": ("recording,start,label\nwalk,0,Rest\n", "expected a header with recording"),
    "an unknown recording": (
        "recording,start,end,label\nwalk,0,1,Rest\nrun,0,1,Rest\n",
        "labels.csv, line 3: expected one of the recordings, such as",
    ),
    "a name of several files": (
        "recording,label\nsame,Rest\n",
        "line 2: expected a name that only one file has, found 'same'",
    ),
    "an overlap": (
        "recording,start,end,label\nwalk,0,3,Rest\n\nwalk,2,5,Walk\n",
        "line 4: expected intervals of walk.csv that do not overlap, found one from 2 while line 2 lasts to 3",
    ),
    "an end before its start": (
        "recording,start,end,label\nwalk,3,1,Rest\n",
        "line 2: expected a start and a later end, found '3' and '1'",
    ),
    "a moment that is none": (
        "recording,start,end,label\nwalk,soon,1,Rest\n",
        "line 2: expected a number or a date and time as the start, found 'soon'",
    ),
    "half an interval": ("recording,start,end,label\nwalk,3,,Rest\n", "expected a start and a later end"),
    "no label": ("recording,start,end,label\nwalk,0,1,\n", "line 2: expected a label"),
    "whole and part": (
        "recording,start,end,label\nwalk,,,Rest\nwalk,0,1,Walk\n",
        "expected one line for the whole of walk.csv",
    ),
    "two subjects": (
        "recording,start,end,label,subject\nwalk,0,1,Rest,A\nwalk,1,2,Walk,B\n",
        "line 3: expected one subject for walk.csv, found A, B",
    ),
}


@pytest.mark.parametrize(("content", "message"), TABLE_FAULTS.values(), ids=TABLE_FAULTS)
def test_a_faulty_table_is_refused_by_the_line_and_nothing_is_left(
    content: str | None, message: str, tmp_path: Path
) -> None:
    files: dict[str, bytes | str] = {
        "walk.csv": kinelab_csv(None),
        "a/same.csv": kinelab_csv(None),
        "b/same.csv": kinelab_csv(None),
    }
    files |= {} if content is None else {"labels.csv": content}
    with pytest.raises(UnreadableData) as caught:
        store_of(tmp_path, files, "label: {from: table, table: labels.csv}\nsubject: {from: one, value: A}\n")
    assert message in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set"]


SPEC_FAULTS = {
    "no label": ("subject: {from: column}\n", "label: expected the key from"),
    "an unknown way": (
        FOLDERS.replace("from: folder}", "from: magic}"),
        "label.from: expected one of column, folder, name, table, later, found 'magic'",
    ),
    "one label for all": (
        FOLDERS.replace("label: {from: folder}", "label: {from: one, value: x}"),
        "label.from: expected one of",
    ),
    "half a folder": (
        FOLDERS.replace("level: 2", "level: 1.5"),
        "subject.level: expected a whole number from 1 to 20, found 1.5",
    ),
    "no pattern": (
        "label: {from: name}\nsubject: {from: column}\n",
        "label.pattern: expected a pattern such as {subject}_{label}.csv",
    ),
    "a pattern without the word": (
        NAMES.replace("{label}", "{activity}"),
        "label.pattern: expected a pattern with {label} in it",
    ),
    "a table that is no name": (
        TABLE.replace("table: labels.csv", "table: {}", 1),
        "spec.yaml: label.table: expected the name of a file of the data set, found {}",
    ),
    "no way": (FOLDERS.replace("from: folder", "level: 1", 1), "spec.yaml: label: expected the key from (column,"),
    "a malformed pattern": (
        NAMES.replace("{trial}", "{trial"),
        "label.pattern: expected words of small letters in braces",
    ),
    "a strange key": (FOLDERS + "speed: 3\n", "speed: expected one of the keys clock, columns, label, subject"),
    "a key that belongs to another way": (
        FOLDERS.replace("level: 2", "pattern: x"),
        "subject.pattern: expected one of the keys from, level",
    ),
    "no column of labels": (
        "label: {from: column}\nsubject: {from: one, value: A}\n" + COLUMNS.replace("  label: movement\n", ""),
        "columns.label: expected the column that holds the label",
    ),
    "a fault in the mapping": (
        FOLDERS + COLUMNS.replace("unit: g", "unit: k"),
        "columns.sensors.accelerometer.unit: expected one of",
    ),
    "an unknown clock": (FOLDERS + "clock: noon\n", "clock: expected one of start, file, found 'noon'"),
}


@pytest.mark.parametrize(("text", "message"), SPEC_FAULTS.values(), ids=SPEC_FAULTS)
def test_a_faulty_description_is_refused_by_the_key(text: str, message: str) -> None:
    with pytest.raises(InvalidDescription) as caught:
        Description.from_yaml(text, "spec.yaml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("spec.yaml")


@pytest.mark.parametrize(
    "text", [FOLDERS, NAMES + COLUMNS, TABLE + "clock: file\n", ONE], ids=["folders", "names", "table", "one"]
)
def test_a_description_survives_yaml(text: str) -> None:
    description = Description.from_yaml(text, "spec.yaml")
    assert Description.from_yaml(description.to_yaml(), "spec.yaml") == description


@pytest.mark.parametrize(
    ("pattern", "path", "words"),
    [
        (PATTERN, "x/P01_walk_1.csv", {"subject": "P01", "label": "walk", "trial": "1"}),
        (PATTERN, "P01_walk_1.CSV", {"subject": "P01", "label": "walk", "trial": "1"}),
        (PATTERN, "P01_stair_up_1.csv", None),
        (PATTERN, "P01_walk.csv", None),
        ("{subject}_{label+}_{trial}", "P01_stair_up_1.csv", {"subject": "P01", "label": "stair_up", "trial": "1"}),
        ("{subject}/{label}", "data/P 1/lying down.txt", {"subject": "P 1", "label": "lying down"}),
        ("{subject}/{label}", "alone.csv", None),
        ("S{subject}A{label}.txt", "S1A2.txt", {"subject": "1", "label": "2"}),
        ("s({subject})+.csv", "s(1)+.csv", {"subject": "1"}),
    ],
)
def test_a_pattern_reads_a_name_in_one_way_only(pattern: str, path: str, words: dict[str, str] | None) -> None:
    assert name_pattern(pattern).match(path) == words


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "plain.csv",
        "{a}{b}",
        "{a+}_{b+}",
        "{a}_{a}",
        "{A}",
        "{a",
        "a}",
        "/{a}",
        "{a}//{b}",
        "{a}" * 300,
        "{" + "}_{".join("abcdefghi") + "}",
    ],
)
def test_a_malformed_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(PatternFault):
        name_pattern(pattern)


def test_a_pattern_on_a_hostile_name_ends_quickly() -> None:
    pattern = name_pattern("{a}_{b+}_{c}-{d}_{e}.csv")
    start = time.perf_counter()
    assert pattern.match("_" * 5000) is None
    assert pattern.match("a_" * 2500 + "-" * 2000) is None
    assert time.perf_counter() - start < 2


def test_a_preview_needs_no_file_opened() -> None:
    members = [in_memory(name, b"") for name in ("a/P1_walk.csv", "b/nothing.csv", "readme.txt")]
    description = Description.from_yaml(NAMES.replace("_{trial}", ""), "spec.yaml")
    assignment = LabelAssignment(description, members)
    assert [member.name for member in assignment.candidates] == ["a/P1_walk.csv", "b/nothing.csv"]
    assert (assignment.for_file("a/P1_walk.csv").label, assignment.for_file("a/P1_walk.csv").subject) == ("walk", "P1")
    assert "not like" in assignment.for_file("b/nothing.csv").missing


def test_a_survey_tells_folders_layouts_tables_and_what_is_unknown() -> None:
    files = {
        "p1/walk/a.csv": kinelab_csv(None),
        "p1/run/a.csv": kinelab_csv(None),
        "p2/walk/a.csv": labelled(),
        "p2/run/phone.zip": zipped({"a.csv": kinelab_csv(None)}),
        "labels.csv": LABELS,
        "readme.md": "x",
        "photo.jpg": b"\xff\xd8\xff\xe0" * 99,
    }
    found = survey(
        [
            in_memory(name, content if isinstance(content, bytes) else content.encode())
            for name, content in files.items()
        ]
    )
    assert dict(found.folders) == {".": 2, "p1/run": 1, "p1/walk": 1, "p2/run": 1, "p2/walk": 1}
    assert found.tables == ("labels.csv",)
    assert found.known
    assert found.unknown[0][0].name == "p2/walk/a.csv"
    assert found.documents == 1
    assert any("Kinelab" in layout and count == 2 for layout, count in found.layouts)
    assert any(layout.startswith("unreadable") for layout, _ in found.layouts)


def test_an_own_data_set_without_anything_usable_says_why(tmp_path: Path) -> None:
    with pytest.raises(HarError, match=r"own\.zip: no usable recording was found.*a\.csv"):
        store_of(tmp_path, {"a.csv": labelled()}, FOLDERS)
    assert re.fullmatch("set", " ".join(path.name for path in tmp_path.iterdir()))


def test_documents_stored_by_earlier_versions_are_read() -> None:
    columns = {
        "time": {"rate_hz": 50.0},
        "sensors": {"accelerometer": {"columns": ["x", "y", "z"], "unit": "m/s²", "signs": [1, -1, 1], "scale": 0.5}},
        "gravity": "included",
        "label": "what",
    }
    stored = {"label": {"from": "folder", "level": 1}, "subject": {"from": "one", "value": "P1"}, "columns": columns}
    found = Description.from_document(stored, "stored")
    assert found.columns is not None
    assert (found.label, found.subject) == (FromFolder(level=1), OneForAll(value="P1"))
    assert (found.columns.rate_hz, found.columns.label, found.columns.subject) == (50.0, "what", None)
    assert [(s.signs, s.scale, s.file) for s in found.columns.sensors] == [((1, -1, 1), 0.5, "")]
