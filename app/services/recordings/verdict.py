"""The one verdict on a recording: what it was, how sure that is, and what speaks against it.

It is decided here and nowhere else, so that no page says *good* in one place and *27 % unfamiliar* in another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from app.har.problems import Problem, ProblemKind
from app.har.vocabulary import ANYTHING, NOT_WORN, TOO_LITTLE, UNFAMILIAR
from app.services.formatting import FEW, capitalise, duration, percent, share
from app.services.recordings.answers_in_words import left_open
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.unlike_training import CALLED_UNFAMILIAR

Level = Literal["sure", "mostly", "partly", "hardly", "few", "unworn"]
LEVELS: tuple[Level, ...] = ("sure", "mostly", "partly", "hardly")  # from the best; the other two are no degree of it
WORDS: Mapping[Level, str] = {
    "sure": "Sure",
    "mostly": "Mostly sure",
    "partly": "Partly sure",
    "hardly": "Not sure",
    "few": "Too little to judge",
    "unworn": "Not worn",
}
ANSWERED: Sequence[tuple[Level, float, float]] = (  # at least this share answered, less than this unfamiliar
    ("sure", 0.9, 0.05),
    ("mostly", 0.6, 0.2),
    ("partly", 0.3, 1.01),
)
AGREEING: Sequence[tuple[Level, float]] = (("sure", 0.9), ("mostly", 0.7), ("partly", 0.5))  # with a file's labels
TOLD_UNFAMILIAR, TOLD_UNCERTAIN, TOLD_NOT_WORN, TOLD_MISSING = 0.01, 0.2, 0.01, 0.02  # shares worth telling
DOUBTS = 3  # serious ones, from which no more than a part can be sure
SHOWN = 4  # answers by name
MINOR = 0.02  # of the time; shorter answers are counted together
# Problems after which more answers are wrong than their probability says, in the order in which they are told
SERIOUS = (
    ProblemKind.MODEL_MISFIT,
    ProblemKind.UNIT_MISMATCH, ProblemKind.UNIT_IN_DOUBT, ProblemKind.TIME_UNIT_IN_DOUBT, ProblemKind.PLACE_IN_DOUBT,
    ProblemKind.UNSEEN_ORIENTATION, ProblemKind.UNLIKE_TRAINING, ProblemKind.MISSING_SENSOR,
    ProblemKind.MISSING_DEVICE, ProblemKind.MISSING_AXIS, ProblemKind.CONSTANT_SIGNAL, ProblemKind.SENSOR_BY_UNIT,
    ProblemKind.SENSOR_BY_SIZE, ProblemKind.GRAVITY_FOUND, ProblemKind.NO_GRAVITY, ProblemKind.SENSOR_GAP,
    ProblemKind.SLOW_SENSOR,
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """How long one answer, or one kind of no answer, took."""

    name: str
    open: str  # what it leaves open, or why there is no answer; "" of one activity
    windows: int
    seconds: float


@dataclass(frozen=True)
class Doubt:
    """One thing that speaks against the result, as a sentence."""

    text: str
    serious: bool  # more answers may be wrong for it than their probability says


@dataclass(frozen=True)
class Verdict:
    """What is said of a recording before anything else."""

    level: Level
    what: str  # it was: "Mostly walking"
    answers: tuple[Part, ...]  # the longest first
    others: int  # further answers, each of a small part of the time
    others_s: float  # their time together
    others_windows: int
    unanswered: tuple[Part, ...]
    sure: str  # how sure, in one or two words
    number: str  # the one figure: "83 %", or "2 of 2" where there are few windows
    number_of: str  # what it is of
    against: tuple[Doubt, ...]  # the serious ones first; empty: nothing

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def in_text(verdict: Verdict) -> Iterator[str]:
    """Yield the lines of a verdict, as a terminal shows it."""
    yield f"{verdict.what}. {verdict.sure}: {verdict.number} {verdict.number_of}."
    if not verdict.against:
        yield "Nothing was found that speaks against it."
        return
    yield "What speaks against it:"
    yield from (f"  {'!' if doubt.serious else '-'} {doubt.text}" for doubt in verdict.against)


def decide(result: PredictionResult, quality: Mapping[str, Any] | None = None, doubts: Sequence[Doubt] = ()) -> Verdict:
    """Return the verdict on all that was recognised in a file.

    Parameters
    ----------
    quality : `services.recordings.quality.Quality.as_dict` of the file, where it is known.
    doubts : that do not come of the result, see `services.personal.effect.doubts_of`.
    """
    answers, unanswered = _parts(result)
    total_s = sum(part.seconds for part in (*answers, *unanswered))
    told = [part for part in answers if part.seconds >= MINOR * total_s][:SHOWN]
    against = tuple(sorted((*doubts, *_against(result, quality)), key=lambda doubt: not doubt.serious))
    level = _level(result, sum(doubt.serious for doubt in against))
    if is_misfit(result):  # what is left of answers is as false as the others
        told = []
    number, number_of = _number(result)
    return Verdict(
        level=level,
        what="The model does not fit this recording" if is_misfit(result) else _what(answers, unanswered),
        answers=tuple(told),
        others=len(answers) - len(told),
        others_s=round(sum(part.seconds for part in answers) - sum(part.seconds for part in told), 3),
        others_windows=sum(part.windows for part in answers) - sum(part.windows for part in told),
        unanswered=unanswered,
        sure=WORDS[level],
        number=number,
        number_of=number_of,
        against=against,
    )


def _parts(result: PredictionResult) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """Return the answers, the longest first, and what has none: uncertain, unfamiliar, not worn, too little."""
    seconds = np.bincount(result.answers, result.end_s - result.start_s, len(result.answer_names))
    windows = np.bincount(result.answers, minlength=len(result.answer_names))
    seconds[-1] += sum(end_s - start_s for _, start_s, end_s in result.too_little)
    meaning = left_open(result.tree, result.limit)
    parts = [
        Part(name, meaning.get(name, ""), int(n), round(float(s), 3))
        for name, n, s in zip(result.answer_names, windows.tolist(), seconds.tolist(), strict=True)
        if s > 0
    ]
    parts.sort(key=lambda part: -part.seconds)
    none = {ANYTHING, UNFAMILIAR, NOT_WORN, TOO_LITTLE}
    return (
        tuple(part for part in parts if part.name not in none),
        tuple(part for part in parts if part.name in none),
    )


def _what(answers: Sequence[Part], unanswered: Sequence[Part]) -> str:
    """Say in a few words what it was."""
    answered_s, total_s = (sum(part.seconds for part in parts) for parts in (answers, (*answers, *unanswered)))
    longest_gap = max(unanswered, key=lambda part: part.seconds, default=None)
    if longest_gap and longest_gap.seconds > total_s / 2:
        headings = {NOT_WORN: "Mostly not worn", UNFAMILIAR: "Mostly unlike anything that the model knows"}
        if longest_gap.name in headings:
            return headings[longest_gap.name]
    if answered_s < 0.05 * total_s:
        return "No activity could be named"
    names = [f"{part.name} ({part.open})" if part.open else part.name for part in answers]
    start = "For a small part: " if answered_s < 0.3 * total_s else ""
    if answers[0].seconds >= 0.95 * answered_s:
        return f"{start}{names[0]}"
    if answers[0].seconds >= 0.6 * answered_s:
        return f"{start}mostly {names[0]}" if start else f"Mostly {names[0]}"
    first, second, *rest = (part.name for part in answers)
    return f"{start}{first}, {second} and {len(rest)} more" if rest else f"{start}{first} and {second}"


def _shares(result: PredictionResult) -> tuple[int, float, float]:
    """Return how many windows were worn, and which shares of them have an answer and are unfamiliar."""
    worn = len(result) - int(result.not_worn.sum())
    unfamiliar = int((result.unfamiliar & ~result.not_worn).sum())
    return worn, int(result.answered.sum()) / max(worn, 1), unfamiliar / max(worn, 1)


def _level(result: PredictionResult, serious: int) -> Level:
    worn, answered, unfamiliar = _shares(result)
    if _all_unworn(result):
        return "unworn"
    if worn < FEW:
        return "few"
    levels: list[Level] = [
        next((level for level, most, least in ANSWERED if answered >= most and unfamiliar < least), "hardly")
    ]
    compared = int((result.right >= 0).sum())
    if compared >= FEW:
        agreeing = int((result.right == 1).sum()) / compared
        levels.append(next((level for level, least in AGREEING if agreeing >= least), "hardly"))
    if serious:
        levels.append("partly" if serious >= DOUBTS or _has_strange_sensor(result) else "mostly")
    return max(levels, key=LEVELS.index)


def is_misfit(result: PredictionResult) -> bool:
    """Say whether nearly the whole recording is unlike what the model learnt."""
    return any(problem.kind == ProblemKind.MODEL_MISFIT for problem in result.problems)


def _has_strange_sensor(result: PredictionResult) -> bool:
    """Say whether a sensor was often unlike the training: answers, however probable, then come from what is left."""
    return any(p.kind == ProblemKind.UNLIKE_TRAINING and _is_news(p) for p in result.problems)


def _all_unworn(result: PredictionResult) -> bool:
    """Say whether nobody wore the device, by the quality of the recording or by the model."""
    return {result.answer_names[i] for i in np.unique(result.answers).tolist()} == {NOT_WORN}


def _number(result: PredictionResult) -> tuple[str, str]:
    """Return the one figure and what it is of: agreement with the file's labels, or else how much has an answer."""
    compared, right = int((result.right >= 0).sum()), int((result.right == 1).sum())
    if compared >= FEW:
        return share(right, compared), f"of {compared:,} answers agree with the labels in the file"
    worn, _, _ = _shares(result)
    n_answered = int(result.answered.sum())
    if _all_unworn(result):
        return duration(float((result.end_s - result.start_s).sum())), "without anybody wearing the device"
    if worn < FEW:
        return share(n_answered, worn), "windows have an answer"
    return share(n_answered, worn), "of the windows have an answer" if result.layout == "windows" else (
        f"of {duration(float((result.end_s - result.start_s)[~result.not_worn].sum()))} has an answer"
    )


def _against(result: PredictionResult, quality: Mapping[str, Any] | None) -> Iterator[Doubt]:
    """Yield what speaks against a result."""
    yield from _labels(result)
    for kind in SERIOUS:
        if problems := [problem for problem in result.problems if problem.kind == kind and _is_news(problem)]:
            yield Doubt(_told(problems), serious=True)
    yield from _unanswered(result)
    yield from _quality(quality)


def _is_news(problem: Problem) -> bool:
    """Say whether a problem is told by no answer: what is called unfamiliar is."""
    return problem.action != CALLED_UNFAMILIAR or problem.kind == ProblemKind.MODEL_MISFIT


def _labels(result: PredictionResult) -> Iterator[Doubt]:
    compared, right = int((result.right >= 0).sum()), int((result.right == 1).sum())
    if compared and right / compared < (AGREEING[1][1] if compared >= FEW else 1.0):
        of = f" of {compared:,}" if compared >= FEW else ""
        text = f"{share(compared - right, compared)}{of} answers contradict the labels in the file."
        yield Doubt(text, serious=compared >= FEW)
    if unknown := int((result.labels >= 0).sum() - result.known_label.sum()):
        names = [result.label_activities[i] for i in np.flatnonzero(~result.known_activities).tolist()]
        listed = ", ".join(names[:SHOWN]) + (" and others" if len(names) > SHOWN else "")
        yield Doubt(f"{unknown:,} windows are labelled with what the model does not know: {listed}.", serious=False)


def _told(problems: Sequence[Problem]) -> str:
    """Write what was found and done in the first of several recordings, and how many more there are."""
    text = f"{capitalise(problems[0].detail)}. {capitalise(problems[0].action)}."
    more = len({problem.source for problem in problems}) - 1
    return text if not more else f"{text} The same holds for {more:,} more."


def _unanswered(result: PredictionResult) -> Iterator[Doubt]:
    """Yield what has no answer, by time; of few windows, by their number."""
    worn, answered, unfamiliar = _shares(result)
    uncertain = 1 - answered - unfamiliar if worn else 0.0

    def how_much(of_windows: float) -> str:
        of = "windows" if worn < FEW else "of the windows" if result.layout == "windows" else "of the time"
        return f"{share(round(of_windows * worn), worn)} {of}"

    if unfamiliar >= TOLD_UNFAMILIAR and not is_misfit(result):
        yield Doubt(
            f"In {how_much(unfamiliar)} the signal is unlike anything that the model learnt: another place on the "
            "body, an unknown movement, or a failing sensor.",
            serious=unfamiliar >= ANSWERED[0][2],
        )
    if uncertain >= TOLD_UNCERTAIN:
        yield Doubt(f"In {how_much(uncertain)} no activity, and no group of them, is probable enough.", serious=False)
    if (lain := float(result.not_worn.mean())) >= TOLD_NOT_WORN:
        yield Doubt(f"For {percent(lain, 0)} of the time the device lay still for an hour or more.", serious=False)
    short_s = sum(end_s - start_s for _, start_s, end_s in result.too_little)
    if short_s >= TOLD_MISSING * float((result.end_s - result.start_s).sum()):
        yield Doubt(f"For {duration(short_s)} too little was recorded between two gaps for an answer.", serious=False)


def _quality(quality: Mapping[str, Any] | None) -> Iterator[Doubt]:
    """Yield what the quality cards say, each reason once.

    What was long enough for windows is long enough, and where it was not worn is told by the answers.
    """
    from app.har.recordings.quality import TOO_SHORT, UNWORN, WORN_FOR

    cards = quality["cards"] if quality else []
    reasons = (reason for card in cards for reason in card["reasons"])
    found = Counter(reason for reason in reasons if not any(moot in reason for moot in (TOO_SHORT, UNWORN, WORN_FOR)))
    for reason, n in found.most_common():
        where = "" if len(cards) == 1 else f" ({n:,} of {len(cards):,} recordings)"
        yield Doubt(f"{capitalise(reason)}{where}.", serious=n > len(cards) / 2)
