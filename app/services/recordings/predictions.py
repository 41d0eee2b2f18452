"""Recordings that users upload, and what was recognised in them. Each user sees only their own.

``uploads/<folder>/`` holds of one recording: ``source`` (the file as uploaded), the signal as the first model saw it
(see `stored_signal`) and ``<prediction id>.npz`` (what a model recognised).
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import uuid
from dataclasses import asdict
from datetime import timezone, tzinfo
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np
from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from app.extensions import db
from app.har.documents import Section
from app.har.problems import Problem
from app.har.progress import OnEvent, ignore_event
from app.har.signals.types import SignalSet
from app.services.datasets import library
from app.services.errors import Conflict, NotFound
from app.services.models import model_versions
from app.services.recordings import stored_signal
from app.services.recordings.activity_times import clock_of
from app.services.recordings.prediction_result import PredictionResult
from app.services.recordings.recognition import recognise
from app.services.recordings.stored_signal import StoredSignal
from app.services.recordings.timeline import rows_of_file, timeline
from app.services.transaction import transaction
from app.tables import Dataset, ModelVersion, Prediction, StoredRecording

if TYPE_CHECKING:
    from app.har.recordings.mappings.mapping import ColumnMapping

PREFIX = "recording-"
QUALITY = "quality.json"
PAUSE_S = 5.0  # between the recordings that the example puts into one file: no window may reach over it


def predict_file(
    path: Path,
    name: str,
    version: int | str | None = None,
    on_event: OnEvent = ignore_event,
    columns: ColumnMapping | None = None,
) -> PredictionResult:
    """Recognise the activities in a file and store nothing; the promoted model unless another is named.

    ``columns`` says what the columns of a file in no known layout are.

    Raises
    ------
    Conflict
        No model is promoted yet.
    NotFound
        There is no such model.
    HarError
        The file cannot be read or used.
    """
    model = _model(version)
    return recognise(path, name, partial(model_versions.load, model), model.label, on_event, columns)[0]


def _model(version: int | str | None) -> ModelVersion:
    if version is not None:
        return model_versions.get(version)
    if (promoted := model_versions.promoted()) is None:
        raise Conflict(
            "There is no default model yet. An administrator must train a model and make it the default first."
        )
    return promoted


def store_and_recognise(
    user_id: int,
    filename: str,
    file: Path | BinaryIO,
    version: int | None = None,
    on_event: OnEvent = ignore_event,
    columns: ColumnMapping | None = None,
    mapping_name: str = "",
) -> Prediction:
    """Store a file of a user and what was recognised in it. When anything fails, nothing of it remains.

    ``columns`` says what the columns of a file in no known layout are; it is kept with the recording.
    """
    model = _model(version)
    load = partial(model_versions.load, model)
    name = shown_name(filename)
    folder = Path(current_app.config["UPLOADS"]) / f"{PREFIX}{uuid.uuid4().hex}"
    folder.mkdir(mode=0o700)
    try:
        source = folder / "source"
        if isinstance(file, Path):
            shutil.copyfile(file, source)
        else:
            with source.open("wb") as target:
                shutil.copyfileobj(file, target, 1024 * 1024)
        result, signals, cards = recognise(source, name, load, model.label, on_event, columns)
        facts = _facts(source, signals)
        if columns is not None:
            facts["mapping"] = {"name": mapping_name, "document": columns.as_dict()}
        (folder / QUALITY).write_text(json.dumps(cards.as_dict()), encoding="utf-8")
        if result.layout == "timeline":
            stored_signal.save(folder, signals)
        with transaction() as session:
            recording = StoredRecording(user_id=user_id, filename=name, folder=folder.name, facts=facts)
            session.add(recording)
            return add_prediction(recording, result, model)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def example() -> tuple[str, str]:
    """Return name and text of a file with one person's recordings of the embedded example, one after another.

    It is a person left out of training, where the model of the example has one.
    """
    if (dataset := _example_dataset()) is None:
        raise NotFound("An administrator has removed the example. Upload one of your own recordings.")
    store = library.open_dataset(dataset)
    subjects = store.signals.subjects
    model = model_of_example()
    tested = model_versions.provenance(model).get("split", {}).get("subjects", {}).get("test", []) if model else []
    person = next((subject for subject in subjects if subject in tested), subjects[0])
    own = [name for name, subject in zip(store.signals.recording_ids, subjects, strict=True) if subject == person]
    lines, end_s = [""], 0.0
    for name in own:
        lines[0], *rows = "".join(store.recording_csv(name)).splitlines()
        times, rest = zip(*(row.split(",", 1) for row in rows), strict=True)
        shift_s = end_s - float(times[0])
        lines += [f"{float(time) + shift_s:.6f},{cells}" for time, cells in zip(times, rest, strict=True)]
        end_s = float(times[-1]) + shift_s + PAUSE_S
    return f"example-person-{shown_name(person)}.csv", "\n".join([*lines, ""])


def upload_example(user_id: int) -> Prediction:
    """Upload one recording of the embedded example on a user's behalf, for a model that knows its activities."""
    name, text = example()
    model = model_of_example()
    return store_and_recognise(user_id, name, io.BytesIO(text.encode()), model.id if model else None)


def model_of_example() -> ModelVersion | None:
    """Return a model trained on the embedded example, rather the promoted one; None if there is none, or no example."""
    dataset = _example_dataset()
    versions = sorted(model_versions.list_versions(), key=lambda version: not version.promoted)
    return next((version for version in versions if dataset and _trained_on(version, dataset)), None)


def _trained_on(version: ModelVersion, dataset: Dataset) -> bool:
    return bool(model_versions.provenance(version).get("data", {}).get("fingerprint") == dataset.fingerprint)


def _example_dataset() -> Dataset | None:
    # Another data set may bear the example's name by now, and data sets are not for every user's eyes.
    return next(
        (
            dataset
            for dataset in library.list_datasets()
            if dataset.name == library.EXAMPLE_NAME and dataset.summary["format"] == library.EXAMPLE_PATH
        ),
        None,
    )


def repredict(user_id: int, recording_id: int, version: int | str | None = None) -> Prediction:
    """Let a model (again: the promoted one by default) recognise a stored recording; once per model is enough."""
    recording, model = get(user_id, recording_id), _model(version)
    if done := next((p for p in recording.predictions if p.model_version_id == model.id), None):
        return done
    load = partial(model_versions.load, model)
    result, *_ = recognise(source_of(recording), recording.filename, load, model.label, columns=_columns(recording))
    with transaction():
        return add_prediction(recording, result, model)


def add_prediction(
    recording: StoredRecording, result: PredictionResult, model: ModelVersion | None = None
) -> Prediction:
    """Store what a model recognised in a recording, inside a transaction."""
    prediction = Prediction(
        recording=recording, model_version=model, model_label=result.model, summary=result.summary()
    )
    db.session.add(prediction)
    db.session.flush()  # the id names the file
    _save_result(_folder(recording) / f"{prediction.id}.npz", result)
    return prediction


def list_recordings(user_id: int) -> list[StoredRecording]:
    """Return a user's recordings with their predictions, the newest first."""
    query = select(StoredRecording).where(StoredRecording.user_id == user_id).order_by(StoredRecording.id.desc())
    return list(db.session.scalars(query.options(selectinload(StoredRecording.predictions))))


def get(user_id: int, recording_id: int) -> StoredRecording:
    """Return a recording of this user; one of somebody else does not exist for them, whoever they are."""
    recording = db.session.get(StoredRecording, recording_id)
    if recording is None or recording.user_id != user_id:
        raise NotFound("You have no such recording.")
    return recording


def get_prediction(recording: StoredRecording, prediction_id: int | None = None) -> Prediction:
    """Return one of a recording's predictions, by default the newest."""
    for prediction in recording.predictions:
        if prediction_id in (None, prediction.id):
            return prediction
    raise NotFound("This recording has no such prediction.")


def result(prediction: Prediction) -> PredictionResult:
    """Return what was recognised, window by window."""
    return _load_result(_folder(prediction.recording) / f"{prediction.id}.npz")


def quality(recording: StoredRecording) -> dict[str, Any] | None:
    """Return the quality cards of a file, as `recognition.Quality` has them; None if it was stored without."""
    path = _folder(recording) / QUALITY
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def delete(user_id: int, recording_id: int) -> None:
    """Delete a recording of this user, its predictions and every file of it."""
    recording = get(user_id, recording_id)
    folder = _folder(recording)
    with transaction() as session:
        session.delete(recording)
    shutil.rmtree(folder)


def remove_orphans() -> int:
    """At start: delete what an upload left that died in mid-way; return how many folders."""
    known = set(db.session.scalars(select(StoredRecording.folder)))
    folders = Path(current_app.config["UPLOADS"]).glob(f"{PREFIX}*")
    orphans = [folder for folder in folders if folder.name not in known]
    for folder in orphans:
        shutil.rmtree(folder)
    return len(orphans)


def timeline_data(
    recording: StoredRecording,
    recognised: PredictionResult,
    part: int | None,
    zone: tzinfo = timezone.utc,
    from_s: float | None = None,
    to_s: float | None = None,
) -> dict[str, Any]:
    """Return what the plot of one recording (None: of a file of single windows) draws between two moments."""
    if part is None:
        return rows_of_file(recognised, from_s, to_s)
    folder = _folder(recording)
    signal = StoredSignal(folder, recognised.recording_ids[part]) if (folder / "signal.npy").exists() else None
    return timeline(recognised, part, signal, clock_of(recognised, part, zone), from_s, to_s)


def timeline_image(prediction: Prediction, part: int | None, file_format: Literal["png", "svg"]) -> bytes:
    """Return the timeline of one recording (None: the strip of a file of single windows) as a figure for a paper."""
    from app.har.training import plots

    recognised = result(prediction)
    drawn = timeline_data(prediction.recording, recognised, part)
    bands = [(row["start_s"], row["end_s"], row["activity"]) for row in drawn["recognised"] if row["activity"]]
    if not drawn["signal"]:
        axes = plots.timeline([], [], bands, recognised.all_activities)
        axes.set(xlabel="row in the file", ylabel="", yticks=[], xlim=drawn["range_s"])
    else:
        trace = drawn["signal"][0]
        values = np.array(trace["values"], dtype=np.float64)  # None becomes NaN, a gap in the line
        axes = plots.timeline(trace["time_s"], values, bands, recognised.all_activities)
        axes.set(ylabel=f"{trace['channel']}, {trace['sensor']}")
    title = prediction.recording.filename
    if part is not None and len(recognised.recording_ids) > 1:
        title += f": {recognised.recording_ids[part]}"
    axes.set_title(title, parse_math=False)  # a dollar sign in a name is just that
    with tempfile.TemporaryDirectory() as folder:
        files = {path.suffix: path for path in plots.save(axes.figure, Path(folder) / "timeline")}
        return files[f".{file_format}"].read_bytes()


def source_of(recording: StoredRecording) -> Path:
    """Return where the file lies that the user uploaded."""
    return _folder(recording) / "source"


def _columns(recording: StoredRecording) -> ColumnMapping | None:
    """Return the mapping that a recording was read by, None for one in a known layout."""
    from app.har.recordings.mappings.mapping import from_section

    stored = recording.facts.get("mapping")
    return from_section(Section(recording.filename, stored["document"])) if stored else None


def _folder(recording: StoredRecording) -> Path:
    return Path(current_app.config["UPLOADS"]) / recording.folder


def shown_name(filename: str) -> str:
    """Return what to call a file: as the person named it, but printable and of a length that fits."""
    return "".join(c for c in filename if c.isprintable()).strip()[-255:] or "recording"


def _facts(source: Path, signals: SignalSet) -> dict[str, Any]:
    return {
        "bytes": source.stat().st_size,
        "minutes": round(float(signals.length.sum()) / signals.sampling_rate_hz / 60, 3),
        "recordings": len(signals.recording_ids),
        "channels": list(signals.channels),
    }


def _save_result(path: Path, result: PredictionResult) -> None:
    names = {
        "model": result.model,
        "activities": result.activities,
        "recording_ids": result.recording_ids,
        "truth_activities": result.truth_activities,
        "sensors": result.sensors,
        "origin_utc_s": result.origin_utc_s,
        "problems": [asdict(problem) for problem in result.problems],
    }
    np.savez_compressed(
        path,
        names=np.frombuffer(json.dumps(names).encode(), dtype=np.uint8),
        proba=result.proba.astype(np.float32),
        start_s=result.start_s,
        end_s=result.end_s,
        recording=result.recording,
        truth=result.truth,
        sensor_attention=result.sensor_attention.astype(np.float32),
        unfamiliar=result.unfamiliar,
    )


def _load_result(path: Path) -> PredictionResult:
    with np.load(path, allow_pickle=False) as stored:
        arrays = dict(stored)
    names = {"sensors": [], "origin_utc_s": [], **json.loads(arrays.pop("names").tobytes())}
    n = len(arrays["proba"])  # results of the first version don't say what the model listened to
    arrays = {"sensor_attention": np.zeros((n, 0), np.float32), "unfamiliar": np.zeros(n, bool), **arrays}
    return PredictionResult(
        model=names["model"],
        activities=tuple(names["activities"]),
        recording_ids=tuple(names["recording_ids"]),
        truth_activities=tuple(names["truth_activities"]),
        sensors=tuple(names["sensors"]),
        origin_utc_s=tuple(names["origin_utc_s"]),
        problems=tuple(map(Problem.from_dict, names["problems"])),
        **arrays,
    )
