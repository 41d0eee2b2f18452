"""From recordings as they were read to the signal that a model takes: its gravity, its sensors, its rate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.har.errors import UnusableRecording
from app.har.problems import Problem, ProblemKind
from app.har.signals.types import Recording, SignalSet
from app.har.types import FloatArray
from app.services.recordings.sensor_gaps import sensor_gaps
from app.services.recordings.sensor_names import in_words, sensors_of

if TYPE_CHECKING:
    from app.services.recordings.demands import Demands

WRIST, ON_THE_WRIST = "watch", ("Empatica E4", "ActiGraph", "Capture-24")
LONG = 2**21  # samples, six hours at 100 Hz
DEVICE_ORDER = {"phone": 0, "watch": 1}  # of several devices, the first is read by a model of one


def resample(recordings: Iterable[Recording], classifier: Demands, name: str) -> tuple[SignalSet, tuple[Problem, ...]]:
    """Bring recordings to a model's gravity, sensors and rate; one that cannot be brought there is left out.

    Returns
    -------
    The signal of all of them, and what was wrong with them.

    Raises
    ------
    UnusableRecording : that is all of them; the message is that of the first.
    """
    from app.har.datasets.store import condensed
    from app.har.signals.gravity import with_gravity_apart
    from app.har.signals.resampling import StretchIndex, joined, to_signal_set

    rate_hz, window_s = classifier.sampling_rate_hz, classifier.window_length_s
    needed, gap_s = sensors_of(classifier.channels), classifier.preparation.gap_s
    problems: list[Problem] = []
    left_out: list[Problem] = []
    signal: list[FloatArray] = []
    labels: list[NDArray[np.int16]] = []
    index = StretchIndex(signal.append, labels.append)
    for recording in recordings:
        try:
            # Under the same name: what was read is not kept while its signal is made
            recording = _as_trained(recording, needed, classifier)
            later = recording.gravity != classifier.gravity
            held = {stream.modality for stream in recording.streams}
            wanted = tuple(name for name in needed if name in held) if later else needed
            signals = to_signal_set(
                [recording], rate_hz, wanted, allow_missing=True, gap_s=gap_s, window_length_s=window_s
            )
        except UnusableRecording as error:
            left_out.append(Problem(recording.recording_id, ProblemKind.UNUSABLE_RECORDING, str(error), "left out"))
            continue
        problems += recording.problems
        problems += sensor_gaps(recording, signals, classifier.n_timesteps)
        del recording
        index.append(with_gravity_apart(signals, classifier.channels) if later else signals)
    if not signal:
        why = left_out[0].detail  # begins with the name of its recording, which a single file has, too
        raise UnusableRecording(why if why.startswith(f"{name}: ") else f"{name}: {why}")
    return index.finish(joined(signal), joined(labels)), tuple(condensed([*problems, *left_out]))


def _as_trained(recording: Recording, needed: Sequence[str], classifier: Demands) -> Recording:
    """Return a recording with the gravity and those of its sensors that a model knows; what it lacks is listed.

    Gravity that a model wants apart is left in the acceleration where it is separated later, see `_separated_later`.

    Raises
    ------
    UnusableRecording : its magnitudes are impossible, or gravity is missing.
    """
    from app.har.signals.gravity import match_gravity, separate_gravity
    from app.har.signals.normalisation import require_plausible_magnitudes

    recording = _of_one_device(_of_linear_acceleration(recording), needed)
    later = _separated_later(recording, needed)
    if "gravity" in needed:
        whole = tuple(stream for stream in recording.streams if stream.modality == "accelerometer")
        require_plausible_magnitudes(replace(recording, streams=whole), recording.gravity)  # its length shows the unit
        recording = recording if later else separate_gravity(recording, classifier.preparation.gap_s)
    missing = _missing_sensors(recording, needed, {"gravity"} if later else set())
    recording = _without_slow(recording, needed, classifier.sampling_rate_hz)
    used = tuple(stream for stream in recording.streams if stream.modality in needed)
    if later:
        return replace(recording, problems=(*recording.problems, *missing))
    require_plausible_magnitudes(replace(recording, streams=used), classifier.gravity)
    if any(stream.kind == "accelerometer" for stream in used):
        recording = match_gravity(recording, classifier.gravity, classifier.preparation.gap_s)
    # Without acceleration gravity makes no difference
    return replace(recording, gravity=classifier.gravity, problems=(*recording.problems, *missing))


def _separated_later(recording: Recording, needed: Sequence[str]) -> bool:
    """Tell whether gravity comes off a recording only at the model's rate, as it came off what the model learnt from.

    Of a long one, that saves a copy of all samples and most of the time. A sensor on a clock of its own would cut the
    signal where it stops, and gravity with it.
    """
    used = {stream.modality: stream for stream in recording.streams if stream.modality in needed}
    if "gravity" not in needed or "accelerometer" not in used or recording.gravity != "included":
        return False
    derived = {"gravity", "linear_accelerometer"} & {stream.modality for stream in recording.streams}
    time_s = used["accelerometer"].time_s
    return len(time_s) >= LONG and not derived and all(stream.time_s is time_s for stream in used.values())


def _of_linear_acceleration(recording: Recording) -> Recording:
    """Return a recording that has linear acceleration alone with it as its accelerometer, without gravity."""
    kinds = {stream.kind for stream in recording.streams}
    if "accelerometer" in kinds or "linear_accelerometer" not in kinds:
        return recording
    streams = tuple(
        replace(stream, modality=stream.modality.replace("linear_accelerometer", "accelerometer"))
        for stream in recording.streams
    )
    return replace(recording, streams=streams, gravity="removed")


def devices_of(recording: Recording) -> set[str]:
    """Return the devices whose accelerometer is in a recording; "" is one without a name."""
    return {stream.modality.rpartition(".")[0] for stream in recording.streams if stream.kind == "accelerometer"}


def first_of(devices: Iterable[str]) -> str:
    """Return the device that a model of one reads."""
    return min(devices, key=lambda device: (DEVICE_ORDER.get(device, len(DEVICE_ORDER)), device))


def _of_one_device(recording: Recording, needed: Sequence[str]) -> Recording:
    """Return a recording of several devices as that of one, for a model that knows one; the others are listed."""
    devices = devices_of(recording)
    named = {modality.rpartition(".")[0] for modality in needed}
    if named != {""}:
        return _as_one_of(recording, named) if devices == {""} and "" not in named else recording
    if not devices or "" in devices:
        return recording
    chosen = first_of(devices)
    streams = tuple(
        replace(stream, modality=stream.kind)
        for stream in recording.streams
        if stream.modality.rpartition(".")[0] == chosen
    )
    if len(devices) == 1:
        return replace(recording, streams=streams)
    others = in_words(sorted(devices - {chosen}))
    detail = f"the model reads one device; here are {in_words(sorted(devices))}"
    action = f"recognised from the {chosen}; the {others} was left out. Choose a model of several devices to use all"
    problem = Problem(recording.recording_id, ProblemKind.UNUSED_DEVICE, detail, action)
    return replace(recording, streams=streams, problems=(*recording.problems, problem))


def _as_one_of(recording: Recording, named: set[str]) -> Recording:
    """Return a recording of one device without a name as that of one of the devices that a model reads together."""
    known = WRIST if recording.app in ON_THE_WRIST else recording.device
    chosen = known if known in named else first_of(named)
    streams = tuple(replace(stream, modality=f"{chosen}.{stream.modality}") for stream in recording.streams)
    which = f"the {known} alone" if known else "one device, and not which"
    detail = f"the model reads {in_words(sorted(named))} together; the file holds {which}"
    action = f"taken for the {chosen}; expect more errors"
    problem = Problem(recording.recording_id, ProblemKind.MISSING_DEVICE, detail, action)
    return replace(recording, streams=streams, problems=(*recording.problems, problem))


def _missing_sensors(recording: Recording, needed: Sequence[str], derived: Set[str]) -> list[Problem]:
    from app.har.recordings.unused_columns import seem_unused

    missing = set(needed) - {stream.modality for stream in recording.streams} - derived
    found = []
    if "gravity" in missing and "accelerometer" not in missing:
        missing.remove("gravity")
        detail = "the acceleration comes without gravity, so how the body is held cannot be told"
        action = "sitting, standing and lying stay open. Record the plain accelerometer, not 'linear acceleration'"
        found.append(Problem(recording.recording_id, ProblemKind.MISSING_SENSOR, detail, action))
    unused = seem_unused(recording, missing)
    if "gravity" in needed and not unused:
        missing.discard("gyroscope")  # such a model learnt every window again without it
    if missing:
        are, it = ("are", "them") if len(missing) > 1 else ("is", "it")
        detail = f"the {in_words(missing)} {are} missing; the model was trained on {in_words(needed)}"
        advice = "Upload one zip file with the files of all sensors for a better result"
        if unused:
            advice = f"Columns that seem to belong to {it} were not used; see that entry"
        action = f"recognised without {it}. {advice}"
        found.append(Problem(recording.recording_id, ProblemKind.MISSING_SENSOR, detail, action))
    return found


def _without_slow(recording: Recording, needed: Sequence[str], rate_hz: float) -> Recording:
    """Leave out the sensors that give far too few samples, if there is another."""
    from app.har.signals.clocks import sampling_rate
    from app.har.signals.resampling import too_slow

    slow = {
        stream.modality: reason
        for stream in recording.streams
        if stream.modality in needed and (reason := too_slow(stream.modality, sampling_rate(stream.time_s), rate_hz))
    }
    kept = tuple(stream for stream in recording.streams if stream.modality not in slow)
    if not any(stream.modality in needed for stream in kept):
        return recording
    problems = [
        Problem(recording.recording_id, ProblemKind.SLOW_SENSOR, reason, "recognised without it")
        for reason in slow.values()
    ]
    return replace(recording, streams=kept, problems=(*recording.problems, *problems))
