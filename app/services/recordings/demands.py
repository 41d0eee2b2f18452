"""What a model asks of a recording, by its manifest alone, and which of several models a recording fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from app.har.errors import HarError, UnusableRecording
from app.har.problems import Problem, ProblemKind
from app.har.signals.types import Gravity, Recording, SignalSet

if TYPE_CHECKING:
    from app.har.classifiers.base import Recogniser
    from app.har.signals.filters import Preparation

MOST_NAMED = 3  # models in a message


class Demands(Protocol):
    """What `resample` needs to know of a model; one that was loaded shows it, too."""

    @property
    def channels(self) -> tuple[str, ...]:
        """Return the channels of its windows."""
        ...

    @property
    def sampling_rate_hz(self) -> float:
        """Return the rate of its windows."""
        ...

    @property
    def window_length_s(self) -> float:
        """Return the length of its windows in seconds."""
        ...

    @property
    def n_timesteps(self) -> int:
        """Return the length of its windows in samples."""
        ...

    @property
    def gravity(self) -> Gravity:
        """Return whether its acceleration includes gravity."""
        ...

    @property
    def preparation(self) -> Preparation:
        """Return what is done to signals before."""
        ...


@dataclass(frozen=True)
class StatedDemands:
    """What the manifest of a stored model says of them."""

    channels: tuple[str, ...]
    sampling_rate_hz: float
    window_length_s: float
    n_timesteps: int
    gravity: Gravity
    preparation: Preparation

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> StatedDemands:
        """Read them from the manifest in a model's folder."""
        from app.har.signals.filters import Preparation

        return cls(
            tuple(manifest["channels"]),
            float(manifest["sampling_rate_hz"]),
            float(manifest["window_length_s"]),
            int(manifest["n_timesteps"]),
            manifest["gravity"],
            Preparation(**manifest.get("preparation", {})),
        )

    @property
    def devices(self) -> set[str]:
        return devices_in(self.channels)


@dataclass(frozen=True)
class Alternative:
    """A model that nobody chose, and what it asks for."""

    label: str
    demands: StatedDemands
    load: Callable[[], Recogniser]


Alternatives = Callable[[], Sequence[Alternative]]  # the best first; asked for only where the first model fails


def devices_in(channels: Iterable[str]) -> set[str]:
    """Return the devices of channels; "" is the one of a model that reads one."""
    return {channel.rpartition(".")[0] for channel in channels}


def require_a_window(signals: SignalSet, demands: Demands, name: str) -> None:
    """Refuse a signal that has no stretch as long as a window.

    Raises
    ------
    UnusableRecording : it has none.
    """
    if (signals.length >= demands.n_timesteps).any():
        return
    longest_s = signals.length.max(initial=0) / signals.sampling_rate_hz
    raise UnusableRecording(
        f"{name}: the longest stretch without a gap lasts {longest_s:.1f} s, but the model needs at least "
        f"{demands.window_length_s:g} s. Record for longer, or check the recording for pauses."
    )


def misfit(recordings: Iterable[Recording], demands: Demands, name: str) -> str:
    """Return why a model can't recognise recordings in the core's units, "" if it can."""
    from app.services.recordings.resample import resample

    try:
        signals, _ = resample(recordings, demands, name)
        require_a_window(signals, demands, name)
    except HarError as error:
        return str(error)
    return ""


def that_fit(alternatives: Iterable[Alternative], recordings: Sequence[Recording], name: str) -> list[str]:
    """Return the labels of the first few models that can recognise recordings."""
    found: list[str] = []
    for own in alternatives:
        if len(found) < MOST_NAMED and not misfit(recordings, own.demands, name):
            found.append(own.label)
    return found


def naming_others(problems: Iterable[Problem], alternatives: Sequence[Alternative]) -> tuple[Problem, ...]:
    """Name the models that read one device, where a model of several had but one."""
    labels = [own.label for own in alternatives if own.demands.devices == {""}][:MOST_NAMED]
    more = f". {' and '.join(labels)} read{'s' * (len(labels) == 1)} one device" if labels else ""
    return tuple(
        replace(own, action=own.action + more) if own.kind == ProblemKind.MISSING_DEVICE else own for own in problems
    )
