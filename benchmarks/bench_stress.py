"""Whether heart, skin and movement of a wrist show stress in people never met; JSON on stdout.

Stress-Predict (Iqbal et al., Sensors 22 (2022); MIT): 34 people wore an Empatica E4 through a Stroop test, an interview
and a hyperventilation, with rests between; ``git clone https://github.com/italha-d/Stress-Predict-Dataset``, the
folder is the first argument. Each second is labelled stress or not, by the time of the tasks.

A window is 60 s, one every 30 s, of one label throughout. The features are plain: level, spread and trend of heart
rate, skin conductance and temperature, conductance responses, variation of the beats, and how much the wrist moves.
Each is less the person's own median of the whole hour, by its own spread (``as measured``: without that). One person is
left out at a time. The area under the curve is that within each person, averaged; intervals are over people, by
bootstrap.

``time alone`` is told nothing but the minutes since the start: the tasks came in one order, so what it reaches is no
stress, and a sensor that drifts through the hour can reach it, too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW_S, EVERY_S, SEED, RESAMPLED = 60, 30, 0, 2000
RESPONSE_US, BEATS = 0.02, 20
CHANNELS: Mapping[str, tuple[str, ...]] = {
    "heart rate": ("pulse", "pulse spread", "pulse trend"),
    "beats": ("beats rmssd", "beats sd"),
    "skin conductance": ("conductance", "conductance spread", "conductance trend", "responses"),
    "skin temperature": ("temperature", "temperature trend"),
    "movement": ("movement", "jerk"),
}
FEATURES = tuple(name for names in CHANNELS.values() for name in names)
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Person:
    """The windows of one person."""

    X: Numbers  # (n, n_features), as measured; NaN where a sensor had nothing
    stress: NDArray[np.bool_]
    minute: Numbers  # since the start


def person(folder: Path, labels: Numbers) -> Person:
    """Read a person's files; ``labels`` are Unix seconds and 0 or 1."""
    sensors = {name: _sensor(folder / f"{name}.csv") for name in ("HR", "EDA", "TEMP", "ACC")}
    beats = np.loadtxt(folder / "IBI.csv", delimiter=",", skiprows=1, ndmin=2)
    beat_s = float((folder / "IBI.csv").read_text().split(",")[0]) + (beats[:, 0] if len(beats) else np.zeros(0))
    rows, stress, minute = [], [], []
    for start in range(0, len(labels) - WINDOW_S, EVERY_S):
        part = labels[start : start + WINDOW_S]
        if part[0, 1] != part[-1, 1] or part[-1, 0] - part[0, 0] > WINDOW_S:
            continue
        first, last = part[0, 0], part[0, 0] + WINDOW_S
        own = beats[(beat_s >= first) & (beat_s < last), 1] if len(beats) else np.zeros(0)
        rows.append(_features({name: _between(sensor, first, last) for name, sensor in sensors.items()}, own))
        stress.append(bool(part[0, 1]))
        minute.append(start / 60)
    return Person(np.array(rows), np.array(stress), np.array(minute))


def _sensor(path: Path) -> tuple[float, float, Numbers]:
    """Return start, rate and values of an E4's file."""
    values = np.loadtxt(path, delimiter=",", ndmin=2)
    return float(values[0, 0]), float(values[1, 0]), values[2:]


def _between(sensor: tuple[float, float, Numbers], first: float, last: float) -> Numbers:
    start, rate, values = sensor
    return values[max(round((first - start) * rate), 0) : max(round((last - start) * rate), 0)]


def _features(of: Mapping[str, Numbers], beats: Numbers) -> list[float]:
    from scipy.signal import find_peaks

    if any(len(values) < 5 for values in of.values()):
        return [np.nan] * len(FEATURES)
    pulse, conductance, skin = (of[name][:, 0] for name in ("HR", "EDA", "TEMP"))
    enough = len(beats) >= BEATS
    movement = np.linalg.norm(of["ACC"], axis=1) / 64
    return [
        pulse.mean(), pulse.std(), _trend(pulse),
        float(np.sqrt(np.mean(np.diff(beats) ** 2))) if enough else np.nan, beats.std() if enough else np.nan,
        np.log(conductance.mean() + 0.01), np.log(conductance.std() + 1e-3), _trend(conductance),
        len(find_peaks(conductance, prominence=RESPONSE_US)[0]),
        skin.mean(), _trend(skin),
        np.log(movement.std() + 1e-3), np.log(np.abs(np.diff(movement)).mean() + 1e-3),
    ]  # fmt: skip


def _trend(values: Numbers) -> float:
    """Return by how much values rise over a window."""
    at = np.linspace(-0.5, 0.5, len(values))
    return float(at @ (values - values.mean()) / (at @ at))


def people(folder: Path) -> Iterator[Person]:
    """Read the data set."""
    import polars as pl

    path = folder / "Processed_data" / "Improved_All_Combined_hr_rsp_binary.csv"
    table = pl.read_csv(path, columns=["Participant", "Time(sec)", "Label"]).to_numpy().astype(np.float64)
    for number in np.unique(table[:, 0]).astype(int).tolist():
        own = table[table[:, 0] == number]
        yield person(folder / "Raw_data" / f"S{number:02d}", own[:, 1:])


def less_own(X: Numbers) -> Numbers:
    """Return features less a person's own median, by their own spread."""
    low, median, high = np.nanpercentile(X, (25, 50, 75), axis=0)
    spread = np.where(high > low, high - low, 1.0)
    return np.asarray((X - median) / spread, np.float64)


def left_out(data: Sequence[tuple[Numbers, NDArray[np.bool_]]], forest: bool = False) -> tuple[Numbers, Numbers]:
    """Return the area under the curve and the macro F1 of each person, by a model of all others."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score, roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    areas, f1 = [], []
    for i, (X, y) in enumerate(data):
        trained = RandomForestClassifier(100, min_samples_leaf=10, class_weight="balanced", random_state=SEED)
        model = make_pipeline(
            SimpleImputer(keep_empty_features=True),
            StandardScaler(),
            trained if forest else LogisticRegression(class_weight="balanced", max_iter=500),
        )
        others = [own for j, own in enumerate(data) if j != i]
        model.fit(np.concatenate([own for own, _ in others]), np.concatenate([own for _, own in others]))
        probability = model.predict_proba(X)[:, 1]
        areas.append(roc_auc_score(y, probability))
        f1.append(f1_score(y, probability >= 0.5, average="macro"))
    return np.array(areas), np.array(f1)


def interval(of_people: Numbers) -> str:
    """Return a mean over people with its 95 % interval."""
    rng = np.random.default_rng(SEED)
    means = of_people[rng.integers(0, len(of_people), (RESAMPLED, len(of_people)))].mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return f"{of_people.mean():.3f} ({low:.3f} to {high:.3f})"


def measure(folder: Path) -> dict[str, Any]:
    """Return the figures."""
    everybody = list(people(folder))
    own = [less_own(each.X) for each in everybody]

    def of(names: Sequence[str], X: Sequence[Numbers] = own) -> list[tuple[Numbers, NDArray[np.bool_]]]:
        places = [FEATURES.index(name) for name in names]
        return [(x[:, places], each.stress) for x, each in zip(X, everybody, strict=True)]

    rows: dict[str, Any] = {}
    areas, f1 = left_out(of(FEATURES))
    rows["all"] = {"area": interval(areas), "macro F1": interval(f1), "less without it": None}
    for channel, names in CHANNELS.items():
        alone, alone_f1 = left_out(of(names))
        without, _ = left_out(of([name for name in FEATURES if name not in names]))
        rows[f"{channel} alone"] = {
            "area": interval(alone), "macro F1": interval(alone_f1), "less without it": interval(areas - without),
        }  # fmt: skip
    others = {
        "all, by a forest": left_out(of(FEATURES), forest=True),
        "all, as measured": left_out(of(FEATURES, [each.X for each in everybody])),
        "time alone, by a forest": left_out([(each.minute[:, None], each.stress) for each in everybody], forest=True),
    }
    rows |= {
        name: {"area": interval(area), "macro F1": interval(f1), "less without it": None}
        for name, (area, f1) in others.items()
    }
    windows = sum(len(each.stress) for each in everybody)
    share = np.concatenate([each.stress for each in everybody]).mean()
    return {
        "people": len(everybody), "windows": windows, "share of stress": float(share),
        "one person left out at a time": rows,
    }  # fmt: skip


if __name__ == "__main__":
    json.dump(measure(Path(sys.argv[1])), sys.stdout, indent=2)
