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
from app.tables import Prediction, StoredRecording


@dataclass(frozen=True)
class HeadInWords:
    """What was learnt for a device worn in one place."""

    place: str  # in words; "" where it is not known
    examples: Mapping[str, int]  # windows by activity, the most first
    recordings: int
    kept: bool
    switched_on: bool
    verdict: str
    contradicted: Sequence[tuple[str, str, int]]  # what was said, what the model was certain of there, windows


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


def _in_words(one: Learnt) -> HeadInWords:
    report = one.report
    return HeadInWords(
        place=PLACES.get(one.place, ""),
        examples=report["examples"],
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
