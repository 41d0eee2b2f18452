"""Kinelab in a notebook: the same models, data sets and tables as on the site, as DataFrames of pandas.

``from app.notebook import recognise, load_dataset, compare``; docs/NOTEBOOK.md is an executed example. Models and data
sets are those of ``HAR_HOME``; nothing is stored of what is recognised here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from app.har.errors import HarError
from app.services.recordings import result_tables
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.verdict import Verdict, decide
from app.services.recordings.wall_clock import time_zone

if TYPE_CHECKING:
    import pandas as pd
    from flask import Flask

    from app.har.datasets.store import Store


@dataclass(frozen=True)
class Recognised:
    """What a model recognised in a file; see `result_tables` for the columns of each table."""

    result: PredictionResult
    quality: dict[str, Any]  # of the signal: a card for each recording
    zone: str  # of local times

    @cached_property
    def verdict(self) -> Verdict:
        """What it was, how sure that is, and what speaks against it."""
        return decide(self.result, self.quality)

    @cached_property
    def windows(self) -> pd.DataFrame:
        """A row for each window and each pause, with the probability of every activity."""
        return result_tables.windows(self.result, time_zone(self.zone))

    @cached_property
    def bouts(self) -> pd.DataFrame:
        """A row for each stretch of one answer and each pause."""
        return result_tables.bouts(self.result, time_zone(self.zone))

    @cached_property
    def days(self) -> pd.DataFrame:
        """Minutes of each answer per day and per hour."""
        return result_tables.days(self.result, time_zone(self.zone))

    @cached_property
    def totals(self) -> pd.DataFrame:
        """Minutes of each answer in all."""
        return result_tables.totals(self.result)

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """A row for each activity that the file names, compared with the answers; empty where it names none."""
        return result_tables.metrics(self.result)


@dataclass(frozen=True)
class LoadedDataset:
    """A data set that was added before."""

    name: str
    store: Store

    @cached_property
    def recordings(self) -> pd.DataFrame:
        """A row for each recording: its ``recording``, ``subject``, ``minutes``, and the minutes of each activity."""
        import pandas as pd

        signals = self.store.signals
        of_sample = np.repeat(signals.recording, signals.length)
        activities = [*signals.activities, "not labelled"]  # UNLABELLED is -1: the last
        label = np.asarray(signals.labels, np.int64) % len(activities)
        samples = np.zeros((len(signals.recording_ids), len(activities)), np.int64)
        np.add.at(samples, (of_sample, label), 1)
        minutes = (samples / signals.sampling_rate_hz / 60).round(3)
        table = pd.DataFrame(minutes, columns=activities)
        table.insert(0, "recording", list(signals.recording_ids))
        table.insert(1, "subject", list(signals.subjects))
        table.insert(2, "minutes", minutes.sum(axis=1).round(3))
        return table

    def samples(self, recording: str) -> pd.DataFrame:
        """Return the samples of one recording: ``time_s``, each channel in m/s² or rad/s, and the ``activity``.

        Raises
        ------
        KeyError : the data set has no such recording.
        """
        import pandas as pd

        self._check(recording)
        signals = self.store.signals
        stretches = np.flatnonzero(signals.recording == signals.recording_ids.index(recording))
        parts = [
            (signals.start_s[i] + np.arange(signals.length[i]) / signals.sampling_rate_hz, at)
            for i in stretches
            for at in [slice(signals.first[i], signals.first[i] + signals.length[i])]
        ]
        names = np.array([*signals.activities, None], object)
        table = pd.DataFrame(np.concatenate([signals.signal[at] for _, at in parts]), columns=list(signals.channels))
        table.insert(0, "time_s", np.concatenate([time_s for time_s, _ in parts]).round(6))
        table["activity"] = names[np.concatenate([signals.labels[at] for _, at in parts])]
        return table

    def save(self, recording: str, file: str | Path) -> Path:
        """Write one recording with its labels as CSV in Kinelab's own layout, which `recognise` reads; return where.

        Raises
        ------
        KeyError : the data set has no such recording.
        """
        self._check(recording)
        path = Path(file)
        path.write_text("".join(self.store.recording_csv(recording)), encoding="utf-8")
        return path

    def _check(self, recording: str) -> None:
        if recording not in self.store.signals.recording_ids:
            raise KeyError(f"{self.name} has no recording {recording!r}; see .recordings for those it has")


def recognise(
    file: str | Path,
    model: str | None = None,
    *,
    mapping: str | Path | None = None,
    place: str = "",
    walking: str | Path | None = None,
    zone: str = "UTC",
    smooth: bool | None = None,
) -> Recognised:
    """Recognise the activities in a file of any layout that can be uploaded.

    Parameters
    ----------
    file : a recording, or a zip archive of several.
    model : name/version, or a name for its newest version; by default the one that the site would choose.
    mapping : YAML that says what the columns are, of a file in no known layout; ``flask map`` writes it.
    place : where the device was worn, one of `PLACES`.
    walking : a recording of the same person's walking with the device there.
    zone : of local times, and of a device's clock whose zone the file does not say, for example Europe/Berlin.
    smooth : without bouts too short to be believed, or each window alone; by default as on the site.

    Raises
    ------
    HarError : the file cannot be read or used.
    NotFound, Conflict : there is no such model, or no default one.
    """
    from app.har.recordings.mappings.mapping import ColumnMapping
    from app.services.recordings import recordings
    from app.services.recordings.smoothing import as_chosen

    path, known = Path(file), Path(walking) if walking else None
    time_zone(zone)  # refused before the work is done
    columns = ColumnMapping.from_yaml(Path(mapping).read_text("utf-8"), Path(mapping).name) if mapping else None
    with _home():
        found = recordings.predict_file(path, path.name, model, mapping=columns, place=place, walking=known, zone=zone)
    return Recognised(as_chosen(found.result, smooth), found.quality.as_dict(), zone)


def load_dataset(name: str) -> LoadedDataset:
    """Return a data set by the name that it was added under.

    Raises
    ------
    NotFound : there is none of this name.
    """
    from app.services.datasets import library

    with _home():
        return LoadedDataset(name, library.open_dataset(library.get(name)))


def compare(what: str | Path | LoadedDataset, models: Sequence[str] = (), **how: Any) -> pd.DataFrame:
    """Let several models recognise the same file or data set; return a row for each model.

    A model that was trained on some of it scores better there than for new people.

    Parameters
    ----------
    what : a file, or a data set; small ones, as every recording is read by every model.
    models : by default every model there is.
    how : as for `recognise`.

    Returns
    -------
    For each model its ``windows``; the shares of them that have an answer, none (``uncertain``), or are ``unfamiliar``;
    how many answers could be ``compared`` with a label, and which share of those agrees (``agreement``). Where a model
    cannot read it, ``refused`` says why.
    """
    import pandas as pd

    if isinstance(what, LoadedDataset):
        with tempfile.TemporaryDirectory() as folder:
            return compare(_as_archive(what, Path(folder)), models, **how)
    rows = []
    for model in models or _model_labels():
        try:
            rows.append(_figures(recognise(what, model, **how).result) | {"refused": None})
        except HarError as error:
            rows.append({"model": model, "refused": str(error)})
    return pd.DataFrame(rows)


def _figures(result: PredictionResult) -> dict[str, Any]:
    n, compared = len(result), int((result.right >= 0).sum())
    answered, unfamiliar = int(result.answered.sum()), int(result.unfamiliar.sum())
    return {
        "model": result.model_label,
        "windows": n,
        "answered": round(answered / n, 4),
        "uncertain": round((n - answered - unfamiliar) / n, 4),
        "unfamiliar": round(unfamiliar / n, 4),
        "compared": compared,
        "agreement": round(int((result.right == 1).sum()) / compared, 4) if compared else None,
    }


def _as_archive(dataset: LoadedDataset, folder: Path) -> Path:
    """Write every recording of a data set into a zip archive, in Kinelab's own layout."""
    path = folder / f"{dataset.name}.zip"
    with ZipFile(path, "w", ZIP_DEFLATED, compresslevel=1) as archive:
        for number, recording in enumerate(dataset.store.signals.recording_ids):
            archive.writestr(f"{number}.csv", "".join(dataset.store.recording_csv(recording)))
    return path


def _model_labels() -> Iterable[str]:
    from app.services.models import model_versions

    with _home():
        return [version.label for version in model_versions.list_versions()]


@contextmanager
def _home() -> Iterator[None]:
    """Work with what is stored in ``HAR_HOME``."""
    with _application().app_context():
        yield


@cache
def _application() -> Flask:
    from app import create_app
    from app.services import installation

    application = create_app()
    with application.app_context():
        installation.prepare_home()
    return application
