"""Answers while a person moves: windows of all sessions recognised together, as their samples come.

A window is answered when its last sample is final, half a second after it at most. Its answer may change while the two
windows after it come, 6 s, and whenever the person's own walking is measured anew; it is said again then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.base import Recogniser
from app.har.classifiers.everyday.answer import TABLE_RMS
from app.har.classifiers.everyday.classifier import EverydayClassifier
from app.har.classifiers.everyday.features import describe
from app.har.classifiers.everyday.wearing import track_of
from app.har.classifiers.types import ReferenceSource, WalkingReference
from app.har.errors import UnusableRecording
from app.har.live.batches import Batch
from app.har.live.everyday import REVISED, EverydayAnswers, Memory, Said
from app.har.live.uniform import Stretch, UniformStream, advance
from app.har.live.windows import AFTER_S, Cut, cut_movement_and_gravity, cut_with_gravity, kept_samples, separates
from app.har.signals.types import UNLABELLED
from app.har.types import FloatArray
from app.har.windows import WindowSet

HOP_S = 1.0  # from window to window
BEHIND_S = 10.0  # windows that overlap are for display: of what is older, only those on the upload's grid are cut
BATCHES_AT_ONCE = 8  # of a session that catches up
QUIET = 5  # windows in a row without movement, and nobody wears the device


@dataclass(frozen=True)
class LiveWindow:
    """An answer about a window; one that was given before is replaced by that with the same ``start_s``."""

    start_s: float  # Unix, by the device's clock
    end_s: float
    probabilities: FloatArray  # (n_activities,), as `recognise_all` gives
    features: NDArray[np.float16]  # (n_features,) for a personal head; may be empty
    unfamiliar: bool
    unworn: bool
    on_grid: bool = True  # one of the windows that an upload is cut into, which do not overlap
    settled: bool = True  # no window that comes later changes it, unless the walking is measured anew
    reference: ReferenceSource = ""  # what it was measured against
    wearing: int = 0  # another number than before: the device was moved


@dataclass
class LiveTrack:
    """What is kept of one session: its last samples, and its windows of the last 20 minutes."""

    place: str = ""
    walking: WalkingReference | None = None
    stream: UniformStream = field(default_factory=UniformStream)
    memory: Memory = field(init=False)
    quiet: int = 0  # windows in a row without movement
    _stretch: Stretch | None = None
    _next: int = 0  # window of the stretch, that is cut next
    _unsettled: int = 0  # window of the stretch on the grid, that is to be filtered again

    def __post_init__(self) -> None:
        self.memory = Memory(self.place, self.walking)


class LiveRecogniser:
    """Recognises the windows of many sessions with one model.

    Parameters
    ----------
    classifier : it stays loaded as long as there are sessions.
    """

    def __init__(self, classifier: Recogniser) -> None:
        self.classifier = classifier
        self.activities = classifier.activities
        self.behind_s = BEHIND_S  # less, while there is more to do than can be done
        self._n = classifier.n_timesteps
        self._rate_hz = classifier.sampling_rate_hz
        self._phases = max(1, round(classifier.window_length_s / HOP_S))
        self._everyday = EverydayAnswers(classifier) if isinstance(classifier, EverydayClassifier) else None
        self._keep = kept_samples(self._rate_hz, self._n)

    def open(self, place: str = "", walking: WalkingReference | None = None) -> LiveTrack:
        """Begin a session.

        Parameters
        ----------
        place : where the device is worn, see `Recogniser.recognise_all`.
        walking : the person's own walking in this placement; default None, found as it comes.
        """
        return LiveTrack(place, walking)

    def step(self, news: Sequence[tuple[LiveTrack, Sequence[Batch]]]) -> list[list[LiveWindow]]:
        """Take the new batches of sessions in, each session's in order; return the new and the revised answers of each.

        A session that has many batches to catch up with may be given them all at once.
        """
        tracks = [track for track, _ in news]
        queues = [deque(batches) for _, batches in news]
        latest = [max((batch.end_s for batch in batches), default=-np.inf) for _, batches in news]
        found: list[dict[float, LiveWindow]] = [{} for _ in news]
        while any(queues):
            for track, queue in zip(tracks, queues, strict=True):
                for _ in range(min(BATCHES_AT_ONCE, len(queue))):
                    track.stream.add(queue.popleft(), self.classifier.preparation.gap_s)
            self._go_on(tracks, latest, found, at_end=False)
        return [list(own.values()) for own in found]

    def finish(self, track: LiveTrack) -> list[LiveWindow]:
        """End a session: answer the windows that waited for samples to come, and say again what has changed.

        After it, what was said of a session is what an upload of it gives, as far as it reaches back.
        """
        found: list[dict[float, LiveWindow]] = [{}]
        self._go_on([track], [track.stream.latest_s], found, at_end=True)
        if self._everyday is not None:
            for said in self._everyday.measure(track.memory, same=0.0):  # each: sums of little differences decide, too
                found[0][said.row.start_s] = self._window(track, said, on_grid=True, settled=True)
        return list(found[0].values())

    def _go_on(
        self, tracks: Sequence[LiveTrack], latest: Sequence[float], found: list[dict[float, LiveWindow]], at_end: bool
    ) -> None:
        """Make samples and answer windows until there are no more."""
        active = list(range(len(tracks)))
        while active:
            grown = advance(
                [tracks[i].stream for i in active],
                self._rate_hz,
                self.classifier.window_length_s,
                self._keep,
                at_end,
            )
            cuts: list[tuple[int, Cut]] = []
            for i, stretch in zip(active, grown, strict=True):
                if stretch is not None:
                    cuts += [(i, cut) for cut in self._cuts(tracks[i], stretch, latest[i])]
            active = [i for i, stretch in zip(active, grown, strict=True) if stretch is not None and stretch.more]
            if cuts:
                self._answer(tracks, cuts, found)

    def _cuts(self, track: LiveTrack, stretch: Stretch, latest_s: float) -> list[Cut]:
        """List the windows that are full now, and those whose samples have settled."""
        if track._stretch is not stretch:
            track._stretch, track._next, track._unsettled = stretch, 0, 0
        after = round(AFTER_S * self._rate_hz)
        apart = separates(stretch)
        cuts = []
        while apart and self._grid_start(track._unsettled) + self._n + (0 if stretch.ended else after) <= stretch.made:
            number = track._unsettled * self._phases
            cuts.append(Cut(stretch, number, self._grid_start(track._unsettled), True))
            track._unsettled += 1
        while (start := self._start(track._next)) + self._n <= stretch.made:
            phase = track._next % self._phases
            there = apart and phase == 0 and track._next // self._phases < track._unsettled
            old = latest_s - stretch.start_s - (start + self._n) / self._rate_hz > self.behind_s
            if not there and not (phase and old):
                cuts.append(Cut(stretch, track._next, start, not apart))
            track._next += 1
        return sorted(cuts, key=lambda cut: cut.number)

    def _start(self, number: int) -> int:
        return number // self._phases * self._n + round(number % self._phases * self._n / self._phases)

    def _grid_start(self, number: int) -> int:
        return number * self._n

    def _answer(
        self, tracks: Sequence[LiveTrack], cuts: Sequence[tuple[int, Cut]], found: list[dict[float, LiveWindow]]
    ) -> None:
        windows = self._windows([cut for _, cut in cuts])
        if self._everyday is None:
            self._answer_alone(tracks, cuts, windows, found)
            return
        x = windows.X
        features = describe(np.nan_to_num(x[:, :, :3]), x[:, :, 3:6], x[:, :, 6:], self._rate_hz)
        rows = self._everyday.rows_of(track_of(windows, features))
        waiting: dict[tuple[int, int], int] = {}  # new windows of a session and phase that were not answered
        for (i, cut), row in zip(cuts, rows, strict=True):
            key = i, cut.number % self._phases
            if waiting.get(key, 0) >= REVISED - 1:  # of a session that catches up
                self._say(tracks, [key], found)
                waiting[key] = 0
            tracks[i].memory.put(key[1], row)
            waiting[key] = waiting.get(key, 0) + 1
        self._say(tracks, [key for key, count in waiting.items() if count], found)

    def _say(
        self, tracks: Sequence[LiveTrack], which: Sequence[tuple[int, int]], found: list[dict[float, LiveWindow]]
    ) -> None:
        """Answer the recent windows of sessions and phases; measure what they are compared with where that grew."""
        everyday = self._everyday
        if everyday is None:
            return
        answers = everyday.answer([(tracks[i].memory, phase) for i, phase in which])
        for (i, phase), said in zip(which, answers, strict=True):
            for own in said:
                found[i][own.row.start_s] = self._window(tracks[i], own, on_grid=phase == 0, settled=own.settled)
        for i in dict.fromkeys(i for i, phase in which if phase == 0):
            if everyday.must_measure(tracks[i].memory):
                for own in everyday.measure(tracks[i].memory):
                    found[i][own.row.start_s] = self._window(tracks[i], own, on_grid=True, settled=own.settled)

    def _window(self, track: LiveTrack, said: Said, on_grid: bool, settled: bool) -> LiveWindow:
        reference = track.memory.reference
        source: ReferenceSource = ""
        if reference.known is not None:
            source = "known walking"
        elif reference.usual is not None:
            source = "this recording"
        end_s = said.row.start_s + self.classifier.window_length_s
        return LiveWindow(
            said.row.start_s,
            end_s,
            said.probabilities,
            said.row.personal,
            said.unfamiliar,
            said.unworn,
            on_grid,
            settled,
            source,
            said.row.wearing,
        )

    def _answer_alone(
        self,
        tracks: Sequence[LiveTrack],
        cuts: Sequence[tuple[int, Cut]],
        windows: WindowSet,
        found: list[dict[float, LiveWindow]],
    ) -> None:
        """Answer windows with a model that looks at each by itself."""
        for place in dict.fromkeys(tracks[i].place for i, _ in cuts):
            which = [at for at, (i, _) in enumerate(cuts) if tracks[i].place == place]
            of_place = windows.take(np.array(which))
            there = np.flatnonzero(~np.isnan(of_place.X).all(axis=(1, 2)))
            which, of_place = [which[at] for at in there.tolist()], of_place.take(there)
            if not which:
                continue
            recognition = self.classifier.recognise_all([of_place], place)
            moved = np.nanmax(np.nanstd(of_place.X[:, :, :3], axis=1), axis=1) > TABLE_RMS
            for at, (row, moves) in enumerate(zip(which, moved.tolist(), strict=True)):
                i, cut = cuts[row]
                tracks[i].quiet = 0 if moves else tracks[i].quiet + 1
                start_s = float(of_place.start_s[at])
                found[i][start_s] = LiveWindow(
                    start_s,
                    start_s + self.classifier.window_length_s,
                    recognition.probabilities[at],
                    recognition.features[at],
                    bool(recognition.unfamiliar[at]),
                    tracks[i].quiet >= QUIET,
                    cut.number % self._phases == 0,
                    cut.settled,
                )

    def _windows(self, cuts: Sequence[Cut]) -> WindowSet:
        """Cut windows with the channels of the model."""
        low_pass_hz = self.classifier.preparation.low_pass_hz
        if self.classifier.gravity == "removed":
            x = cut_movement_and_gravity(cuts, self._rate_hz, self._n, low_pass_hz)
        else:
            x = cut_with_gravity(cuts, self._rate_hz, self._n, low_pass_hz)
        names = np.array([f"{cut.stretch.number}" for cut in cuts])
        return WindowSet(
            self._arranged(x, [cut.stretch.device for cut in cuts]),
            np.full(len(cuts), UNLABELLED),
            (),
            names,
            names,
            np.array([cut.stretch.start_s + cut.start / self._rate_hz for cut in cuts]),
            self.classifier.channels,
            self._rate_hz,
            self.classifier.gravity,
        )

    def _arranged(self, x: FloatArray, devices: Sequence[str]) -> FloatArray:
        """Return channels as the model has them; of a model of several devices, those of the one that streams."""
        own = [f"{sensor}_{axis}" for sensor in ("acc", "gyro", "gravity") for axis in "xyz"][: x.shape[2]]
        channels = self.classifier.channels
        if channels == tuple(own):
            return x
        named = {channel.rpartition(".")[0] for channel in channels}
        arranged = np.full((*x.shape[:2], len(channels)), np.nan, np.float32)
        for device in set(devices):
            rows = np.array([other == device for other in devices])
            worn = device.rstrip(".")
            prefix = worn if worn in named else min(named, key=lambda name: (name != "phone", name))
            for place, channel in enumerate(channels):
                device_of, _, bare = channel.rpartition(".")
                if device_of == prefix and bare in own:
                    arranged[rows, :, place] = x[rows, :, own.index(bare)]
        if not any(channel.rpartition(".")[2] in own for channel in channels):
            raise UnusableRecording(f"The model reads {', '.join(channels)}; a device streams {', '.join(own)}.")
        return arranged
