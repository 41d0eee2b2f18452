"""What the reference models say of recordings they should not trust; JSON on stdout.

The test people's windows are spoilt in ways that happen. Of each: the share of windows in which the spoilt sensor is
left out, the share called unfamiliar (no sensor is like the training), the share in which gravity points to where it
never did in training, and the accuracy of the answers given. A page tells of what befalls a tenth of the windows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.types import FloatArray
from app.har.windows import WindowSet
from benchmarks.reference_models import with_unseen_people

G = 9.80665
HARMS: dict[str, Callable[[FloatArray], FloatArray]] = {  # of one sensor's channels, (n, n_timesteps, 3)
    "as recorded": lambda X: X,
    "acceleration in g": lambda X: X / G,
    "acceleration in mg": lambda X: X * 1000 / G,
    "gravity added": lambda X: X + np.array([0, 0, G], np.float32),
    "gravity taken away": lambda X: X - X.mean(axis=1, keepdims=True),
    "turned by half about x": lambda X: X * np.array([1, -1, -1], np.float32),
    "turned by half about y": lambda X: X * np.array([-1, 1, -1], np.float32),
    "turned by half about z": lambda X: X * np.array([-1, -1, 1], np.float32),
    "turned by a quarter about x": lambda X: X[:, :, [0, 2, 1]] * np.array([1, -1, 1], np.float32),
    "turned by a quarter about z": lambda X: X[:, :, [1, 0, 2]] * np.array([1, -1, 1], np.float32),
    "constant": lambda X: np.zeros_like(X) + X[:1, :1],
}


def figures(model: ActivityClassifier, windows: WindowSet, sensor: int, harm: str) -> dict[str, float]:
    """Spoil one sensor's channels, and where the whole device turns, those of all sensors."""
    stems = [channel.rpartition("_")[0] for channel in windows.channels]
    spoilt = {model.sensors[sensor]}
    if "turned" in harm:
        device = model.sensors[sensor].rpartition(".")[0]
        spoilt = {name for name in model.sensors if name.rpartition(".")[0] == device}
    X = windows.X.copy()
    for stem in spoilt:
        own = [i for i, name in enumerate(stems) if name == stem]
        X[:, :, own] = HARMS[harm](X[:, :, own])
    found = model.recognise(replace(windows, X=X))
    return {
        "left_out": round(float((found.novelty[:, sensor] > 1).mean()), 3),
        "unfamiliar": round(float(found.unfamiliar.mean()), 3),
        "turned": round(float(found.unseen_orientation[:, sensor].mean()), 3),
        "accuracy": round(float((found.probabilities.argmax(axis=1) == windows.y).mean()), 3),
    }


def main() -> None:
    """Print the figures."""
    result: dict[str, object] = {}
    for name, model, windows in with_unseen_people():
        gravity = "gravity added" if windows.gravity == "included" else "gravity taken away"
        sensor = next(i for i, own in enumerate(model.sensors) if own.endswith("acc"))
        result[name] = {harm: figures(model, windows, sensor, harm) for harm in HARMS if harm != gravity}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
