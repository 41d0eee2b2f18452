"""Whether a stream is answered as the same recording uploaded, and what that costs; JSON on stdout.

python -m benchmarks.bench_live_answers [--only NAME]; needs the recordings in HAR_DATA_DIR. Each recording is a file as
a person has it. It is uploaded; and it is streamed as ``flask stream replay`` does, in messages of a second, to a
session that is kept and becomes a recording when it ends. Both are answered by the model that comes with the program.
It has learnt from most of these data sets: what is compared is what one model says in two ways, not answers with the
truth. Of data sets that hold one activity a file, a person's files are put one after the other.

Compared are the answers that pages show, of each window of the upload: ``first`` is what the live page said of it when
the window was full, ``after 6 s`` what it showed six seconds later, ``at the end`` what it said last, and ``recording``
what the recording shows that the session became. Each is the share with the *same* answer, however deep; ``against``
is the share of first answers that are on another branch of the tree, and not merely less deep or deeper.

Of the cost, ``ratio`` is the processor's time of a window of the stream (they overlap by two thirds) over that of a
window of `recognise` on a file of 5 minutes, in one process, one after the other.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from app.extensions import db
from app.har.classifiers.stored_models import load_model
from app.har.live.batches import Batch, Samples
from app.har.live.recogniser import LiveRecogniser
from app.har.recordings.upload import open_upload, read_upload
from app.har.signals.types import MODALITY_CHANNELS, Recording, Stream
from app.har.vocabulary import ANYTHING, NO_ANSWER, path_of
from app.services import sealing
from app.services.live import devices, hub, sessions
from app.services.live.engine import engine
from app.services.live.simulated import NAMES, Phone, batches_of
from app.services.live.tokens import KnownDevice
from app.services.recordings import recordings, uploads
from app.services.recordings.recognise import Model, always, read_recordings, recognise
from app.services.recordings.smoothing import as_chosen
from tests import homes, synthetic

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("HAR_DATA_DIR", ROOT.parent / "shared" / "data"))
SESSIONS, SECONDS = 50, 40  # of the cost
T0 = 1.7e9
ORDER = ["wlk", "std", "ups", "sit", "dws", "jog"]
KINDS = ("first", "after 6 s", "at the end", "recording")
LATER_S = 6.0
SAME_S = 0.02
LONGEST_S = 420.0  # of recordings that are put together


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    only = parser.parse_args().only
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, make in files().items():
            if only in name:
                figures[name] = compared(Path(folder), name, make)
                print(name, figures[name], file=sys.stderr)
    if not only:
        figures = {"cost": cost(), "share of windows with the same answer": figures}
    json.dump(figures, sys.stdout, indent=1)


# --- files


def files() -> dict[str, Callable[[Path], list[Path]]]:
    """What makes the files of each row."""
    hapt = "hapt/HAPT Data Set.zip"
    return {
        "HAPT": partial(members, hapt, [["exp01_"], ["exp05_"]]),
        "MotionSense": made(motion_sense, 1, 7),
        "KU-HAR": made(lambda p: joined(of_files("ku-har/1.Raw_time_domian_data.zip", f"/{p}_")), 1016, 1050),
        "SP-SW-HAR phone": made(lambda p: joined(of_files("sp-sw-har/sp-sw-har.zip", f"/s{p:02}_", "_sp.csv")), 1),
        "SP-SW-HAR watch": made(lambda p: joined(of_files("sp-sw-har/sp-sw-har.zip", f"/s{p:02}_", "_sw.csv")), 2),
        "WISDM watch": made(wisdm, 1610, 1625),
        "Oxford step counter": partial(members, "oxford-walk/oxford-walk.zip", [["Pixel_p1_Hard_FrontPocket_1/"]]),
        "HHAR phone": partial(copied, "hhar/phones"),
        "HHAR watch": partial(copied, "hhar/watch"),
        "Sensor Logger": partial(copied, "phone-exports/sensor-logger"),
        "phyphox": partial(copied, "phone-exports/phyphox"),
        "HAPT, irregular with gaps": made(irregular, 5),
    }


def members(archive: str, groups: list[list[str]], folder: Path) -> list[Path]:
    """Write uploads of those members of an archive whose names hold all of some parts."""
    with zipfile.ZipFile(DATA / archive) as source:
        for number, parts in enumerate(groups):
            with zipfile.ZipFile(folder / f"{number}.zip", "w") as target:
                for name in source.namelist():
                    if all(part in name for part in parts):
                        target.writestr(name, source.read(name))
    return sorted(folder.iterdir())


def copied(place: str, folder: Path) -> list[Path]:
    """Write an upload of all files of a folder."""
    with zipfile.ZipFile(folder / "upload.zip", "w") as target:
        for path in sorted((DATA / place).iterdir()):
            target.write(path, path.name)
    return [folder / "upload.zip"]


def made(read: Callable[[int], Recording], *people: int) -> Callable[[Path], list[Path]]:
    """Return what writes the recordings of people in Kinelab's layout."""

    def make(folder: Path) -> list[Path]:
        for person in people:
            write(read(person), folder / f"{person}.csv")
        return sorted(folder.iterdir())

    return make


def write(recording: Recording, path: Path, from_s: float = 0.0, to_s: float = LONGEST_S) -> None:
    """Write a part of a recording in Kinelab's layout, all sensors by the clock of the first."""
    streams = recording.streams
    clock = streams[0].time_s
    inside = (clock >= clock[0] + from_s) & (clock < clock[0] + to_s)
    names = [channel for stream in streams for channel in MODALITY_CHANNELS[stream.kind]]
    columns = [np.interp(clock, own.time_s, axis) for own in streams for axis in own.values.T]
    table = np.column_stack([clock, *columns])[inside]
    np.savetxt(path, table, "%.6f", ",", header=",".join(["time_s", *names]), comments="")


def of_files(archive: str, *parts: str) -> list[Recording]:
    """Read those members of an archive whose names hold all of some parts, each as an upload."""
    with zipfile.ZipFile(DATA / archive) as source, tempfile.TemporaryDirectory() as folder:
        found = []
        for name in sorted(name for name in source.namelist() if all(part in name for part in parts)):
            path = Path(folder) / "upload.zip"
            with zipfile.ZipFile(path, "w") as target:
                target.writestr(name, source.read(name))
            found += read_upload(path, "upload.zip")
    return found


def motion_sense(person: int) -> Recording:
    trials = of_files("motion-sense/motion-sense.zip", f"/sub_{person}.csv")
    word = [next(i for i, word in enumerate(ORDER) if word in own.recording_id) for own in trials]
    return joined([trials[i] for i in np.argsort(word, kind="stable")])


def wisdm(person: int) -> Recording:
    with zipfile.ZipFile(DATA / "wisdm-watch" / "wisdm-watch.zip") as archive:

        def axes(name: str, first: int) -> Any:
            lines = archive.read(name).decode().split()
            return np.array([line.rstrip(";").split(",")[first : first + 3] for line in lines], np.float32)

        sensors = axes(f"accel/data_{person}_accel_watch.txt", 2), axes(f"gyro/data_{person}_gyro_watch.txt", 3)
    n = min(map(len, sensors))
    clock = np.arange(n) / 20
    streams = [Stream(kind, clock, own[:n]) for kind, own in zip(("accelerometer", "gyroscope"), sensors, strict=True)]
    return Recording(str(person), str(person), tuple(streams), "included")


def irregular(experiment: int) -> Recording:
    """Return a recording of HAPT of which samples are missing, whose clock trembles, and that has gaps."""
    with tempfile.TemporaryDirectory() as folder:
        [path] = members("hapt/HAPT Data Set.zip", [[f"exp{experiment:02}_"]], Path(folder))
        [recording] = read_upload(path, "hapt.zip")
    chance = np.random.default_rng(experiment)
    clock = recording.streams[0].time_s
    kept = chance.random(len(clock)) > 0.1
    for begin, length in ((40, 0.4), (81, 0.8), (133, 3.3), (202, 9.0), (290, 1.7)):
        kept &= (clock < begin) | (clock > begin + length)
    moved = np.sort(clock + chance.uniform(-0.008, 0.008, len(clock)))
    streams = [Stream(own.modality, moved[kept], own.values[kept]) for own in recording.streams]
    return replace(recording, streams=tuple(streams))


def joined(recordings: list[Recording]) -> Recording:
    """Put recordings one after the other without a pause."""
    parts: dict[str, list[tuple[Any, Any]]] = {}
    offset = 0.0
    for own in recordings:
        first, last = (pick(s.time_s[i] for s in own.streams) for pick, i in ((min, 0), (max, -1)))
        for stream in own.streams:
            parts.setdefault(stream.modality, []).append((stream.time_s - first + offset, stream.values))
        offset += last - first + 0.02
    streams = []
    for name, pieces in parts.items():
        clocks, values = zip(*pieces, strict=True)
        streams.append(Stream(name, np.concatenate(clocks), np.concatenate(values)))
    return Recording("joined", recordings[0].subject, tuple(streams), recordings[0].gravity)


# --- a stream and an upload


def compared(folder: Path, name: str, make: Callable[[Path], list[Path]]) -> dict[str, float | int]:
    """Return how many windows the uploads of a row have, and the shares of them that a stream answers the same."""
    place = Path(tempfile.mkdtemp(dir=folder))
    (place / "files").mkdir()
    paths = make(place / "files")
    homes.migrate(place)
    counts: dict[str, int] = dict.fromkeys(("windows", *KINDS, "against"), 0)
    with homes.at_home(place, RATELIMIT_ENABLED=False):
        from app.services.models import reference_models

        reference_models.add_new()
        for path in paths:
            for kind, count in twice(path).items():
                counts[kind] += count
    windows = counts.pop("windows")
    return {"windows": windows} | {kind: round(count / windows, 4) for kind, count in counts.items()}


def twice(path: Path, mischief: random.Random | None = None) -> dict[str, int]:
    """Upload a file and stream it; return how many windows of the upload have the same answer in the stream.

    Parameters
    ----------
    mischief : shuffles and doubles messages.
    """
    from app.services import accounts

    name = f"person{path.stem}"
    user = accounts.register(name, "correct horse battery", "+44 20 7946 0000", f"{name}@example.org", "1 High Street")
    said = streamed(user.id, path, mischief)
    with path.open("rb") as file:
        uploaded = shown(uploads.receive(user.id, path.name, file))
    counts = dict.fromkeys(("windows", *KINDS, "against"), 0)
    counts["windows"] = len(uploaded)
    for kind in KINDS:
        starts = np.array(sorted(said[kind]))
        for start, answer in uploaded.items():
            nearest = float(starts[np.abs(starts - start).argmin()])
            other = said[kind][nearest] if abs(nearest - start) < SAME_S else ""
            counts[kind] += other == answer
            counts["against"] += kind == "first" and not related(answer, other)
    return counts


def shown(prediction: Any) -> dict[float, str]:
    """Return what the page of a recording says of its windows, by their start since its first sample."""
    result = as_chosen(recordings.result_of(prediction))
    path = recordings.uploaded_file(prediction.recording)
    with tempfile.NamedTemporaryFile() as plain, sealing.opened(path) as sealed:
        shutil.copyfileobj(sealed, plain)
        plain.flush()
        with open_upload(Path(plain.name), prediction.recording.filename) as upload:
            recording = read_recordings(upload)[0]
    first = min(float(own.time_s[0]) for own in recording.streams if own.kind in NAMES)
    own = np.flatnonzero(result.recording_index == 0)  # a stream is of one recording
    return {float(result.start_s[i]) - first: result.answer_names[result.answers[i]] for i in own.tolist()}


def streamed(user_id: int, path: Path, mischief: random.Random | None) -> dict[str, dict[float, str]]:
    """Stream a file to a session that is kept; return what is said of windows, by their start, in each way."""
    row, token = devices.make(user_id, f"phone {path.stem}", "", True)
    device = KnownDevice(row.id, user_id, row.name, row.place, row.keeps, row.token_hash)
    phone = Phone("http://nowhere", token)
    sent = [(begin, sensors) for begin, sensors in batches_of(path, path.name)]
    base = round(time.time()) - sent[-1][0] - 1.0
    bodies = [phone.message({name: (at + base, own) for name, (at, own) in sensors.items()}) for _, sensors in sent]
    told: list[hub.Event] = []
    hub.subscribe(user_id, told.append)
    said: dict[str, dict[float, str]] = {kind: {} for kind in KINDS}
    newest = 0.0
    for body in arriving(bodies, mischief):
        sessions.live()._allowances.clear()  # it comes faster than any phone sends
        sessions.receive(device, body)
        engine().tick()
        newest = hear(told, base, newest, said)
    sessions.end_all(user_id, "over")
    engine().tick()
    hear(told, base, newest + LATER_S, said)
    said["recording"] = kept(user_id)
    return said


def arriving(bodies: list[bytes], mischief: random.Random | None) -> Iterator[bytes]:
    """Yield messages as they come in."""
    if mischief is None:
        yield from bodies
        return
    order = list(range(len(bodies)))
    for i in range(0, len(order) - 1, 3):
        order[i], order[i + 1] = order[i + 1], order[i]
    for i in order:
        yield from [bodies[i]] * mischief.choice((1, 1, 2))


def hear(told: list[hub.Event], base: float, newest: float, said: dict[str, dict[float, str]]) -> float:
    """Take in what the page was told; return up to where it was told of windows."""
    for event in told:
        for window in event.data.get("windows", ()) if event.kind == "window" else ():
            start, answer = window["start_s"] - base, window["answer"]
            said["first"].setdefault(start, answer)
            said["at the end"][start] = answer
            newest = max(newest, window["end_s"] - base)
    told.clear()
    if (model := engine().model) is None:  # nothing of it has come in order yet
        return newest
    window_s = model.recogniser.classifier.window_length_s
    for start, answer in said["at the end"].items():
        if newest >= start + window_s + LATER_S:
            said["after 6 s"].setdefault(start, answer)
    return newest


def kept(user_id: int) -> dict[float, str]:
    """Return what is shown of the recording that a person's session became."""
    until = time.monotonic() + 60
    while True:
        db.session.expire_all()
        [row] = sessions.ended(user_id)
        if row.recording_id is not None:
            return shown(recordings.get_prediction(recordings.get(user_id, row.recording_id)))
        assert time.monotonic() < until, row.facts
        time.sleep(0.1)


def related(one: str, other: str) -> bool:
    """Tell whether one answer is merely deeper than another."""
    if ANYTHING in (one, other):
        return True
    if one in NO_ANSWER or other in NO_ANSWER or not other:
        return one == other
    return one in path_of(other) or other in path_of(one)


# --- cost


def walker(subject: int) -> Recording:
    kinds = ["Rest", "Walk", "Rest", "Walk", "Run"] * 2
    parts = [synthetic.signal(a, subject, 30.0, 100.0, seed=i, gravity="included")[1] for i, a in enumerate(kinds)]
    values = np.concatenate(parts).astype(np.float32)
    clock = np.arange(len(values)) / 100
    streams = Stream("accelerometer", clock, values[:, :3]), Stream("gyroscope", clock, values[:, 3:])
    return Recording(f"{subject}", f"{subject}", streams, "included")


def batches(recording: Recording) -> Iterator[Batch]:
    """Yield a recording of acceleration and rotation on one clock, second by second."""
    names = {"accelerometer": "acceleration", "gyroscope": "rotation"}
    for second in range(int(recording.streams[0].time_s[-1]) + 1):
        sensors = {}
        for stream in recording.streams:
            a, b = np.searchsorted(stream.time_s, [second, second + 1])
            sensors[names[stream.modality]] = Samples(stream.time_s[a:b] + T0, stream.values[a:b])
        yield Batch(second, "s", sensors)


def cost() -> dict[str, float]:
    model = load_model(ROOT / "reference_models" / "reference-everyday")
    person = walker(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "five.csv"
        table = np.column_stack([person.streams[0].time_s, *(stream.values for stream in person.streams)])
        head = "time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z"
        np.savetxt(path, table, "%.6f", ",", header=head, comments="")
        took = []
        for _ in range(4):
            begin = time.process_time()
            found = recognise(path, path.name, always(Model("m", lambda: model)))
            took.append(time.process_time() - begin)
    of_upload = min(took) / len(found.result.start_s)
    sent = [list(batches(walker(subject)))[: SECONDS + 10] for subject in range(10)]
    live = LiveRecogniser(model)
    tracks = [live.open() for _ in range(SESSIONS)]
    ticks, windows = [], set()
    for second in range(SECONDS + 10):
        begin = time.process_time()
        answers = live.step([(track, [sent[i % 10][second]]) for i, track in enumerate(tracks)])
        if second >= 10:  # the filters are made once
            ticks.append(time.process_time() - begin)
            windows |= {(i, w.start_s) for i, own in enumerate(answers) for w in own if w.end_s - T0 > second - 1}
    of_stream = sum(ticks) / len(windows)
    return {
        "sessions": SESSIONS,
        "recognise_ms_a_window": round(1000 * of_upload, 3),
        "live_ms_a_window": round(1000 * of_stream, 3),
        "ratio": round(of_stream / of_upload, 2),
        "cores_for_150_sessions": round(150 / SESSIONS * sum(ticks) / len(ticks), 3),
    }


if __name__ == "__main__":
    main()
