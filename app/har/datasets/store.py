"""A data set on disk: converted once, opened at once.

A store is a folder: `manifest.json`, the samples (`signal.f32`, `labels.i16`, memory-mapped), the index of stretches
(`stretches.npz`) and the rows as recorded (`table-<n>.rows`). It is written beside its place and renamed when complete.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from app.har.datasets.contents import Contents
from app.har.datasets.intact import check, intact
from app.har.datasets.loaders import EMBEDDED_EXAMPLE, Loader, Part, actual_path, recognise
from app.har.datasets.row_columns import LAYOUTS, PLAIN, RowColumns
from app.har.datasets.rows import MAX_COLUMNS, Rows, RowTable, RowWriter
from app.har.datasets.short_labels import short_labels
from app.har.errors import InsufficientData, UnreadableData, UnusableRecording
from app.har.problems import Problem, ProblemKind
from app.har.progress import OnEvent, Stage, ignore_event
from app.har.recordings.build import check_labels
from app.har.recordings.files import files_in, open_files, wanted
from app.har.recordings.formats.kinelab_csv import write_csv
from app.har.recordings.parts import UNKNOWN_SUBJECT, natural_sort_key
from app.har.recordings.reach import ANYWHERE, Reach
from app.har.signals.normalisation import require_plausible_magnitudes
from app.har.signals.resampling import StretchIndex, common_modalities, common_rate, to_signal_set
from app.har.signals.types import Gravity, Recording, SignalSet
from app.har.texts import loads
from app.har.types import FloatArray, TimeArray
from app.har.windows import LabelSegments, label_segments

__all__ = ["EMBEDDED_EXAMPLE", "Store", "Summary", "build_store", "open_store"]

FORMAT_VERSION = 1
LOOK_AHEAD = 20  # recordings that decide the rate and the sensors of the set
LISTED_ONE_BY_ONE = 12  # a kind of problem found in more files than this is listed in one line
PREVIEW_CANDIDATES = 50


@dataclass(frozen=True)
class Summary:
    """What a data set holds; `activities` counts windows of 3 s without overlap."""

    format: str
    format_title: str
    recordings: int
    subjects: int
    minutes: float
    activities: dict[str, int]
    channels: tuple[str, ...]
    sampling_rate_hz: float
    gravity: Gravity
    rows: int
    problems: tuple[Problem, ...]
    fingerprint: str  # BLAKE2b, 256 bits, of the input

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self) | {"channels": list(self.channels), "problems": [asdict(p) for p in self.problems]}


def build_store(
    path: Path,
    folder: Path,
    on_event: OnEvent = ignore_event,
    *,
    name: str | None = None,
    loader: Loader | None = None,
    reach: Reach = ANYWHERE,
) -> Summary:
    """Recognise, read and resample what is at a path, and write it as a store.

    Parameters
    ----------
    path : a folder, a zip archive, a file, or `EMBEDDED_EXAMPLE`.
    folder : the store to be; must not exist yet.
    on_event : gets ``{"stage": "reading", "fraction": …}``.
    name : what the person calls it, for messages; default the name of the path.
    loader : what reads it; default the one that recognises it.
    reach : where files may be read, and whether messages may quote them.

    Raises
    ------
    UnrecognisedData, UnreadableData : what is there can't be read; nothing is left on disk.
    InsufficientData, Unlabelled : nothing usable is left of it, or no activity that lasts for a window.
    """
    if path == EMBEDDED_EXAMPLE:
        path, name, reach = actual_path(path), None, ANYWHERE
    name = name or path.name
    if folder.exists():
        raise FileExistsError(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open_files(path, name, reach) as members:
        loader = loader or recognise(members, name)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            with ThreadPoolExecutor(1) as pool, _Writer(partial, loader) as writer:
                fingerprint = pool.submit(fingerprint_of, path, reach)
                for part in loader.read_dataset(members):
                    writer.add(part)
                    on_event({"stage": Stage.READING, "fraction": part.fraction})
                summary = writer.finish(name, fingerprint.result())
            partial.replace(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    return summary


def fingerprint_of(path: Path, reach: Reach = ANYWHERE) -> str:
    """Return the BLAKE2b of a file as `b2sum -l 256` prints it; of a folder, that of its files' digests and names."""
    if path.is_dir():
        files = files_in(path, reach)
        names = [file.relative_to(path).as_posix() for file in files]
        lines = [f"{fingerprint_of(file)} {name}\n" for file, name in zip(files, names, strict=True) if wanted(name)]
        return hashlib.blake2b("".join(lines).encode(), digest_size=32).hexdigest()
    digest = hashlib.blake2b(digest_size=32)  # half the time of sha256 on most machines
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


class _Writer:
    """Writes the parts of a data set into a folder as they come."""

    def __init__(self, folder: Path, loader: Loader) -> None:
        self.folder, self.loader = folder, loader
        self.problems: list[Problem] = []
        self.tables: dict[str, RowWriter] = {}
        self._files = ExitStack()
        signal, labels = (
            self._files.enter_context((folder / name).open("wb")) for name in ("signal.f32", "labels.i16")
        )
        self.index = StretchIndex(lambda x: _append(signal, x), lambda x: _append(labels, x))
        self._waiting: list[Part] | None = []  # until the first recordings have shown the rate
        self._rate = 0.0
        self._modalities: tuple[str, ...] = ()
        self._seen: dict[bytes, str] = {}
        self._units: dict[str, str] = {}  # that the first recording of each sensor was taken to be in

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def add(self, part: Part) -> None:
        """Take the next part; recordings that are byte for byte one seen before are left out."""
        self.problems.extend(part.problems)
        if isinstance(part.content, SignalSet):
            self._write(part, part.content)
        elif part.content is not None:
            self.problems.extend(part.content.problems)
            if self._is_copy(part.content):
                return
            if self._waiting is None:
                self._write_recording(part, part.content)
            else:
                self._waiting.append(part)
                if len(self._waiting) == LOOK_AHEAD:
                    self._decide()

    def _is_copy(self, recording: Recording) -> bool:
        digest = hashlib.blake2b()
        for stream in recording.streams:
            digest.update(stream.time_s.tobytes() + stream.values.tobytes())
        first = self._seen.setdefault(digest.digest(), recording.recording_id)
        if first == recording.recording_id:
            return False
        self.problems.append(
            Problem(recording.recording_id, ProblemKind.DUPLICATE_RECORDING, f"byte for byte {first}", "left out")
        )
        return True

    def _decide(self) -> None:
        waiting, self._waiting = self._waiting or [], None
        recordings = [part.content for part in waiting if isinstance(part.content, Recording)]
        if recordings:
            self._rate, self._modalities = common_rate(recordings), common_modalities(recordings)
        for part, recording in zip(waiting, recordings, strict=True):
            self._write_recording(part, recording)

    def _write_recording(self, part: Part, recording: Recording) -> None:
        try:
            require_plausible_magnitudes(recording, recording.gravity)
            self._write(part, to_signal_set([recording], self._rate, self._modalities))
            for stream in recording.streams:
                self._units.setdefault(stream.modality, stream.read_as.name)
        except UnusableRecording as error:
            self.problems.append(
                Problem(recording.recording_id, ProblemKind.UNUSABLE_RECORDING, str(error), "left out")
            )

    def _write(self, part: Part, signals: SignalSet) -> None:
        self.index.append(signals)
        for name, frame in part.rows.items():
            if name not in self.tables:
                self.tables[name] = RowWriter(
                    self.folder, name, f"table-{len(self.tables)}", self.loader.SHOW_RECORDING
                )
                self._files.callback(self.tables[name].release)
            if left_out := self.tables[name].append(frame, signals.recording_ids):
                detail = f"{len(left_out):,} more columns than the {MAX_COLUMNS} that the rows of a data set may have"
                self.problems.append(
                    Problem(signals.recording_ids[0], ProblemKind.COLUMNS_NOT_USED, detail, "not shown in the rows")
                )

    def finish(self, name: str, fingerprint: str) -> Summary:
        """Write the index and the manifest."""
        self._decide()
        if not self.index.samples:
            first = sorted(self.problems, key=lambda problem: problem.kind != ProblemKind.UNUSABLE_RECORDING)[:3]
            reasons = "; ".join(f"{p.source}: {p.detail}" for p in first) or "every file was empty"
            raise InsufficientData(f"{name}: no usable recording was found. {reasons}")
        entries = [self.tables[table].finish() for table in sorted(self.tables)]
        self._files.close()
        signals = self.index.finish(*_samples(self.folder, self.index.samples, len(self.index.channels)))
        np.savez(
            self.folder / "stretches.npz",
            first=signals.first,
            length=signals.length,
            recording=signals.recording,
            start_s=signals.start_s,
        )
        check_labels(signals.activities, name)
        short = [] if getattr(self.loader, "labelled_later", False) else short_labels(signals, name)
        summary = _summary(signals, self.loader, entries, [*self.problems, *short], fingerprint)
        manifest = {
            "version": FORMAT_VERSION,
            "summary": summary.as_dict(),
            "tables": entries,
            "units": self._units,
            "activities": signals.activities,
            "recording_ids": signals.recording_ids,
            "subjects": signals.subjects,
        }
        (self.folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        return summary


def _append(file: IO[bytes], values: NDArray[Any]) -> None:
    file.write(np.ascontiguousarray(values).data)


def _samples(folder: Path, samples: int, channels: int) -> tuple[FloatArray, NDArray[np.int16]]:
    return (
        np.memmap(folder / "signal.f32", np.float32, "r", shape=(samples, channels)),
        np.memmap(folder / "labels.i16", np.int16, "r", shape=(samples,)),
    )


def _summary(
    signals: SignalSet, loader: Loader, tables: Sequence[dict[str, Any]], problems: Sequence[Problem], fingerprint: str
) -> Summary:
    windows = {row["activity"]: row["windows"] for row in Contents.of(signals).per_activity}
    return Summary(
        format=loader.FORMAT,
        format_title=loader.TITLE,
        recordings=len(signals.recording_ids),
        subjects=len(set(signals.subjects) - {UNKNOWN_SUBJECT}),
        minutes=round(len(signals.signal) / signals.sampling_rate_hz / 60, 2),
        activities=windows,
        channels=signals.channels,
        sampling_rate_hz=signals.sampling_rate_hz,
        gravity=signals.gravity,
        rows=sum(table["rows"] for table in tables),
        problems=tuple(condensed(problems)),
        fingerprint=fingerprint,
    )


def condensed(problems: Sequence[Problem]) -> Iterator[Problem]:
    """Tell what many files share, or one file shows many times, in one line, and the rest one by one."""
    files = Counter(kind for kind, _ in {(problem.kind, problem.source) for problem in problems})
    groups: dict[tuple[ProblemKind, str], list[Problem]] = {}
    for problem in problems:
        shared = files[problem.kind] > LISTED_ONE_BY_ONE
        groups.setdefault((problem.kind, "" if shared else problem.source), []).append(problem)
    for (kind, source), own in groups.items():
        if len(own) <= LISTED_ONE_BY_ONE:
            yield from own
            continue
        names = sorted({problem.source for problem in own}, key=natural_sort_key)
        which = f" Files: {', '.join(names[:200])}{' …' if len(names) > 200 else ''}" if not source else ""
        first = "" if source else f" in {own[0].source}"
        yield Problem(
            source or f"{len(names):,} files",
            kind,
            f"{len(own):,} times, first{first}: {own[0].detail}.{which}",
            own[0].action,
        )


def open_store(folder: Path) -> Store:
    """Open a store; nothing but its manifest and its index is read.

    Raises
    ------
    UnreadableData : the folder is not a store, or one of another version.
    """
    with intact(folder):
        manifest = loads((folder / "manifest.json").read_bytes())
        version = manifest["version"]
    if version != FORMAT_VERSION:
        raise UnreadableData(
            f"{folder.name}: was stored in version {version!r}, expected {FORMAT_VERSION}. Add the data set again."
        )
    store = Store(folder, manifest)
    with intact(folder):
        check(store.summary, store.signals, store._tables)
    return store


@dataclass(frozen=True)
class Store:
    """A converted data set."""

    folder: Path
    manifest: dict[str, Any]

    @cached_property
    def summary(self) -> Summary:
        """What the data set holds."""
        values = dict(self.manifest["summary"])
        values["channels"] = tuple(values["channels"])
        values["problems"] = tuple(map(Problem.from_dict, values["problems"]))
        return Summary(**values)

    @cached_property
    def signals(self) -> SignalSet:
        """The samples at the uniform rate, memory-mapped."""
        with (self.folder / "stretches.npz").open("rb") as file, np.load(file, allow_pickle=False) as index:
            stretches = {name: index[name] for name in ("first", "length", "recording", "start_s")}
        samples = int(stretches["length"].sum())
        signal, labels = _samples(self.folder, samples, len(self.summary.channels))
        return SignalSet(
            signal,
            labels,
            self.summary.channels,
            self.summary.sampling_rate_hz,
            self.summary.gravity,
            tuple(self.manifest["activities"]),
            tuple(self.manifest["recording_ids"]),
            tuple(self.manifest["subjects"]),
            **stretches,
        )

    @cached_property
    def _runs(self) -> LabelSegments:
        return label_segments(self.signals)

    @cached_property
    def contents(self) -> Contents:
        """How much of each activity each recording and each person supplies."""
        return Contents.of(self.signals)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables as recorded."""
        return tuple(self._tables)

    @cached_property
    def _tables(self) -> dict[str, RowTable]:
        return {entry["name"]: RowTable(self.folder, entry) for entry in self.manifest["tables"]}

    def columns(self, table: str) -> list[str]:
        """Return the columns of a table, as the file names them."""
        return self._tables[table].columns

    def row_columns(self, table: str) -> RowColumns:
        """Return what the columns of a table are, and whose, what and when its rows."""
        layout = LAYOUTS.get(self.summary.format, PLAIN)
        return RowColumns(layout, self.units, self._tables[table], self.contents, self.signals)

    @property
    def units(self) -> Mapping[str, str]:
        """The unit that the values of each sensor were taken to be in; a store of an earlier build does not say it."""
        return dict(self.manifest.get("units", {}))

    def rows(
        self,
        table: str,
        *,
        offset: int = 0,
        limit: int = 50,
        sort: str | None = None,
        descending: bool = False,
        recording: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> Rows:
        """Return how many rows there are, and a page of them as recorded.

        Raises
        ------
        KeyError : no such table, column or recording.
        """
        return self._tables[table].page(
            offset=offset, limit=limit, sort=sort, descending=descending, recording=recording, columns=columns
        )

    def preview(self, activity: str, seconds: float = 10.0) -> tuple[TimeArray, FloatArray, tuple[str, ...], str]:
        """Return time_s, values, channels and the recording of a stretch that is typical of an activity.

        Of the stretches long enough (else the longest), the one with the median strength of movement.
        """
        signals, runs = self.signals, self._runs
        own = np.flatnonzero(runs.label == signals.activities.index(activity))
        wanted_length = round(seconds * signals.sampling_rate_hz)
        long = own[runs.length[own] >= wanted_length]
        candidates = long if len(long) else own[[runs.length[own].argmax()]]
        candidates = candidates[:: -(-len(candidates) // PREVIEW_CANDIDATES)]
        middles = [
            slice(first, first + min(wanted_length, length))
            for first, length in (
                (int(runs.first[run]) + max(0, int(runs.length[run]) - wanted_length) // 2, int(runs.length[run]))
                for run in candidates
            )
        ]
        strength = [float(signals.signal[middle, :3].std(axis=0).sum()) for middle in middles]
        chosen = int(np.argsort(strength)[len(strength) // 2])
        middle, stretch = middles[chosen], int(runs.stretch[candidates[chosen]])
        start = signals.start_s[stretch] + (middle.start - signals.first[stretch]) / signals.sampling_rate_hz
        time = start + np.arange(middle.stop - middle.start) / signals.sampling_rate_hz
        return (
            time,
            np.array(signals.signal[middle]),
            signals.channels,
            signals.recording_ids[signals.recording[stretch]],
        )

    def recording_csv(self, recording_id: str) -> Iterator[str]:
        """Yield a recording as text in Kinelab's own layout, which can be uploaded again."""
        return write_csv(self.signals, recording_id)
