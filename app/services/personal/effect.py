"""What came of a person's corrections, in words: what was learnt from what, whether it helps, what it changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.services.formatting import counted, share
from app.services.personal import heads
from app.services.personal.heads import Learnt
from app.services.personal.said import Moved, moved
from app.services.personal.view import View
from app.services.recordings.places import PLACES
from app.services.recordings.verdict import Doubt
from app.tables import Prediction, StoredRecording

MANY = 0.2  # of the answers: so many, changed by an activity shown once, leave none of them sure


@dataclass(frozen=True)
class HeadInWords:
    """What was learnt for a device worn in one place."""

    place: str  # in words; "" where it is not known
    examples: Mapping[str, int]  # windows by activity, the most first
    stretches: Mapping[str, int]  # how many of them are apart in time, by activity
    recordings: int
    kept: bool
    switched_on: bool
    verdict: str
    contradicted: Sequence[tuple[str, str, int]]  # what was said, what the model was sure of there, windows


@dataclass(frozen=True)
class Effect:
    """What a page says of a person's corrections."""

    moved: Moved | None  # None where the model's own answers are shown
    learnt: Sequence[HeadInWords]
    cannot_learn: bool  # the model brings nothing to learn with
    too_old: bool  # the result was stored before it held what is learnt from
    elsewhere: Sequence[StoredRecording]  # corrected, and not recognised by this model version

    @property
    def switched_on(self) -> bool:
        """Whether what was learnt is used; it is where nothing was switched off."""
        return all(one.switched_on for one in self.learnt)


def effect_of(prediction: Prediction, view: View, recording_index: int | None) -> Effect:
    """Return what came of the corrections of whom a prediction is."""
    version, stored = prediction.model_version, view.before or view.result
    learnt = [_in_words(one) for one in view.learnt.values() if one.report["examples"]]
    lacking = bool(view.said) and not stored.features.shape[1]
    learns = version is not None and (not lacking or heads.learns(version))
    return Effect(
        moved=moved(view.before, view.result, recording_index) if view.before else None,
        learnt=learnt,
        cannot_learn=bool(view.said) and not learns,
        too_old=lacking and learns,
        elsewhere=heads.not_recognised(prediction.recording.user_id, version) if version else [],
    )


def doubts_of(view: View, recording_index: int | None) -> list[Doubt]:
    """Return what a verdict must say where a single example of a person changed other answers.

    Parameters
    ----------
    recording_index : of the file; None: all recordings.
    """
    if view.before is None:
        return []
    reports = [one.report for one, _ in heads.in_use(view.before, view.learnt)]
    changes = moved(view.before, view.result, recording_index)
    if not changes.changed or not any(1 in report["stretches"].values() for report in reports):
        return []
    stretches, windows = (sum(sum(report[key].values()) for report in reports) for key in ("stretches", "examples"))
    what = "one correction" if stretches == 1 else f"corrections of {stretches:,} stretches"
    changed = f"{changes.changed:,} of {changes.windows:,} answers of which you said nothing"
    text = f"After {what} ({counted(windows, 'window')}), {changed} changed: look at them."
    against = [
        f"You said {said} in a single stretch, where the model alone was sure of {model}."
        for report in reports
        for said, model, _ in report["contradicted"]
        if report["stretches"][said] == 1
    ]
    if against:
        text = " ".join([text, *against, "That does not show which is right: correct another stretch, or undo it."])
    return [Doubt(text, serious=bool(against) or changes.share >= MANY)]


def _in_words(one: Learnt) -> HeadInWords:
    report = one.report
    return HeadInWords(
        place=PLACES.get(one.place, ""),
        examples=report["examples"],
        stretches=report["stretches"],
        recordings=len(report["recordings"]),
        kept=one.head is not None,
        switched_on=one.switched_on,
        verdict=verdict(report),
        contradicted=report["contradicted"],
    )


def verdict(report: Mapping[str, Any]) -> str:
    """Say what the guard found, in plain words."""
    checked = report["checked"]
    if not checked:
        return "There are too few examples to check it on others of yours. Correct the same activities elsewhere, too."
    before, after = (round(report[key] * checked) for key in ("right_before", "right_after"))
    of_yours = counted(checked, "window", "windows")
    if max(report["stretches"].values()) == 1:
        of_yours += " (of the same stretches as those that it had, which says little of others)"
    if report["kept"] and before == after:
        return f"Kept: of {of_yours} of yours that it had not learnt from, as many are right as without it."
    if report["kept"]:
        return (
            f"Kept: of {of_yours} of yours that it had not learnt from, {share(after, checked)} were right; "
            f"without it, {share(before, checked)}."
        )
    if before == after:
        return (
            f"Not kept: of {of_yours} of yours that it had not learnt from, it made no more right. What you said still "
            "holds where you said it."
        )
    if after > before:
        return (
            f"Not kept: of {of_yours} of yours that it had not learnt from, {share(after, checked)} would have been "
            f"right instead of {share(before, checked)}, but the true activities would have become less probable. What "
            "you said still holds where you said it."
        )
    return (
        f"Not kept, because it would have made your own recordings worse: of {of_yours} of yours that it had not "
        f"learnt from, {share(after, checked)} would have been right instead of {share(before, checked)}. What you "
        "said still holds where you said it."
    )
