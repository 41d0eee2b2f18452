"""How far to trust what is recognised in a hole of one sensor; JSON on stdout.

The test people's windows of each reference model lose one sensor at a time. Of each: the share of windows recognised as
with all sensors, the accuracy, the mean confidence, and the accuracy of the activity that suffers most.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.elm_gru_am.features import channels_by_sensor
from app.har.types import FloatArray
from app.har.windows import WindowSet
from benchmarks.reference_models import with_unseen_people


def figures(windows: WindowSet, proba: FloatArray, complete: NDArray[np.int64]) -> dict[str, float | str]:
    """Compare answers with the truth and with those of all sensors."""
    found = proba.argmax(axis=1)
    right = found == windows.y
    of_activity = {name: right[windows.y == i].mean() for i, name in enumerate(windows.activities) if i in windows.y}
    worst = min(of_activity, key=lambda name: of_activity[name])
    return {
        "as_with_all": round(float((found == complete).mean()), 3),
        "accuracy": round(float(right.mean()), 3),
        "confidence": round(float(proba.max(axis=1).mean()), 3),
        "worst": worst,
        "its_accuracy": round(float(of_activity[worst]), 3),
    }


def main() -> None:
    """Print the figures."""
    result: dict[str, object] = {}
    for name, model, windows in with_unseen_people():
        if windows.activities != model.activities:
            raise SystemExit(f"{name}: the data have the activities {windows.activities}, expected {model.activities}")
        proba = model.predict_proba(windows)
        complete = proba.argmax(axis=1)
        own: dict[str, object] = {"windows": len(windows), "none missing": figures(windows, proba, complete)}
        for sensor, channels in channels_by_sensor(windows.channels).items():
            X = windows.X.copy()
            X[:, :, channels] = np.nan
            own[f"without {sensor}"] = figures(windows, model.predict_proba(replace(windows, X=X)), complete)
        result[name] = own
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
