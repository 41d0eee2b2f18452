"""What every model offers to the rest of the program."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np

from app.har.classifiers.types import Recognition, WalkingReference
from app.har.errors import UnusableRecording
from app.har.evaluation.splits import check_trainable
from app.har.personal.prior import Prior
from app.har.progress import Event, OnEvent, ignore_event
from app.har.signals.filters import Preparation
from app.har.signals.types import Gravity
from app.har.types import FloatArray
from app.har.windows import WindowSet

if TYPE_CHECKING:
    from app.har.classifiers.transitions.finder import TransitionFinder

C = TypeVar("C", bound="Classifier")


@dataclass(frozen=True)
class WindowFormat:
    """What all windows have in common that a model learnt from, and that it takes."""

    activities: tuple[str, ...]
    channels: tuple[str, ...]
    sampling_rate_hz: float
    n_timesteps: int
    gravity: Gravity

    @classmethod
    def of(cls, windows: WindowSet) -> WindowFormat:
        """Return what these windows have in common."""
        n_timesteps = windows.X.shape[1]
        return cls(windows.activities, windows.channels, windows.sampling_rate_hz, n_timesteps, windows.gravity)

    @property
    def window_length_s(self) -> float:
        return self.n_timesteps / self.sampling_rate_hz


class Classifier(ABC):
    """A model: it learns from windows, and gives each activity a probability in each window.

    As in scikit-learn, a constructor only keeps its parameters; what `fit` learns is in attributes whose names end in
    an underscore, declared in the class, and a model that was not fitted has none of them.
    """

    name: ClassVar[str]
    preparation = Preparation()  # of the signals that the windows were cut from
    shortest_bout_s: float | None = None  # of the recordings learnt from, see `smoothing`; None: not known
    finder: TransitionFinder | None = None  # of transitions between activities; None where none were labelled
    format_: WindowFormat

    @property
    def activities(self) -> tuple[str, ...]:
        """Return the activities, in the order of the columns of `predict_proba`."""
        return self.format_.activities

    @property
    def channels(self) -> tuple[str, ...]:
        """Return the channels of the windows, in their order."""
        return self.format_.channels

    @property
    def sampling_rate_hz(self) -> float:
        """Return the rate of the windows."""
        return self.format_.sampling_rate_hz

    @property
    def n_timesteps(self) -> int:
        """Return the length of the windows in samples."""
        return self.format_.n_timesteps

    @property
    def window_length_s(self) -> float:
        """Return the length of the windows in seconds."""
        return self.format_.window_length_s

    @property
    def gravity(self) -> Gravity:
        """Return whether the acceleration includes gravity."""
        return self.format_.gravity

    def fit(
        self: C, windows: WindowSet, *, epochs: int | None = None, seed: int = 0, on_event: OnEvent = ignore_event
    ) -> C:
        """Learn from these windows, and these only; whatever was learnt before is forgotten.

        Parameters
        ----------
        windows : labelled; they are left as they are.
        epochs : the most passes over the data; default None, the model's usual number. A model that has no epochs
            ignores it.
        seed : for everything that is drawn at random; default 0.
        on_event : receives each stage as it begins and, from networks, each epoch's figures; default: ignored.

        Raises
        ------
        InsufficientData : there is only one activity, or only one window of an activity.
        UnusableRecording : a value is missing or infinite.
        """
        check_trainable(windows)
        self._check_values(windows)

        def report(event: Event) -> None:
            on_event({"model": self.name, **event})

        self.format_ = WindowFormat.of(windows)
        try:
            self._fit(windows, epochs, seed, report)
        except BaseException:
            del self.format_  # a fit that was stopped leaves no model
            raise
        return self

    def predict_proba(self, windows: WindowSet) -> FloatArray:
        """Return (n_windows, n_activities) probabilities, columns in the order of ``activities``.

        Raises
        ------
        UnusableRecording : the channels, the rate, the length or the handling of gravity are not those of the windows
            learnt from.
        """
        self._check(windows)
        if not len(windows):
            return np.zeros((0, len(self.activities)), np.float32)
        probabilities = self._predict_proba(windows).astype(np.float32)
        self._check_answer(probabilities)
        return probabilities

    @abstractmethod
    def _fit(self, windows: WindowSet, epochs: int | None, seed: int, on_event: OnEvent) -> None: ...

    @abstractmethod
    def _predict_proba(self, windows: WindowSet) -> FloatArray: ...

    def check_fitted(self) -> None:
        """Raise ValueError unless the model was fitted."""
        if not hasattr(self, "format_"):
            raise ValueError("fit the model first")

    def _check(self, windows: WindowSet) -> None:
        self.check_fitted()
        if windows.channels != self.channels:
            raise UnusableRecording(
                f"The model expects the channels {', '.join(self.channels)}; found {', '.join(windows.channels)}."
            )
        if windows.sampling_rate_hz != self.sampling_rate_hz or windows.X.shape[1:] != (
            self.n_timesteps,
            len(self.channels),
        ):
            raise UnusableRecording(
                f"The model expects windows of {self.n_timesteps} samples at {self.sampling_rate_hz:g} Hz "
                f"({self.window_length_s:g} s) and {len(self.channels)} channels; found an array of shape "
                f"{windows.X.shape} at {windows.sampling_rate_hz:g} Hz."
            )
        if windows.gravity != self.gravity:
            raise UnusableRecording(
                f"The model was trained on acceleration with gravity {self.gravity}; here it is {windows.gravity}."
            )
        self._check_values(windows)

    def _check_answer(self, probabilities: FloatArray) -> None:
        """Refuse to return an answer that is not a number; whatever causes one should have been refused before."""
        if wrong := np.count_nonzero(~np.isfinite(probabilities).all(axis=1)):
            raise UnusableRecording(
                f"The model's answer is not a number for {wrong:,} of {len(probabilities):,} windows; the signal holds "
                "values far beyond those of a sensor."
            )

    def _check_values(self, windows: WindowSet) -> None:
        if not np.isfinite(windows.X).all():
            raise UnusableRecording("The signal has missing or infinite values; cut the recording there.")


class Recogniser(Classifier):
    """A model that can be kept, and that recognises what people upload."""

    judges_sensors: ClassVar[bool] = True  # `Recognition.novelty` is of each sensor; otherwise of the whole window

    @property
    @abstractmethod
    def prior(self) -> Prior | None:
        """Return what is known of people in the space of `Recognition.features`, before they gave an example.

        None where it does not know, as in an earlier build: `Recognition.features` have no columns, and no head can be
        learnt.
        """

    @abstractmethod
    def recognise_all(
        self, batches: Iterable[WindowSet], place: str = "", walking: WalkingReference | None = None
    ) -> Recognition:
        """Return what is recognised in the windows of whole recordings, in the order of time.

        Parameters
        ----------
        batches : some windows at a time.
        place : where a person says that the device was worn: "leg", "trunk", "wrist" or "hand or bag"; default not
            known. A model that knows one place only ignores it.
        walking : the person's own walking in this placement, as `walking_reference` measured it; default not known.
        """

    def walking_reference(self, batches: Iterable[WindowSet]) -> WalkingReference | None:
        """Measure a recording in which a person walks all the time; None where a model has no use for that.

        Raises
        ------
        UnusableRecording : there is too little walking in it.
        """
        return None
