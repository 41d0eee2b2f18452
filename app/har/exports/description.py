"""What a person who builds a device must know of an artefact, as plain values for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.signals.types import MODALITY_CHANNELS, MODALITY_UNITS
from app.har.vocabulary import AnswerTree

INSIDE = (
    "Everything from the samples of a window to its answer is inside the artefact: silence for missing sensors, the "
    "features of frames and of the whole window, the choice among them, scaling, random convolutions, the network, the "
    "head, and what is familiar."
)
INSIDE_SMALL = (
    "Everything from the samples of a window to its answer is inside the artefact: silence for missing sensors, the "
    "features of the whole window, scaling, what is familiar, and two layers of 8 bits. It is another model: it learnt "
    "what the model named here answers of the windows that this one learnt from, of nobody held out: the check says "
    "how far its answers are from that model's, and its F1 beside that model's."
)
OUTSIDE = (
    "Not inside: to cut windows out of the signal and to bring them to this rate. Set the sensor to the rate, or "
    "resample by interpolation after a low-pass; a window never crosses a gap. Nor are there answers smoothed over "
    "time, personal heads, and the warning that a device is turned as none was in training."
)
_UNIT = {channel: MODALITY_UNITS[kind] for kind, channels in MODALITY_CHANNELS.items() for channel in channels}


def describe(model: ActivityClassifier, label: str, limit: float, small: bool = False) -> dict[str, Any]:
    """Return what goes in, what comes out, and what lies between; ``small`` for a small model that this one taught."""
    tree = AnswerTree(model.activities)
    return {
        "model": label,
        "input": {
            "shape": [model.n_timesteps, len(model.channels)],
            "type": "float32",
            "channels": [{"name": name, "unit": _unit(name)} for name in model.channels],
            "sampling_rate_hz": model.sampling_rate_hz,
            "window_length_s": model.window_length_s,
            "gravity": model.gravity,
            "missing": "NaN in all channels of a sensor, all through the window",
            "preparation": asdict(model.preparation),
        },
        "output": {
            "activities": list(model.activities),
            "tree": [
                {"name": node, "activities": list(tree.members(node)), "depth": float(depth)}
                for node, depth in zip(tree.nodes, tree.depth, strict=True)
            ],
            "limit": limit,
            "answer": "the deepest node as probable as the limit; of nodes equally deep, the likelier; else the last",
            "sensors": list(model.sensors),
            "novelty": "of each sensor: above 1 is unlike anything seen in training; show no answer where all are",
        },
        "inside": INSIDE_SMALL if small else INSIDE,
        "outside": OUTSIDE,
    }


def _unit(channel: str) -> str:
    return _UNIT.get(channel.rpartition(".")[2], "")
