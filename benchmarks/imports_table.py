"""Write two tables into docs/IMPORTS.md: what is found in the shared real files, and in layouts that others publish.

python -m benchmarks.imports_table; the real recordings are looked for in HAR_DATA_DIR.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.har.recordings.upload import read_upload
from app.har.signals.clocks import sampling_rate
from app.har.signals.normalisation import normalise_upload
from app.har.signals.types import Recording
from benchmarks.data import DATA

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "IMPORTS.md"
BEGIN, END = "<!-- the table of real files: python -m benchmarks.imports_table -->", "<!-- end of the table -->"
LAYOUTS_BEGIN = "<!-- the table of layouts: python -m benchmarks.imports_table -->"
LAYOUTS_END = "<!-- end of the table of layouts -->"
MOST_NAMED = 5  # sensors in a row


@dataclass(frozen=True)
class Case:
    """A file of the shared data, a folder of files (taken as a zip), or some members of an archive."""

    path: str
    truth: str
    members: Sequence[str] = ()


HOLE = "accelerometer and gyroscope have a hole of 85.6 s, the total acceleration has none"
RUINED = "six activities of user a; `Creation_Time` ruined by a spreadsheet"
WATCH = "10,000 rows of user a without header; the watch's clock falls back"
CASES = (
    Case("phone-exports/sensor-logger/Accelerometer.csv", "without gravity, z,y,x; a hole of 85.6 s"),
    Case("phone-exports/sensor-logger/TotalAcceleration.csv", "with gravity, z,y,x; no hole"),
    Case("phone-exports/sensor-logger/Gyroscope.csv", "rad/s, z,y,x; a hole of 85.5 s"),
    Case("phone-exports/sensor-logger", HOLE),
    Case("phone-exports/phyphox/Accelerometer.csv", "with gravity; headings edited by hand"),
    Case("phone-exports/phyphox/Linear Acceleration.csv", "without gravity"),
    Case("phone-exports/phyphox/Gyroscope.csv", "heading deg/s, numbers in rad/s; alone this does not show"),
    Case("phone-exports/phyphox", "the gyroscope is in rad/s: so fast does gravity turn in the accelerometer"),
    Case("phone-exports/physics-toolbox/record_N.csv", "44 rows/s, each sensor gives 14.6 a second; zeros first"),
    Case("hhar/phones/Phones_accelerometer.csv", RUINED),
    Case("hhar/phones/Phones_gyroscope.csv", f"{RUINED}; tabs for commas"),
    Case("hhar/phones", "the same, both sensors of one phone"),
    Case("hhar/watch/Watch_accelerometer.csv", WATCH),
    Case("hhar/watch/Watch_gyroscope.csv", WATCH),
    Case("hhar/watch", "the same, both sensors of one watch"),
    Case("stress-predict/S01", "ACC 32 Hz in 1/64 g, EDA and TEMP 4 Hz, HR 1 Hz from 10 s on"),
    Case("stress-predict/S02", "ACC 32 Hz in 1/64 g, EDA and TEMP 4 Hz, HR 1 Hz from 10 s on"),
    Case(
        "hapt/HAPT Data Set.zip",
        "50 Hz, g with gravity, rad/s; experiment 1, user 1",
        [f"HAPT Data Set/RawData/{name}" for name in ("acc_exp01_user01.txt", "gyro_exp01_user01.txt", "labels.txt")],
    ),
    Case(
        "sisfall/SisFall_dataset_R01.zip",
        "200 Hz, codes of 1/256 g and 0.061 deg/s; SA01 walks slowly for 100 s",
        ["SisFall_dataset/Readme.txt", "SisFall_dataset/SA01/D01_SA01_R01.txt"],
    ),
    Case(
        "sp-sw-har/sp-sw-har.zip",
        "phone and watch at about 103 Hz, m/s² with gravity",
        ["DATA/s01/s01_01_sp.csv", "DATA/s01/s01_01_sw.csv"],
    ),
    Case(
        "ku-har/1.Raw_time_domian_data.zip",
        "two clocks of about 100 Hz, m/s² without gravity",
        ["1.Raw_time_domian_data/11.Walk/1002_L_1.csv"],
    ),
    Case(
        "motion-sense/motion-sense.zip",
        "50 Hz, g with Apple's sign; subject 1 goes downstairs",
        ["A_DeviceMotion_data/dws_1/sub_1.csv"],
    ),
    Case(
        "oxford-walk/oxford-walk.zip",
        "p1 walks with the phone in hand, about 198 samples a second",
        ["Nexus_p1_Hard_InHand_1/accelerometer.csv"],
    ),
    Case("stm-har/stm-har.zip", "26 Hz, mg with gravity", ["running/running_01_26Hz_4g_mg.csv"]),
    Case("ku-har/subsamples_60x1803.csv", "60 windows of 3 s at 100 Hz, m/s² without gravity"),
)


def table(data: Path = DATA) -> str:
    """Return the table as Markdown."""
    head = "| file | read as | sensors: samples, rate, unit found | gravity | reported | truth |"
    rows = [row for case in CASES for row in _rows(case, data)]
    return "\n".join([head, "|---|---|---|---|---|---|", *rows])


def _rows(case: Case, data: Path) -> list[str]:
    name = f"`{case.path}`" + "".join(f"<br>`{Path(member).name}`" for member in case.members)
    path = data / case.path
    with tempfile.TemporaryDirectory() as folder:
        if case.members:
            path = _zip(Path(folder) / "part.zip", path, case.members)
        elif path.is_dir():
            path = _zip(Path(folder) / "part.zip", path)
            name += " (as a zip)"
        recordings = normalise_upload(read_upload(path, Path(case.path).name))
    first = recordings[0]
    sensors = "<br>".join(
        f"{s.modality}: {len(s.time_s):,}, {sampling_rate(s.time_s):.1f} Hz, {s.unit_found}" for s in first.streams
    )
    many = f" ({len(recordings)} recordings, the first:)" if len(recordings) > 1 else ""
    gravity = first.gravity if any(s.modality.endswith("accelerometer") for s in first.streams) else "–"
    return [f"| {name} | {first.app}{many} | {sensors} | {gravity} | {_reported(first)} | {case.truth} |"]


def _reported(recording: Recording) -> str:
    counts = Counter(problem.kind for problem in recording.problems)
    return ", ".join(f"{kind} ({count})" if count > 1 else kind for kind, count in counts.items()) or "–"


def _zip(target: Path, source: Path, members: Sequence[str] = ()) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        if members:
            with zipfile.ZipFile(source) as whole:
                for name in members:
                    archive.writestr(name, whole.read(name))
        else:
            for path in sorted(source.iterdir()):
                archive.write(path, path.name)
    return target


def layouts_table() -> str:
    """Return the table of the layouts in `tests/layouts.py` as Markdown."""
    from tests.layouts import LAYOUTS, read_layout

    lines = ["| layout | described by | easily misread | read as |", "|---|---|---|---|"]
    for own in LAYOUTS:
        found = "refused by its name, with what to do"
        if not own.refused:
            streams = read_layout(own).streams
            rates = dict.fromkeys(f"{sampling_rate(stream.time_s):.4g} Hz" for stream in streams)
            sensors = [stream.modality for stream in streams]
            more = f", … {len(sensors)} in all" if len(sensors) > MOST_NAMED else ""
            found = f"{', '.join(sensors[:MOST_NAMED])}{more}; {' and '.join(rates)}"
        lines.append(f"| {own.name} | {own.described} | {own.easily_misread} | {found} |")
    return "\n".join(lines)


def updated(text: str, own: str, begin: str = BEGIN, end: str = END) -> str:
    """Return the document with a table in its place."""
    before, rest = text.split(begin)
    return f"{before}{begin}\n\n{own}\n\n{end}{rest.split(end)[1]}"


if __name__ == "__main__":
    document = updated(DOCUMENT.read_text(encoding="utf-8"), layouts_table(), LAYOUTS_BEGIN, LAYOUTS_END)
    DOCUMENT.write_text(updated(document, table()), encoding="utf-8")
