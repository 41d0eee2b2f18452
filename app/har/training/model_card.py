"""What a person should know before relying on a trained model, as Markdown; every figure comes from its test part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from app.har.classifiers.base import WindowFormat

CARD = "model_card.md"
GRAVITY = {
    "included": "Acceleration includes gravity; a recording without is refused, unless the phone recorded gravity too.",
    "removed": "Gravity was removed from the acceleration; from a recording that includes it, it is taken off.",
}
PROTOCOL = {
    "subject": "of people the model was not trained on",
    "random": "drawn at random, so of the very people the model was trained on: expect less for anyone else",
}


def model_card(title: str, windows: WindowFormat, result: Mapping[str, Any]) -> str:
    """Write the card.

    Parameters
    ----------
    title : the model's or data set's name.
    windows : what the model was trained on.
    result : ``metrics`` (as `Metrics.as_dict`), ``split``, ``data`` and ``config`` of the training; ``kept``, where
        rows of people are kept with the model: ``people``, ``rows`` and ``bytes``; ``transfer``, where it was built on
        a stored model.
    """
    metrics, split, config, data = (result[key] for key in ("metrics", "split", "config", "data"))
    protocol = split["protocol"]
    sections = [
        f"# {title}",
        "Recognises the activity in each window of a recording of worn motion sensors (ELM-GRU-AM).",
        "## Meant for",
        f"Research on the activities named below, recorded with {', '.join(windows.channels)}, sensors worn as in "
        "the data it was trained on. Not a medical device: no diagnosis, no alarm and no decision about a person may "
        "rest on it alone.",
        "## Trained on",
        _bullets(
            [
                *_data_sets(data),
                f"{split['train_windows']:,} windows of {split['train_subjects']} people, seed {split['seed']}",
                f"Windows of {windows.window_length_s:g} s, overlap {config['overlap']:g}, at "
                f"{windows.sampling_rate_hz:g} Hz (other rates are resampled)",
                GRAVITY[windows.gravity],
                *_options(config),
                *_without_labels(result.get("unlabelled")),
            ]
        ),
        "## How well it does",
        f"Measured once, on {split['test_windows']:,} windows {PROTOCOL[protocol]}"
        + (f" ({split['test_subjects']} people)." if protocol == "subject" else "."),
        *figures(metrics),
        *_built_on(result.get("transfer")),
        *_kept(result.get("kept"), result.get("too_many_to_keep")),
        "## Limits",
        _bullets(
            [
                f"It knows {len(windows.activities)} activities, and may take any other for one of them.",
                "A sensor whose signal is unlike everything in training is left out; where all are, the window is "
                "marked unfamiliar. Another placement or a turned sensor is not always noticed.",
                "Nothing is known of how it does by age, sex or illness. Test it on your own people before you rely "
                "on it.",
            ]
        ),
    ]  # fmt: skip
    return "\n\n".join(sections) + "\n"


def figures(metrics: Mapping[str, Any]) -> list[str]:
    """Return how well a model does, as paragraphs, by `Metrics.as_dict`."""
    scores = [f"{name}: {_interval(metrics[key])}" for name, key in (("Accuracy", "accuracy"), ("Macro F1", "f1"))]
    calibration = f"Expected calibration error: {metrics['calibration_error']:.3f}"
    return [_bullets([*scores, calibration]), _per_activity(metrics), *_by_people(metrics["per_subject"])]


EVERYDAY_LIMITS = (
    "Without a walk of the same wearing there is no reference: postures stay *still*, and a short recording of one "
    "kind of walking stays *on foot*. Half a minute of walking at the start changes that.",
    "Sitting and lying are one to a phone in a trouser pocket, and all postures are to a watch, a hand or a bag.",
    "Stairs up and down need gravity, which *linear acceleration* lacks.",
    "Nothing is known of how it does by age, sex or illness. Test it on your own people before you rely on it.",
)


def everyday_card(title: str, trained: Iterable[str], measured: Iterable[str], besides: Sequence[str] = ()) -> str:
    """Write the card of an everyday model.

    Parameters
    ----------
    title : its heading.
    trained : what it was trained on, a line each; see `trained_on`.
    measured : how well it does, as paragraphs; see `everyday_figures`.
    besides : other movements that it learnt to call unfamiliar.
    """
    learnt = (
        f"Of other movements it learnt {' and '.join(besides).lower()}, to call them *unfamiliar* where it is sure; "
        "others"
        if besides
        else "Cycling, jumping and other movement were not learnt; they"
    )
    sections = [
        f"# {title}",
        "Recognises standing, sitting, lying, walking, stairs up and down, running, and a device that nobody wears, in "
        "windows of 3 s of any subset of accelerometer, gyroscope and gravity of one device, at 20 Hz and more. An "
        "answer is as deep as it is sure: *on foot* where walking and stairs cannot be told apart, *still* where the "
        "posture cannot.",
        "## Meant for",
        "People whose device, placement and way of moving no training set contained. Not a medical device: no "
        "diagnosis, no alarm and no decision about a person may rest on it alone.",
        "## Trained on",
        _bullets(trained),
        "## How well it does",
        *measured,
        "## Limits",
        _bullets([f"{learnt} are often called *on foot* or *running*.", *EVERYDAY_LIMITS]),
    ]
    return "\n\n".join(sections) + "\n"


def trained_on(result: Mapping[str, Any]) -> list[str]:
    """Return what an everyday model was trained on, a line each, by ``data`` and ``split`` of its training."""
    split, data = result["split"], result["data"]
    places = [f"{one['dataset']}: worn {one['place']}" for one in data.get("datasets", [data]) if one.get("place")]
    windows = f"{split['train_windows']:,} windows of {split['train_subjects']} people, seed {split['seed']}"
    return [*_data_sets(data), *places, f"{windows}; data sets count evenly, and activities within them"]


def everyday_figures(result: Mapping[str, Any], limit: float) -> list[str]:
    """Return how well an everyday model does, as paragraphs, by ``metrics`` and ``split`` of its training."""
    split, metrics = result["split"], result["metrics"]
    by_set = split["protocol"] == "dataset"
    measured = (
        "Each data set was left out of training and of calibration, and recognised by what the others taught."
        if by_set
        else f"Measured once, on {split['test_windows']:,} windows {PROTOCOL[split['protocol']]}."
    )
    header = ("Left out" if by_set else "Tested", "Windows", "Answers that are true", "One activity", "A group")
    rows = [
        (one["dataset"] or "all", f"{one['windows']:,}", *(_share(one[key]) for key in ("true", "activity", "group")))
        for one in metrics["answers"]
    ]
    return [
        f"{measured} An answer is true where it is the activity, or a group that holds it. It must be at least "
        f"{limit:.0%} probable.".replace("%", " %"),
        _table(header, rows),
        "The likeliest activity, however probable: accuracy " + _interval(metrics["accuracy"]) + ", macro F1 "
        + _interval(metrics["f1"]) + ". Where nothing tells sitting from standing, that is a guess.",
        _per_activity(metrics),
    ]  # fmt: skip


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _per_activity(metrics: Mapping[str, Any]) -> str:
    return _table(
        ("Activity", "Precision", "Recall", "F1", "Windows"),
        [
            (a["activity"], f"{a['precision']:.3f}", f"{a['recall']:.3f}", f"{a['f1']:.3f}", f"{a['support']:,}")
            for a in metrics["per_activity"]
        ],
    )


def _data_sets(data: Mapping[str, Any]) -> Iterator[str]:
    for one in data.get("datasets", [data]):
        device = f", of it the {one['device']}" if one.get("device") else ""
        yield f"Data set {one.get('dataset', 'unknown')}{device}, fingerprint `{one.get('fingerprint', 'unknown')}`"
    if "datasets" in data:
        yield "Of each activity, data sets count evenly, and the people of each; names are those of the vocabulary"
        yield from data.get("notes", [])


def _options(config: Mapping[str, Any]) -> Iterator[str]:
    if config.get("separate_gravity"):
        yield "Gravity was separated by a low-pass at 0.3 Hz"
    if noise := config.get("low_pass_hz"):
        yield f"Low-pass filter at {noise} Hz"
    if people := config.get("leave_out"):  # all users read the card, and the run says who they are
        yield f"{len(people)} {'person' if len(people) == 1 else 'people'} left out, neither trained on nor tested on"
    if config.get("rotation_augmentation"):
        yield "Half of the windows a second time, as from a device that is turned"


def _without_labels(unlabelled: Mapping[str, Any] | None) -> Iterator[str]:
    """Say how much was learnt from without labels; the model is of the one test part that there is."""
    for gain in unlabelled["parts"] if unlabelled else ():
        name = unlabelled.get("dataset", "the data") if unlabelled else ""
        if gain["used"]:
            yield (
                f"{gain['given']:,} of {gain['unlabelled']:,} windows without labels of {name}, as what "
                "heads were sure of "
                f"(macro F1 of heads on labelled people left out: {gain['f1_with']:.3f} with them, "
                f"{gain['f1_without']:.3f} without)"
            )
        else:
            yield f"Nothing of what {name} has without labels: it would not have helped"


def _built_on(transfer: Mapping[str, Any] | None) -> list[str]:
    """Say which model this one was built on, what was kept of it, and what that is worth."""
    if not transfer:
        return []
    seen = ", ".join(dict.fromkeys(one["dataset"] for one in transfer["seen"]))
    alike = [name if name == own else f"{name} ({own})" for name, own in transfer["alike"].items()]
    lines = [
        f"Model {transfer['base']}, manifest `{transfer['digest']}`; it and what it was built on have seen {seen}",
        f"Kept: {'; '.join(transfer['kept'])}",
        f"Solved anew: the head{'' if transfer['fine_tuned'] else ' and the last layer of the network'}, how both are "
        "combined, how confident an answer may be, and what counts as unfamiliar",
        f"Known to the base: {', '.join(alike) or 'no activity'}",
        f"New: {', '.join(transfer['new']) or 'no activity'}",
        "The base has not seen the data tested here. Whether it knows one of these people from a data set of another "
        "name cannot be told",
    ]
    return ["## Built on", _bullets(lines), *_curve(transfer.get("curve"))]


def _curve(points: Sequence[Mapping[str, Any]] | None) -> list[str]:
    if not points:
        return []
    rows = [(str(one["windows"] or "all"), f"{one['base']:.3f}", f"{one['scratch']:.3f}") for one in points]
    header = ("Windows of each activity", "On the base", "From scratch")
    return ["Macro F1 of the head alone, on the same test windows:", _table(header, rows)]


def _kept(kept: Mapping[str, int] | None, too_many: Mapping[str, int] | None) -> list[str]:
    """Say what of the people is in the files of the model beside what recognises."""
    if too_many:
        return [
            "## Nothing kept of the people",
            "What the head was solved from was to be kept, so that the model can forget a person, and it is too much: "
            f"{too_many['rows']:,} windows and copies of windows, where at most {too_many['most']:,} are kept (25 MB). "
            "This model can forget nobody; it can be trained again without a person, or with longer windows.",
        ]
    if not kept:
        return []
    return [
        "## Kept of the people",
        f"What the head was solved from is kept with the model, so that it can forget a person: the features of "
        f"{kept['rows']:,} windows and of copies of windows, and their activities, by {kept['people']} people "
        f"({kept['bytes'] / 1e6:.1f} MB). No signal can be read from it directly, but it is data of these people; "
        "whoever is given the folder of the model is given it, too.",
    ]


def _by_people(per_subject: Sequence[Mapping[str, Any]]) -> list[str]:
    """Show how far people differ: the figures of a fifth of them at a time, where there are enough."""
    if len(per_subject) < 2:
        return []
    groups = np.array_split(np.argsort([one["accuracy"] for one in per_subject]), min(5, len(per_subject)))
    rows = []
    for number, group in enumerate(groups):
        members = [per_subject[i] for i in group]
        weights = [one["windows"] for one in members]
        accuracy = np.average([one["accuracy"] for one in members], weights=weights)
        name = "worst recognised" if number == 0 else "best recognised" if number == len(groups) - 1 else ""
        rows.append((name, str(len(members)), f"{accuracy:.3f}", f"{sum(weights):,}"))
    return ["People differ:", _table(("Group", "People", "Accuracy", "Windows"), rows)]


def _interval(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.3f} (95 % interval {figure['low']:.3f} to {figure['high']:.3f})"


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with names left and numbers right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in (header, rule, *rows))
