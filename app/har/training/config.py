"""What a training is asked to do, within which bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, get_type_hints

from annotated_types import Interval  # pydantic reads it; importing pydantic itself would slow down every start
from typing_extensions import Doc

from app.har.classifiers.catalogue import CATALOGUE, DEPLOYABLE_MODEL
from app.har.errors import InvalidSetting
from app.har.evaluation.types import Protocol
from app.har.signals.clocks import MAX_GAP_S


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training run besides the data.

    The bounds and texts here are those of the page and of the command line; `validated` checks settings against them.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    models: tuple[str, ...] = ("elm-gru-am", "random-forest", "lstm", "cnn")
    protocol: Protocol = "subject"
    seed: Annotated[
        int,
        Interval(ge=0, le=2**31 - 1),
        Doc("The same seed on the same data gives the same split and starting weights."),
    ] = 0
    epochs: Annotated[
        int | None,
        Interval(ge=1, le=1000),
        Doc("Training passes over the data; each network has a default."),
    ] = None
    test_fraction: Annotated[float, Interval(ge=0.01, le=0.99)] = 0.2
    folds: Annotated[
        int | None, Interval(ge=2, le=20), Doc("Test every window once, in this many trainings, and keep no model.")
    ] = None
    window_length_s: Annotated[float, Interval(ge=0.5, le=60), Doc("The length of signal that gets one answer.")] = 3.0
    overlap: Annotated[
        float,
        Interval(ge=0, le=0.9),
        Doc("More than 0 gives more windows to train on. Only for the protocol by subject."),
    ] = 0.0
    low_pass_hz: Annotated[
        float | None,
        Interval(ge=0.1, le=500),
        Doc("Removes faster movement as noise, also from recordings to be recognised; by default, no filter."),
    ] = None
    separate_gravity: Annotated[
        bool, Doc("If the data include gravity, it is estimated by a low-pass filter at 0.3 Hz and subtracted.")
    ] = False
    gap_s: Annotated[
        float,
        Interval(ge=0.1, le=MAX_GAP_S),
        Doc("A recording to be recognised is split at longer gaps, so that no window crosses them."),
    ] = 0.5
    rotation_augmentation: Annotated[
        bool,
        Doc(
            "ELM-GRU-AM also learns from rotated copies: slightly less accurate if all devices are worn the same way, "
            "far more accurate if not."
        ),
    ] = False

    keep_sums: Annotated[
        bool,
        Doc(
            "ELM-GRU-AM keeps beside it what its head was solved from, person by person, so that the head can forget "
            "one of them exactly. These are data of the people trained on, about 2 KB a window; of more than 25 MB "
            "nothing is kept, as the model card then says."
        ),
    ] = False
    base: Annotated[
        str,
        Doc(
            "A stored ELM-GRU-AM model to build on: how it describes windows is kept, its head is solved for the new "
            "data and activities, in seconds. Windows, filters and gravity are as it reads them."
        ),
    ] = ""
    fine_tune: Annotated[
        bool, Doc("Also train the network of that model on, for a few epochs at a small learning rate.")
    ] = False
    leave_out: Annotated[
        tuple[str, ...], Doc("Subjects who are neither trained on nor tested on, with commas between them.")
    ] = ()
    unlabelled: Annotated[
        str,
        Doc(
            "A data set whose recordings ELM-GRU-AM also learns from without their labels, where it is sure by what "
            "people left out show. Of the data set that is trained on, the stretches without a label. It needs labels "
            "of several people, and is left out where it would make them worse recognised."
        ),
    ] = ""

    keep: Annotated[bool, Doc("Keep the models that people can use; without, they are only tested.")] = True

    @property
    def keeps_everyday(self) -> bool:
        """Whether an everyday model is kept: by data set, one of all of them; in folds of people, none."""
        return self.keep and self.folds is None

    @property
    def in_folds(self) -> bool:
        """Whether every window is tested once, in several trainings, and no model is kept."""
        return self.folds is not None or self.protocol == "dataset"


def limits(setting: str) -> tuple[Any, Any]:
    """Return the least and the largest value of a setting, None and None where it has no bounds."""
    intervals = [about for about in _annotations(setting) if isinstance(about, Interval)]
    return (intervals[0].ge, intervals[0].le) if intervals else (None, None)


def help_on(setting: str) -> str:
    """Return what a person should know about a setting."""
    return next(about.documentation for about in _annotations(setting) if isinstance(about, Doc))


def _annotations(setting: str) -> tuple[Any, ...]:
    return tuple(getattr(get_type_hints(TrainConfig, include_extras=True).get(setting), "__metadata__", ()))


def validated(settings: Mapping[str, Any]) -> TrainConfig:
    """Return settings, as Python or JSON holds them, as a configuration.

    Raises
    ------
    InvalidSetting : unknown, of another type, out of bounds, or at odds with another.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        config = TypeAdapter(TrainConfig).validate_python(settings)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        setting = str((*fault["loc"], "name of a setting")[0])  # one that is no text has no place
        low, high = limits(setting)
        expected = fault["msg"] if low is None else f"must be between {low} and {high}"
        raise InvalidSetting(f"{setting}: {expected}; found {fault['input']!r}.", setting) from error
    unknown = [name for name in config.models if name not in CATALOGUE]
    if unknown or not config.models:
        found = ", ".join(unknown) or "none"
        raise InvalidSetting(f"Choose models among {', '.join(CATALOGUE)}; found {found}.", "models")
    if config.base and DEPLOYABLE_MODEL not in config.models:
        title = CATALOGUE[DEPLOYABLE_MODEL].title
        raise InvalidSetting(f"Only {title} is built on a stored model. Choose it, or start from scratch.", "models")
    if config.unlabelled and (config.base or DEPLOYABLE_MODEL not in config.models):
        title = CATALOGUE[DEPLOYABLE_MODEL].title
        raise InvalidSetting(
            f"Only {title}, trained from scratch, learns from recordings without labels. Choose it, or leave them out.",
            "unlabelled",
        )
    if config.unlabelled and config.keep_sums:
        raise InvalidSetting(
            "What is concluded from the labels of all people cannot be taken back with one of them. Keep no features "
            "by person, or learn from no recordings without labels.",
            "keep_sums",
        )
    if config.fine_tune and not config.base:
        raise InvalidSetting("To fine-tune a network, choose the stored model that it comes from.", "fine_tune")
    if config.protocol == "dataset" and config.folds:
        raise InvalidSetting("By data set, each data set is a fold; leave the number of folds out.", "folds")
    if config.protocol == "random" and config.overlap:
        raise InvalidSetting(
            "Overlapping windows share samples, so a random split would test on what was trained on. "
            "Set the overlap to 0 or split by subject.",
            "overlap",
        )
    return config
