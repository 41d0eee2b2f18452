"""Whether a stream is answered as the same recording uploaded, and what that costs; JSON on stdout.

python -m benchmarks.bench_live_answers; needs the recordings in HAR_DATA_DIR. Each recording is streamed in batches of
a second to the reference model of everyday activities. It has learnt from these data sets, HAPT excepted: what is
compared is what one model says in two ways, not answers with the truth. Files that hold one activity are put one after
the other, a person's recordings being one. ``first`` is the answer when a window is full, ``settled`` that 6 s later,
``revised`` the last one said of it, at the end of the session; of each the share of windows with the *same* answer as
the upload, with a *shallower or deeper* one on the same branch, and with a *different* one.

Of the cost, ``ratio`` is the processor's time of a window of the stream (they overlap by two thirds) over that of a
window of `recognise` on a file of 5 minutes, in one process, one after the other.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import zipfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from app.har.classifiers.everyday.answer import TREE
from app.har.classifiers.everyday.classifier import EverydayClassifier
from app.har.classifiers.stored_models import load_model
from app.har.live.batches import Batch, Samples
from app.har.live.recogniser import LiveRecogniser, LiveWindow
from app.har.progress import ignore_event
from app.har.recordings.upload import read_upload
from app.har.signals.types import Recording, Stream
from app.har.vocabulary import path_of
from app.services.recordings.recognise import Model, _recognised, always, recognise
from tests import synthetic

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("HAR_DATA_DIR", ROOT.parent / "shared" / "data"))
SESSIONS, SECONDS = 50, 40  # of the cost
T0 = 1.7e9
NAMES = {
    "accelerometer": "acceleration",
    "linear_accelerometer": "movement",
    "gravity": "gravity",
    "gyroscope": "rotation",
}
ORDER = ["wlk", "std", "ups", "sit", "dws", "jog"]
LIVE = ("first", "settled", "revised")
WAYS = ("same", "same branch", "different", "not said")


def main() -> None:
    model = load_model(ROOT / "reference_models" / "reference-everyday")
    assert isinstance(model, EverydayClassifier)
    figures: dict[str, Any] = {"cost": cost(model), **{kind: {} for kind in LIVE}}
    for name, recordings in sets().items():
        rows = [compared(model, recording) for recording in recordings]
        total = sum(row["windows"] for row in rows)
        for kind in LIVE:
            shares = {way: round(sum(row[kind][way] for row in rows) / total, 4) for way in WAYS}
            figures[kind][name] = {"windows": total} | shares
        print(name, figures["revised"][name], file=sys.stderr)
    json.dump(figures, sys.stdout, indent=1)


def sets() -> dict[str, list[Recording]]:
    return {
        "MotionSense": [motion_sense(person) for person in (1, 7)],
        "HAPT": [of_files("hapt/HAPT Data Set.zip", f"exp{number:02d}_")[0] for number in (1, 5)],
        "KU-HAR": [joined(of_files("ku-har/1.Raw_time_domian_data.zip", f"/{person}_")) for person in (1016, 1050)],
        "SP-SW-HAR phone": [joined(of_files("sp-sw-har/sp-sw-har.zip", "/s01_", "_sp.csv"))],
        "SP-SW-HAR watch": [joined(of_files("sp-sw-har/sp-sw-har.zip", "/s02_", "_sw.csv"))],
        "WISDM watch": [wisdm(person) for person in (1610, 1625)],
    }


def of_files(archive: str, *parts: str) -> list[Recording]:
    """Read those members of an archive whose names hold all of some parts, as uploads."""
    with zipfile.ZipFile(DATA / archive) as source, tempfile.TemporaryDirectory() as folder:
        names = sorted(name for name in source.namelist() if all(part in name for part in parts))
        groups = [names] if "hapt" in archive or "motion" in archive else [[name] for name in names]
        found = []
        for group in groups:
            path = Path(folder) / "upload.zip"
            with zipfile.ZipFile(path, "w") as target:
                for name in group:
                    target.writestr(name, source.read(name))
            found += read_upload(path, "upload.zip")
    return found


def motion_sense(person: int) -> Recording:
    trials = of_files("motion-sense/motion-sense.zip", f"/sub_{person}.csv")
    return joined(sorted(trials, key=lambda own: [own.recording_id.find(word) < 0 for word in ORDER]))


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


def joined(recordings: list[Recording]) -> Recording:
    """Put recordings one after the other without a pause."""
    parts: dict[str, list[tuple[Any, Any]]] = {}
    offset = 0.0
    for own in recordings:
        first, last = (pick(s.time_s[i] for s in own.streams) for pick, i in ((min, 0), (max, -1)))
        for stream in own.streams:
            parts.setdefault(stream.modality, []).append((stream.time_s - first + offset, stream.values))
        offset += last - first + 0.02
    streams = [Stream(name, *map(np.concatenate, zip(*own, strict=True))) for name, own in parts.items()]
    return Recording("joined", recordings[0].subject, tuple(streams), recordings[0].gravity)


def batches(recording: Recording) -> Iterator[Batch]:
    first = min(stream.time_s[0] for stream in recording.streams)
    last = max(stream.time_s[-1] for stream in recording.streams)
    for second in range(int(last - first) + 1):
        sensors = {}
        for stream in recording.streams:
            if stream.kind not in NAMES:
                continue
            free = stream.kind == "accelerometer" and recording.gravity == "removed"
            a, b = np.searchsorted(stream.time_s, [first + second, first + second + 1])
            if b > a:
                name = "movement" if free else NAMES[stream.kind]
                sensors[name] = Samples(stream.time_s[a:b] + T0, stream.values[a:b])
        yield Batch(second, "s", sensors)


def compared(model: EverydayClassifier, recording: Recording) -> dict[str, Any]:
    live = LiveRecogniser(model)
    track = live.open()
    said: dict[str, dict[float, LiveWindow]] = {kind: {} for kind in LIVE}
    answers = [window for batch in batches(recording) for window in live.step([(track, [batch])])[0]]
    for window in [*answers, *live.finish(track)]:
        if window.on_grid:
            start = window.start_s - T0
            said["first"].setdefault(start, window)
            said["revised"][start] = window
            if window.settled:
                said["settled"].setdefault(start, window)
    result = _recognised(deque([recording]), "x", Model("m", lambda: model), ignore_event, "", None)[0].result
    uploaded = TREE.answers(result.proba, model.answer_limit_)
    row: dict[str, Any] = {"windows": len(uploaded)}
    for kind, windows in said.items():
        starts = np.array(sorted(windows))
        counts = dict.fromkeys(WAYS, 0)
        for start, node in zip(result.start_s, uploaded, strict=True):
            nearest = starts[np.abs(starts - start).argmin()]
            if abs(nearest - start) > 0.01:
                counts["not said"] += 1
                continue
            own = TREE.answers(windows[nearest].probabilities[None], model.answer_limit_)[0]
            a, b = TREE.nodes[own], TREE.nodes[node]
            related = a in path_of(b) or b in path_of(a)
            counts["same" if own == node else "same branch" if related else "different"] += 1
        row[kind] = counts
    return row


def walker(subject: int) -> Recording:
    kinds = ["Rest", "Walk", "Rest", "Walk", "Run"] * 2
    parts = [synthetic.signal(a, subject, 30.0, 100.0, seed=i, gravity="included")[1] for i, a in enumerate(kinds)]
    values = np.concatenate(parts).astype(np.float32)
    clock = np.arange(len(values)) / 100
    streams = Stream("accelerometer", clock, values[:, :3]), Stream("gyroscope", clock, values[:, 3:])
    return Recording(f"{subject}", f"{subject}", streams, "included")


def cost(model: EverydayClassifier) -> dict[str, float]:
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
