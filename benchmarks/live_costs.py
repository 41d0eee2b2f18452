"""What a window costs the processor: of streams, of a long file, and of a file that holds nothing else."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from app.har.classifiers.everyday.classifier import EverydayClassifier
from app.har.classifiers.stored_models import load_model
from app.har.live.batches import Batch, Samples
from app.har.live.recogniser import LiveRecogniser, LiveTrack
from app.services.live.simulated import Person
from app.services.recordings.recognise import Model, always, recognise

ROOT = Path(__file__).resolve().parent.parent
SESSIONS, SECONDS, TICKS = 75, 60, 5  # a second; the engine looks at what has come so often
WARM_S = 20
ALONE = 40  # files of one window
ROUNDS = 2  # of which the quickest counts
T0 = 1.7e9

Second = tuple[NDArray[np.float64], NDArray[np.float32]]


def costs() -> dict[str, float]:
    """Return milliseconds of the processor, all measured by turns in this process with one thread of BLAS."""
    model = load_model(ROOT / "reference_models" / "reference-everyday")
    assert isinstance(model, EverydayClassifier)
    threadpool_limits(1)  # as the server does
    people = [[Person(seed).second(float(s)) for s in range(SECONDS)] for seed in range(SESSIONS)]
    known = always(Model("everyday", lambda: model))
    with tempfile.TemporaryDirectory() as folder:
        long, short = Path(folder) / "long.csv", Path(folder) / "short.csv"
        write(long, people[0])
        write(short, people[0][:3])
        n_windows = len(recognise(long, long.name, known).result.start_s)
        assert len(recognise(short, short.name, known).result.start_s) == 1
        rounds = []
        for _ in range(ROUNDS):
            of_phones, n = streamed(model, people)
            of_file = spent(lambda: recognise(long, long.name, known))
            of_one = spent(lambda: [recognise(short, short.name, known) for _ in range(ALONE)]) / ALONE
            rounds.append((of_phones, of_phones * SESSIONS * (SECONDS - WARM_S) / n, of_file / n_windows, of_one))
    phone, window, in_file, alone = np.min(rounds, axis=0).tolist()
    return {
        "sessions": SESSIONS,
        "recognition, a phone and second (ms)": round(phone, 3),
        "recognition, a window of a stream (ms)": round(window, 3),
        "recognise, a window of a file of a minute (ms)": round(in_file, 3),
        "recognise, a file of one window (ms)": round(alone, 3),
        "window of a stream against one of the long file": round(window / in_file, 2),
        "window of a stream against a file of one": round(window / alone, 3),
        "phone and second against a file of one window": round(phone / alone, 3),
    }


def streamed(model: EverydayClassifier, people: list[list[Second]]) -> tuple[float, int]:
    """Return what streams cost a phone and second once they have begun (ms), and how many windows were answered."""
    live = LiveRecogniser(model)
    tracks = [live.open() for _ in people]
    took, starts = 0.0, set[tuple[int, float]]()
    for second in range(SECONDS):
        for tick in range(TICKS):
            numbers = range(tick, len(people), TICKS)
            news: list[tuple[LiveTrack, list[Batch]]] = [
                (tracks[i], [batch(*people[i][second], second)]) for i in numbers
            ]
            began = time.process_time()
            found = live.step(news)
            if second >= WARM_S:
                took += time.process_time() - began
                # Of those that are said again, too, each counts once
                starts |= {
                    (i, w.start_s)
                    for i, own in zip(numbers, found, strict=True)
                    for w in own
                    if w.end_s > T0 + second - 2
                }
    return 1000 * took / len(people) / (SECONDS - WARM_S), len(starts)


def batch(times: NDArray[np.float64], values: NDArray[np.float32], second: int) -> Batch:
    moment = T0 + times
    sensors = {"acceleration": Samples(moment, values[:, :3]), "rotation": Samples(moment, values[:, 3:])}
    return Batch(second, "s", sensors)


def write(path: Path, seconds: list[Second]) -> None:
    """Write a recording as one uploads it."""
    table = np.concatenate([np.column_stack(own) for own in seconds])
    head = "time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z"
    np.savetxt(path, table, "%.6f", ",", header=head, comments="")


def spent(what: Callable[[], object]) -> float:
    """Return the milliseconds of the processor that something takes."""
    began = time.process_time()
    what()
    return 1000 * (time.process_time() - began)
