"""What each group of features adds to an answer against another: exact, because the head is a sum of nodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.elm import NODE_SCALE
from app.har.classifiers.elm_gru_am.features import frame_features, window_features
from app.har.classifiers.elm_gru_am.scaling import CLIP
from app.har.explanations.bare import bare_windows
from app.har.types import FloatArray, IntArray

SHAPE, STRENGTH, RHYTHM, AXES, LEVEL = "shape", "strength", "rhythm", "how the axes move together", "mean"
PACES = (
    (0.8, "slow movement"),
    (3.5, "movement at the pace of steps"),
    (10.0, "fast movement"),
    (np.inf, "very fast movement"),
)
SIGNED = (STRENGTH, *(name for _, name in PACES))  # of these, more or less than usual says something


@dataclass(frozen=True)
class Group:
    """Features of one sensor, or random convolutions of one device, that say one thing."""

    sensor: str  # of a shape, the prefix of the device: ""
    aspect: str
    columns: IntArray  # among the features of whole windows

    @property
    def signed(self) -> bool:
        """Whether more of it than usual can be told from less."""
        return self.aspect in SIGNED


def groups_of(model: ActivityClassifier) -> list[Group]:
    """Return the groups of features that the head of a model reads."""
    silent = bare_windows(model, np.zeros((1, model.n_timesteps, len(model.channels)), np.float32))
    _, whole = window_features(silent, relative=False)
    _, frames = frame_features(silent, *model.describer_.frames_s)
    names = whole + [name for name in frames if "relative" not in name]
    groups: list[Group] = []
    for sensor, columns in zip(model.sensors, model.window_columns_, strict=False):
        aspects = np.array([_aspect(names[column]) for column in columns.tolist()])
        groups += [Group(sensor, aspect, columns[aspects == aspect]) for aspect in dict.fromkeys(aspects.tolist())]
    devices = [model.channels[channels[0]].rpartition(".")[0] for channels in model.layout.devices]
    shapes = zip(devices, model.window_columns_[len(model.sensors) :], strict=True)
    return groups + [Group(device, SHAPE, columns) for device, columns in shapes if len(columns)]


def _aspect(name: str) -> str:
    if "correlation" in name and "auto" not in name:
        return AXES
    if " power " in name:
        low, high = name.split(" power ")[1].removesuffix(" Hz").split("–")
        centre = (float(low) + float(high)) / 2
        return next(pace for limit, pace in PACES if centre < limit)
    if name.endswith("mean"):
        return LEVEL
    return RHYTHM if "autocorrelation" in name or name.endswith("trend") else STRENGTH


@dataclass(frozen=True)
class Contributions:
    """What made an answer likelier than another, in logarithms of how much likelier."""

    groups: FloatArray  # (n, n_groups)
    network: FloatArray  # (n,), what the network adds
    start: FloatArray  # (n,), what an average window has in the head
    levels: FloatArray  # (n, n_groups), how far a group's features lie above the training mean, in deviations

    def take(self, rows: slice) -> Contributions:
        """Return those of some windows."""
        return Contributions(self.groups[rows], self.network[rows], self.start[rows], self.levels[rows])


def contributions(
    model: ActivityClassifier,
    groups: list[Group],
    whole: FloatArray,
    missing: NDArray[np.bool_],
    p: FloatArray,
    answers: IntArray,
    others: IntArray,
) -> Contributions:
    """Divide log p(answer) - log p(other) among the groups of features, an average window and the network.

    A node of the random layer is a rectified sum of features. Along the straight way from the average window to this
    one it is active for a known part of the way, so what each feature adds on the way has a closed form (the integrated
    gradients of Sundararajan, Taly, Yan 2017, ICML, without a numerical integral). A random convolution is a node
    itself.
    Rows sum up to the whole.

    Parameters
    ----------
    whole : (n, n_features), of windows, as the model describes them.
    missing : (n, n_sensors)
    p : (n, n_activities), what the model answers.
    answers, others : (n,)
    """
    scaled = model.window_scaler_(whole, np.inf)
    present = model.listened_to(scaled, missing)
    scaled = np.clip(scaled, -CLIP, CLIP)
    blocks = model.layout.complete_blocks(present)
    weights = np.array(
        [model.combinations_.get(tuple(row), model.combinations_[(True,) * len(row)]) for row in present]
    )
    by_column, start = _along_the_way(model, scaled, blocks, answers, others)
    by_column *= weights[:, 1:]
    log_p = np.log(p + 1e-12)
    rows = np.arange(len(p))
    whole = log_p[rows, answers] - log_p[rows, others]
    start *= weights[:, 1]
    of_groups = np.stack([by_column[:, group.columns].sum(axis=1) for group in groups], axis=1)
    levels = np.stack([scaled[:, group.columns].mean(axis=1) for group in groups], axis=1)
    network = whole - of_groups.sum(axis=1) - start
    return Contributions(of_groups.astype(np.float32), network.astype(np.float32), start.astype(np.float32), levels)


def _along_the_way(
    model: ActivityClassifier, scaled: FloatArray, blocks: NDArray[np.bool_], answers: IntArray, others: IntArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what each column adds to the head's score of the answer less that of the other, and what is before."""
    elm = model.elm_
    added, start = np.zeros(scaled.shape), np.zeros(len(scaled))
    for pattern, beta in elm.betas.items():
        rows = np.flatnonzero((blocks == pattern).all(axis=1))
        if not len(rows):
            continue
        numbers = np.flatnonzero(pattern)
        parts = np.split(beta, np.cumsum([elm.sizes[number] for number in numbers])[:-1])
        for number, part in zip(numbers.tolist(), parts, strict=True):
            wanted = (part[:, answers[rows]] - part[:, others[rows]]).T  # (rows, nodes)
            if number >= len(elm.blocks):
                columns = elm.nodes[number - len(elm.blocks)]
                added[np.ix_(rows, columns)] += NODE_SCALE * scaled[np.ix_(rows, columns)] * wanted
                continue
            read_columns, (drawn, bias) = elm.blocks[number], elm.hidden_layer(scaled.shape[1])[number]
            read = scaled[rows][:, read_columns]
            step = read @ drawn  # from the average window to this one
            turning = np.divide(-bias, step, out=np.full_like(step, np.inf), where=step != 0)
            turning = np.clip(turning, 0, 1)  # the part of the way at which a node turns on, or off
            active = np.where(step > 0, 1 - turning, np.where(step < 0, turning, 0))
            active = np.where((step < 0) & (bias <= 0), 0, np.where((step > 0) & (bias >= 0), 1, active))
            added[np.ix_(rows, np.arange(scaled.shape[1])[read_columns])] += read * ((active * wanted) @ drawn.T)
            start[rows] += wanted @ np.maximum(bias, 0)
    return added, start
