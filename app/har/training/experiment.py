"""One training run: windows, split, fit, evaluate, plots and files. The same rows and metric code for every model."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.har.classifiers.base import Classifier
from app.har.classifiers.catalogue import CATALOGUE, DEPLOYABLE_MODEL, EVERYDAY_MODEL, KEPT
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.persistence import save_model
from app.har.classifiers.everyday import persistence as everyday_files
from app.har.classifiers.everyday.classifier import EverydayClassifier
from app.har.classifiers.registry import make_classifier
from app.har.classifiers.transitions.finder import fit_finder
from app.har.errors import InsufficientData
from app.har.evaluation.scores import compare, evaluate
from app.har.evaluation.splits import fold_windows, leave_datasets_out, split_windows
from app.har.evaluation.types import Metrics, Split
from app.har.explanations import about
from app.har.explanations.questions_tested import Examined, about_questions
from app.har.progress import Event, OnEvent, Stage, ignore_event
from app.har.signals.filters import Preparation, prepare
from app.har.signals.types import SignalSet
from app.har.smoothing import bout_lengths, shortest_bout
from app.har.training import plots as figures
from app.har.training.config import TrainConfig
from app.har.training.everyday import EverydayRows, depth_and_truth, in_activities, places_of, with_everyday_labels
from app.har.training.left_out import without_people
from app.har.training.model_card import CARD, everyday_card, everyday_figures, model_card, trained_on
from app.har.training.pooled import counted, with_complete_sensors, with_even_training, with_flat_labels
from app.har.training.results import (
    LeftOut,
    ModelFigures,
    Result,
    describe_folds,
    describe_split,
    environment,
    flat_metrics,
    write_result,
)
from app.har.training.transfer import Base, learning_curve
from app.har.training.unlabelled import Gain, give_activities, of_others, without_labels
from app.har.types import FloatArray
from app.har.windows import WindowSet, make_windows


@dataclass(frozen=True)
class Outcome:
    """What came of one model on all splits."""

    classifier: Classifier  # as fitted on the last split
    probabilities: FloatArray  # (n_test, n_activities), of the test parts one after the other
    metrics: Metrics  # of them all
    folds: tuple[ModelFigures, ...]  # of each test part
    epochs: tuple[Event, ...]
    answers: tuple[dict[str, Any], ...] = ()  # of the everyday model: how deep and how true, of each test part
    gains: tuple[Gain, ...] = ()  # of what was learnt without labels, for each test part


def run_experiment(
    signals: SignalSet,
    config: TrainConfig,
    folder: Path,
    *,
    data: Mapping[str, Any],
    on_event: OnEvent = ignore_event,
    plots: bool = True,
    everyday: SignalSet | None = None,
    base: Base | None = None,
    unlabelled: SignalSet | None = None,
) -> Result:
    """Train and compare ``config.models`` on one split, or on folds, and write everything under `folder`.

    Of several data sets as one, the training windows are drawn so that data sets, and the people of each, count evenly.

    Parameters
    ----------
    signals : the data set at its uniform rate, or several as one.
    config : models, protocol, seed, epochs, window length, folds.
    folder : an existing, empty folder. Gets ``metrics.json``, ``metrics.csv``, ``predictions.npz`` (test parts only),
        ``plots/*.png|svg`` and a folder of `KEPT` for each model that is kept.
    data : name and fingerprint of the data set, or sets, written into the result and the model's manifest.
    on_event : receives progress events; default: ignored.
    plots : whether to draw them, which takes seconds; default True.
    everyday : the same data sets as the everyday model reads them (`movement_and_gravity`); for that model alone.
    base : the stored model that ELM-GRU-AM builds on, which must not know whom it is tested on. The signals are as that
        one reads them. Default None, from scratch.
    unlabelled : what ELM-GRU-AM learns from without labels where ``config.unlabelled`` asks for it, read as `signals`
        are; its labels are not looked at. Default None, the stretches of `signals` without a label.

    Returns
    -------
    Result : what metrics.json holds.

    Raises
    ------
    InsufficientData : the data set cannot be split as the configuration says.
    """
    on_event({"stage": Stage.WINDOWS})
    whole, signals = signals, without_people(signals, config.leave_out)
    everyday = None if everyday is None else without_people(everyday, config.leave_out)
    preparation = Preparation(config.low_pass_hz, config.separate_gravity, config.gap_s)
    prepared = prepare(signals, preparation)
    windows = make_windows(prepared, config.window_length_s, config.overlap)
    windows, incomplete = with_complete_sensors(windows)
    left_out = _left_out(incomplete, "a sensor is missing")
    if windows.datasets is not None:
        windows, ambiguous = with_flat_labels(windows)
        left_out += _left_out(ambiguous, "the label holds others that there are")
    unknown_windows = None
    if config.unlabelled:
        source = whole if unlabelled is None else unlabelled
        unknown_windows = without_labels(prepare(source, preparation), windows, config.leave_out, unlabelled is None)
    rows = None
    if EVERYDAY_MODEL in config.models:
        if everyday is None:
            raise ValueError("the everyday model needs the signals as it reads them")
        windows, unknown = with_everyday_labels(windows)
        left_out += _left_out(unknown, "no everyday activity")
        rows = EverydayRows.of(everyday, windows, config.overlap)
    splits = with_even_training(windows, _draw_splits(windows, config), config.seed)
    left_out += _never_tested(windows, splits)
    split = describe_folds(windows, splits) if config.in_folds else describe_split(windows, splits[0])
    on_event({"stage": Stage.SPLIT, **{key: value for key, value in split.items() if key != "subjects"}})
    outcomes = {
        name: _assess(
            name,
            windows,
            rows,
            splits,
            config,
            data,
            _with(on_event, model_index=index, n_models=len(config.models)),
            base,
            unknown_windows if name == DEPLOYABLE_MODEL else None,
        )
        for index, name in enumerate(config.models)
    }
    curve: dict[str, Any] = {}
    if base is not None and not config.in_folds:
        on_event({"stage": Stage.CURVE})
        train, test = (windows.take(part) for part in (splits[0].train, splits[0].test))
        curve["curve"] = learning_curve(base, train, test, config.seed)
    on_event({"stage": Stage.WRITING})
    index = np.concatenate([part.test for part in splits])
    test = windows.take(index)
    probabilities = {name: outcome.probabilities for name, outcome in outcomes.items()}
    result: Result = {
        "models": {
            name: {
                **outcome.metrics.as_dict(),
                "folds": list(outcome.folds),
                **({"answers": list(outcome.answers)} if outcome.answers else {}),
            }
            for name, outcome in outcomes.items()
        },
        "comparisons": [asdict(comparison) for comparison in compare(test, probabilities, config.seed)],
        "split": split,
        "folds": [describe_split(windows, part) for part in splits] if config.in_folds else [],
        "left_out": left_out,
        "channels": list(windows.channels),
        "activities": list(windows.activities),
        "config": asdict(config),
        "data": dict(data),
        "environment": environment(),
        "history": [event for outcome in outcomes.values() for event in outcome.epochs],
    }
    if base is not None:
        result["transfer"] = base.described(windows.activities, config.fine_tune) | curve
    if unknown_windows is not None:
        unlabelled_people = sorted(set(unknown_windows.subjects.tolist()))
        gains = list(outcomes[DEPLOYABLE_MODEL].gains)
        result["unlabelled"] = {**data.get("without_labels", {}), "subjects": unlabelled_people, "parts": gains}
    write_result(result, folder)
    whence = {"subjects": test.subjects, "recordings": test.recordings, "start_s": test.start_s}
    arrays: dict[str, Any] = {"y": test.y, "index": index, **whence, **probabilities}
    np.savez_compressed(folder / "predictions.npz", **arrays)
    if plots:
        _draw(windows.activities, outcomes, folder / "plots")
        if curve:
            figures.save(figures.transfer_curve(curve["curve"]).figure, folder / "plots" / "transfer")
    if DEPLOYABLE_MODEL in outcomes and not config.in_folds:
        classifier = outcomes[DEPLOYABLE_MODEL].classifier
        classifier.preparation = preparation
        learnt = set(windows.recordings[splits[0].train].tolist())
        classifier.shortest_bout_s = shortest_bout(bout_lengths(signals, learnt))
        classifier.finder = fit_finder(prepared, learnt, seed=config.seed)
        _save(classifier, windows.take(splits[0].test), config.seed, result, folder / KEPT[DEPLOYABLE_MODEL])
    if rows is not None and everyday is not None and config.keeps_everyday:
        seen = rows.learnt if config.in_folds else rows.to_learn(splits[0], windows)
        shortest_s = shortest_bout(bout_lengths(everyday, set(seen.recordings.tolist())))
        unseen = rows.tested.take(splits[-1].test)  # by the model as it was fitted last
        classifier = outcomes[EVERYDAY_MODEL].classifier
        _save_everyday(classifier, rows, unseen, shortest_s, config, result, folder / KEPT[EVERYDAY_MODEL])
    return result


def fit_and_score(
    name: str,
    train: WindowSet,
    test: WindowSet,
    config: TrainConfig,
    on_event: OnEvent,
    options: Mapping[str, Any] | None = None,
    base: Base | None = None,
    given: WindowSet | None = None,
) -> tuple[Classifier, FloatArray, Metrics]:
    """Fit one model on the training windows, and look at the test windows once.

    The answers are as the model gives them; those of the everyday model are scored in the activities of the test.
    ``given`` are windows that were given an activity, for ELM-GRU-AM.
    """
    on_event({"stage": Stage.FIT})
    if name == DEPLOYABLE_MODEL:
        options = {"rotation_augmentation": config.rotation_augmentation, "keep_sums": config.keep_sums}
    if name == DEPLOYABLE_MODEL and base is not None:
        classifier: Classifier = base.classifier(train.activities, config)
    else:
        classifier = make_classifier(name, options)
        if isinstance(classifier, ActivityClassifier):
            classifier.given = given
    started = time.perf_counter()
    classifier.fit(train, epochs=config.epochs, seed=config.seed, on_event=on_event)
    fit_seconds = time.perf_counter() - started
    on_event({"stage": Stage.EVALUATION})
    classifier.predict_proba(train.take(np.arange(min(512, len(train)))))  # compile the graph outside the clock
    started = time.perf_counter()
    proba = classifier.predict_proba(test)
    predict_seconds = time.perf_counter() - started
    scored = in_activities(proba, test.activities) if name == EVERYDAY_MODEL else proba
    metrics = evaluate(test, scored, fit_seconds=fit_seconds, predict_seconds=predict_seconds, seed=config.seed)
    return classifier, proba, metrics


def _draw_splits(windows: WindowSet, config: TrainConfig) -> list[Split]:
    if config.protocol == "dataset":
        return leave_datasets_out(windows)
    if config.folds:
        return fold_windows(windows, config.protocol, config.folds, config.seed)
    return [split_windows(windows, config.protocol, config.seed, config.test_fraction)]


def _left_out(counts: Mapping[str, Mapping[str, int]], reason: str) -> list[LeftOut]:
    return [
        {"dataset": dataset, "activity": activity, "windows": n, "reason": reason}
        for dataset, activities in counts.items()
        for activity, n in activities.items()
    ]


def _never_tested(windows: WindowSet, splits: Sequence[Split]) -> list[LeftOut]:
    """Say which windows of each data set that is left out cannot be tested."""
    counts: dict[str, dict[str, int]] = {}
    for split in splits:
        if split.dataset:
            of_dataset = np.flatnonzero(windows.datasets == split.dataset)
            counts |= counted(windows.take(np.setdiff1d(of_dataset, split.test)))
    return _left_out(counts, "the other data sets lack it")


def _with(on_event: OnEvent, **facts: object) -> OnEvent:
    """Return what adds these facts to each event before it hands it on."""
    return lambda event: on_event({**event, **facts})


def _assess(
    name: str,
    windows: WindowSet,
    rows: EverydayRows | None,
    splits: Sequence[Split],
    config: TrainConfig,
    data: Mapping[str, Any],
    on_event: OnEvent,
    base: Base | None,
    unlabelled: WindowSet | None,
) -> Outcome:
    """Fit a model on the training part of each split, test it on the other, and score all test parts together."""
    gains: list[Gain] = []  # of each split that somebody is left for, from whom is learnt without labels
    if unlabelled is not None and not any(
        len(_of_others(unlabelled, windows.take(split.test), config)) for split in splits
    ):
        raise InsufficientData(
            "All windows without a label are of people who are tested, or there are none: nothing can be learnt from "
            "them. Choose another data set to learn from without labels, or none."
        )
    epochs: list[Event] = []

    def keep_epochs(event: Event) -> None:
        if "epoch" in event:
            epochs.append(event)
        on_event(event)

    report = _with(keep_epochs, model=name)
    parts: list[FloatArray] = []
    folds: list[ModelFigures] = []
    answers: list[dict[str, Any]] = []
    everyday = rows if name == EVERYDAY_MODEL else None
    options = {"place_of": places_of(data)} if everyday else {}
    for number, split in enumerate(splits, start=1):
        if config.in_folds:
            report = _with(keep_epochs, model=name, fold=number, folds=len(splits))
        if split.dataset:
            report = _with(report, dataset=split.dataset)
        train = everyday.to_learn(split, windows) if everyday else windows.take(split.train)
        test = (everyday.tested if everyday else windows).take(split.test)
        given = None
        others = None if unlabelled is None else _of_others(unlabelled, test, config)
        if others:  # of a fold, all may be of who is tested
            report({"stage": Stage.UNLABELLED})
            own = bool(data.get("without_labels", {}).get("own"))
            found = give_activities(train, others, config.seed, own)
            given = found.windows if found.gain["used"] else None
            gains.append(found.gain)
        classifier, proba, metrics = fit_and_score(name, train, test, config, report, options, base, given)
        if isinstance(classifier, EverydayClassifier):
            of_part = depth_and_truth(proba, np.array(test.activities)[test.y].tolist(), classifier.answer_limit_)
            answers.append({"dataset": split.dataset, **of_part})
            proba = in_activities(proba, test.activities)
        parts.append(proba)
        of_fold = flat_metrics(metrics.as_dict())
        folds.append({**of_fold, "dataset": split.dataset} if split.dataset else of_fold)
        if config.in_folds:
            report({"stage": Stage.FOLD_SCORED, "accuracy": metrics.accuracy.value, "f1": metrics.f1.value})
    tested = windows.take(np.concatenate([split.test for split in splits]))
    probabilities = np.concatenate(parts)
    windows_per_second = np.mean([fold["predict_windows_per_second"] for fold in folds])
    metrics = evaluate(
        tested,
        probabilities,
        fit_seconds=float(np.mean([fold["fit_seconds"] for fold in folds])),
        predict_seconds=float(len(tested) / windows_per_second),
        seed=config.seed,
    )
    report({"stage": Stage.SCORED, "accuracy": metrics.accuracy.value, "f1": metrics.f1.value})
    return Outcome(classifier, probabilities, metrics, tuple(folds), tuple(epochs), tuple(answers), tuple(gains))


def _of_others(unlabelled: WindowSet, test: WindowSet, config: TrainConfig) -> WindowSet:
    """Return what was not recorded by the people tested; at random, where the test knows everybody, all of it."""
    if config.protocol == "random":
        return unlabelled
    return of_others(unlabelled, test.subjects.tolist())


def _save(classifier: Classifier, unseen: WindowSet, seed: int, result: Result, folder: Path) -> None:
    if not isinstance(classifier, ActivityClassifier):
        raise TypeError(f"{classifier.name} cannot be stored")
    metrics = result["models"][classifier.name]
    extra = {"data": result["data"], "split": result["split"], "config": result["config"], "metrics": metrics}
    if "transfer" in result:
        extra["transfer"] = result["transfer"]
    if "unlabelled" in result:
        extra["unlabelled"] = result["unlabelled"]
    title = str(result["data"].get("dataset", classifier.name))
    kept: dict[str, Any] = {"kept": classifier.head_rows_.size} if classifier.head_rows_ else {}
    if classifier.too_many_:
        kept = {"too_many_to_keep": classifier.too_many_}
    card = model_card(title, classifier.format_, extra | kept)
    explained = about.as_text(about.about(classifier, unseen, seed))
    save_model(classifier, folder, extra=extra, texts={CARD: card, about.FILE: explained})


def _save_everyday(
    classifier: Classifier,
    rows: EverydayRows,
    unseen: WindowSet,
    shortest_s: float,
    config: TrainConfig,
    result: Result,
    folder: Path,
) -> None:
    """Keep the everyday model: of data sets that were left out in turn, one that is trained on all of them."""
    if not isinstance(classifier, EverydayClassifier):
        raise TypeError(f"{classifier.name} is no everyday model")
    explained = about.as_text(about_questions([Examined.of(classifier, unseen)], config.seed))
    split: dict[str, Any] = dict(result["split"])
    if config.in_folds:
        classifier = EverydayClassifier(classifier.place_of).fit(rows.learnt, seed=config.seed)
        people = len(np.unique(rows.learnt.subjects))
        split |= {"train_windows": len(rows.learnt), "train_subjects": people}
    classifier.shortest_bout_s = shortest_s
    metrics = result["models"][EVERYDAY_MODEL]
    extra = {"data": result["data"], "split": split, "config": result["config"], "metrics": metrics}
    title = str(result["data"].get("dataset", classifier.name))
    besides = classifier.besides_.movements if classifier.besides_ else ()
    card = everyday_card(title, trained_on(extra), everyday_figures(extra, classifier.answer_limit_), besides)
    everyday_files.save_model(classifier, folder, extra=extra, texts={CARD: card, about.FILE: explained})


def _draw(activities: Sequence[str], outcomes: Mapping[str, Outcome], folder: Path) -> None:
    folder.mkdir()
    titles = {name: CATALOGUE[name].title for name in outcomes}
    comparison = figures.comparison({titles[name]: outcome.metrics for name, outcome in outcomes.items()})
    figures.save(comparison.figure, folder / "comparison")
    for name, outcome in outcomes.items():
        title, metrics = titles[name], outcome.metrics
        for normalise in (False, True):
            axes = figures.confusion(np.array(metrics.confusion), activities, normalise=normalise, title=title)
            figures.save(axes.figure, folder / f"confusion-{name}-{'rows' if normalise else 'counts'}")
        figures.save(figures.reliability(metrics, title=title)[0].figure, folder / f"reliability-{name}")
        if epochs := [event for event in outcome.epochs if event.get("fold", 1) == 1]:
            figures.save(figures.learning_curve(epochs, title=title)[0].figure, folder / f"learning-{name}")
        if isinstance(outcome.classifier, ActivityClassifier):
            ranking, n_selected = outcome.classifier.importances_, outcome.classifier.n_selected
            figures.save(figures.importances(ranking, n_selected)[0].figure, folder / "importances")
