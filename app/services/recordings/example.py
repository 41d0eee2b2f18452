"""The embedded example as a recording to try the site with."""

from __future__ import annotations

import io

from app.services.datasets import library
from app.services.errors import NotFound
from app.services.models import model_versions
from app.services.recordings.recordings import shown_name
from app.services.recordings.uploads import store_and_recognise
from app.tables import Dataset, ModelVersion, Prediction

PAUSE_S = 5.0  # between the recordings that are put into one file: no window may reach over it


def example_file() -> tuple[str, str]:
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
    recording_ids = [
        name for name, subject in zip(store.signals.recording_ids, subjects, strict=True) if subject == person
    ]
    lines, end_s = [""], 0.0
    for name in recording_ids:
        lines[0], *rows = "".join(store.recording_csv(name)).splitlines()
        times, rest = zip(*(row.split(",", 1) for row in rows), strict=True)
        shift_s = end_s - float(times[0])
        lines += [f"{float(time) + shift_s:.6f},{cells}" for time, cells in zip(times, rest, strict=True)]
        end_s = float(times[-1]) + shift_s + PAUSE_S
    return f"example-person-{shown_name(person)}.csv", "\n".join([*lines, ""])


def upload_example(user_id: int) -> Prediction:
    """Upload a file of the embedded example for a user, to be recognised by a model that knows its activities."""
    name, text = example_file()
    model = model_of_example()
    return store_and_recognise(user_id, name, io.BytesIO(text.encode()), model.id if model else None)


def model_of_example() -> ModelVersion | None:
    """Return a model trained on the embedded example, the promoted one if it was; None if there is no such model."""
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
