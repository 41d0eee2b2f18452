"""Which model recognises a file of several devices, where nobody chose one."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask

from app.extensions import db
from app.har.errors import UnusableRecording
from app.services.models import model_versions, reference_models
from app.services.recordings import recordings, uploads
from app.tables import Prediction, User
from tests import cases, trained
from tests.exports import zipped

PERSON = "s04"  # one of those on whom the model of phone and watch was tested


@pytest.fixture(autouse=True)
def released(app: Flask) -> None:
    reference_models.add_new()


def of_person(data_dir: Path, devices: tuple[str, ...] = ("sp", "sw"), on_its_side: bool = False) -> bytes:
    """Return two recordings of a person of SP-SW-HAR, perhaps with the watch on its side, as a zip archive."""
    target = io.BytesIO()
    with zipfile.ZipFile(data_dir / "sp-sw-har" / "sp-sw-har.zip") as source, zipfile.ZipFile(target, "w") as archive:
        for number in (1, 2):
            for device in devices:
                name = f"DATA/{PERSON}/{PERSON}_{number:02d}_{device}.csv"
                header, *lines = source.read(name).decode().splitlines()
                if device == "sw" and on_its_side:
                    lines = [turned(line) for line in lines]
                archive.writestr(name, "\n".join([header, *lines]))
    return target.getvalue()


def turned(line: str) -> str:
    """Turn a row: the device's first axis becomes its second one."""
    x, y, z, turn_x, turn_y, turn_z, *rest = line.split(",")
    return ",".join([z, x, y, turn_z, turn_x, turn_y, *rest])


def upload(user: User, content: bytes, **options: Any) -> Prediction:
    prediction = uploads.receive(user.id, "walk.zip", io.BytesIO(content), **options)
    assert isinstance(prediction, Prediction)
    return prediction


def test_a_file_of_phone_and_watch_goes_to_the_model_that_reads_both(user: User, data_dir: Path) -> None:
    prediction = upload(user, of_person(data_dir))
    result = recordings.result_of(prediction)
    assert prediction.model_label == "reference-phone-watch/1"
    assert prediction.model_version is not None
    assert result.chosen_because.startswith("The file holds phone and watch. reference-phone-watch/1 reads them")
    assert prediction.summary["chosen_because"] == result.chosen_because
    assert not [problem for problem in result.problems if problem.kind == "unused device"]


def test_devices_unlike_its_training_go_to_the_default_model_and_the_page_says_why(user: User, data_dir: Path) -> None:
    prediction = upload(user, of_person(data_dir, on_its_side=True))
    assert prediction.model_label == "reference-everyday/1"
    because = recordings.result_of(prediction).chosen_because
    assert "reference-everyday/1 reads one device, here the phone. reference-phone-watch/1 reads them" in because
    assert "a sensor is unlike its training data" in because


def test_a_person_who_chooses_a_model_gets_it(user: User, data_dir: Path) -> None:
    chosen = model_versions.get("reference-everyday")
    prediction = upload(user, of_person(data_dir), version_id=chosen.id)
    assert prediction.model_version is chosen
    assert recordings.result_of(prediction).chosen_because == ""


def test_one_device_goes_to_the_default_model(user: User, data_dir: Path) -> None:
    prediction = upload(user, of_person(data_dir, devices=("sw",)))
    assert prediction.model_label == "reference-everyday/1"
    assert recordings.result_of(prediction).chosen_because == ""


@pytest.mark.parametrize("fault", ["less often right", "tested on people it knew"])
def test_a_model_of_both_must_be_as_good_by_its_card(fault: str, user: User, data_dir: Path) -> None:
    both = model_versions.get("reference-phone-watch")
    if fault == "less often right":
        both.metrics = {**both.metrics, "accuracy": {"value": 0.5, "low": 0.4, "high": 0.6}}
        db.session.commit()
    else:
        trained.change_protocol(both, "random")
    prediction = upload(user, of_person(data_dir))
    assert prediction.model_label == "reference-everyday/1"
    because = recordings.result_of(prediction).chosen_because
    assert "None that reads them together was right as often with new people." in because


def test_without_a_model_of_both_the_file_goes_to_the_default_one(user: User, data_dir: Path) -> None:
    model_versions.delete("reference-phone-watch")
    prediction = upload(user, of_person(data_dir))
    assert prediction.model_label == "reference-everyday/1"
    assert "No model here reads them together." in recordings.result_of(prediction).chosen_because


def test_a_default_model_that_reads_both_needs_no_reason(user: User, data_dir: Path) -> None:
    model_versions.promote("reference-phone-watch")
    prediction = upload(user, of_person(data_dir))
    assert prediction.model_label == "reference-phone-watch/1"
    assert recordings.result_of(prediction).chosen_because == ""


def test_one_device_is_read_by_a_model_of_several(tmp_path: Path) -> None:
    """An app exports one device without saying which; a model of phone and watch takes it for the phone."""
    t, acceleration, rotation, _ = cases.person()
    files = {"TotalAcceleration.csv": acceleration, "Gyroscope.csv": rotation}
    path = tmp_path / "phone.zip"
    path.write_bytes(zipped({name: cases.sensor_logger(t, values) for name, values in files.items()}))
    result = recordings.predict_file(path, path.name, "reference-phone-watch").result
    assert result.summary()["windows"] > 20
    told = {problem.kind: problem.action for problem in result.problems}
    taken, _, named = told["missing device"].partition(". ")
    assert taken == "taken for the phone; expect more errors"
    assert named.startswith("reference-everyday/1 and ")
    assert named.endswith(" read one device")


@pytest.mark.parametrize(("file", "device"), [("WristMotion", "watch"), ("Headphone", "phone")])
def test_a_watch_alone_is_taken_for_the_watch(tmp_path: Path, file: str, device: str) -> None:
    t, acceleration, rotation, gravity = cases.person()
    path = tmp_path / "watch.zip"
    text = cases.wrist_motion(t, acceleration, rotation, gravity)
    path.write_bytes(zipped({f"{file}.csv": text, "HeartRate.csv": cases.heart_rate()}))
    result = recordings.predict_file(path, path.name, "reference-phone-watch").result
    (told,) = [problem for problem in result.problems if problem.kind == "missing device"]
    assert told.action.startswith(f"taken for the {device}; expect more errors")
    assert told.detail.endswith(f"the file holds the {'headphones' if device == 'phone' else device} alone")


def gravity_free(folder: Path, seconds: float = 30) -> Path:
    t, acceleration, rotation, gravity = cases.person(seconds)
    path = folder / "walk.csv"
    path.write_text(cases.table(cases.KINELAB, *np.column_stack([t, acceleration - gravity, rotation]).round(4).T))
    return path


def test_a_refusal_names_the_models_that_fit(tmp_path: Path) -> None:
    path = gravity_free(tmp_path)
    with pytest.raises(UnusableRecording, match="gravity was removed") as refusal:
        recordings.predict_file(path, path.name, "reference-physiotherapy")
    fitting = str(refusal.value).partition(" Choose ")[2]
    assert fitting.endswith(", which can read it.")
    labels = fitting.removesuffix(", which can read it.").split(" or ")
    assert set(labels) == {"reference-everyday/1", "reference-ku-har/1"}  # not that of phone and watch, with gravity
    for label in labels:
        assert recordings.predict_file(path, path.name, label).result.summary()["windows"] > 5


def test_a_refusal_of_an_upload_names_them_too(user: User, tmp_path: Path) -> None:
    model_versions.delete("reference-ku-har")
    version_id = model_versions.get("reference-physiotherapy").id
    with pytest.raises(UnusableRecording, match="Choose reference-everyday/1, which can read it"):
        upload(user, zipped({"walk.csv": gravity_free(tmp_path).read_text()}), version_id=version_id)


def test_what_no_model_can_read_names_none(tmp_path: Path) -> None:
    path = gravity_free(tmp_path, seconds=0.9)
    with pytest.raises(UnusableRecording, match="the model needs at least 3 s") as refusal:
        recordings.predict_file(path, path.name, "reference-ku-har")
    assert "Choose" not in str(refusal.value)
