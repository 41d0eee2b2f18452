"""Real models, and files to recognise activities in."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.base import Recogniser
from app.har.datasets.store import Store
from app.tables import ModelVersion

NAME = "physiotherapy-example"
FIGURES = {name: {"value": 0.91, "low": 0.88, "high": 0.94} for name in ("accuracy", "precision", "recall", "f1")}
HEADER = "time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z"


@dataclass(frozen=True)
class Example:
    """A data set's store and the folder of a model."""

    store: Store
    model: Path

    def csv(self, recording: int = 0) -> bytes:
        """Return one recording of the data set as a file that can be uploaded."""
        return "".join(self.store.recording_csv(self.store.signals.recording_ids[recording])).encode()


def register_model(example: Example, folder: Path, name: str = NAME, promote: bool = True) -> ModelVersion:
    """Put a copy of the model into the store, as a training would, and promote it."""
    from app.extensions import db
    from app.services.models import model_versions
    from app.tables import TrainingRun
    from app.tables.training_run import RunStatus

    run = TrainingRun(status=RunStatus.FINISHED, config={"protocol": "subject", "dataset": name}, result={})
    db.session.add(run)
    db.session.commit()
    shutil.copytree(example.model, folder / "saved")
    version = model_versions.register(name, folder / "saved", FIGURES, run.id)
    return model_versions.promote(version.id) if promote else version


def make_base(folder: Path) -> None:
    """Write a small model of ELM-GRU-AM into a new folder, of movement without gravity at 50 Hz."""
    from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
    from app.har.classifiers.elm_gru_am.config import ModelConfig
    from app.har.classifiers.elm_gru_am.persistence import save_model
    from tests import synthetic

    config = ModelConfig(n_selected=20, units=8, elm_nodes=80, elm_convolutions=40)
    model = ActivityClassifier(config).fit(synthetic.window_set(subjects=5), epochs=1)
    save_model(model, folder, extra={"data": {"dataset": "old data", "fingerprint": "0123"}})


def register_base(saved: Path, folder: Path, fingerprint: str = "0123") -> ModelVersion:
    """Register a copy of the small model as "old", which has seen data with this fingerprint."""
    from app.har.classifiers.elm_gru_am.persistence import load_model, save_model
    from app.services.models import model_versions

    save_model(load_model(saved), folder / "old", extra={"data": {"dataset": "old data", "fingerprint": fingerprint}})
    return model_versions.register("old", folder / "old", {})


def change_protocol(version: ModelVersion, protocol: str) -> None:
    """Write another protocol of the test into a version's manifest, and the digest that belongs to it."""
    from app.har.classifiers.model_folder import _digest_of
    from app.services.models import model_versions

    path = model_versions.directory(version) / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    del manifest["manifest_sha256"]
    manifest["split"]["protocol"] = protocol
    path.write_text(json.dumps(manifest | {"manifest_sha256": _digest_of(manifest)}), encoding="utf-8")


def load(version: ModelVersion) -> Recogniser:
    """Return the model of a version, as a reader loads it."""
    from app.services.models import model_files, model_versions

    return model_files.load(model_versions.directory(version), version.label)


def recording_csv(
    seconds: float = 12.0,
    *,
    rate_hz: float = 50.0,
    gravity: float = 9.81,
    scale: float = 1.0,
    gap_at_s: float | None = None,
    activities: Sequence[str] | None = None,
    channels: Sequence[int] = range(6),
) -> bytes:
    """Make a file in Kinelab's own layout: an arm that swings. ``activities`` share its length evenly."""
    n = int(seconds * rate_hz)
    time_s = np.arange(n) / rate_hz
    rng = np.random.default_rng(0)
    swing = np.sin(2 * np.pi * 1.5 * time_s)[:, None] * np.array([2.0, 1.0, 0.5, 1.0, 0.5, 0.2])
    values = swing + rng.normal(0, 0.05, (n, 6)) + np.array([0, 0, gravity, 0, 0, 0])
    values[:, :3] *= scale
    if gap_at_s is not None:
        time_s = np.where(time_s < gap_at_s, time_s, time_s + 30)
    return _text(time_s, values, channels, activities)


def _text(
    time_s: NDArray[np.float64], values: NDArray[np.float64], channels: Sequence[int], activities: Sequence[str] | None
) -> bytes:
    names = HEADER.split(",")
    text = io.StringIO()
    text.write(",".join(["time_s", *(names[1 + c] for c in channels), *(["activity"] if activities else [])]) + "\n")
    for i, (moment, row) in enumerate(zip(time_s, values, strict=True)):
        label = [activities[i * len(activities) // len(time_s)]] if activities else []
        text.write(",".join([f"{moment:.4f}", *(f"{row[c]:.5f}" for c in channels), *label]) + "\n")
    return text.getvalue().encode()
