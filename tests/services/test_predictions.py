"""From an uploaded file to what was recognised in it, with a real model, and nothing left behind."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from flask import Flask
from sqlalchemy import func, select

from app.extensions import db
from app.har.classifiers.types import Wearing
from app.har.errors import HarError, ModelIntegrityError, UnreadableData, UnusableRecording
from app.har.measures.heart_rate import usual_by_node
from app.har.vocabulary import DEFAULT_LIMIT
from app.services.errors import Conflict, NotFound
from app.services.models import model_versions, reference_models
from app.services.recordings import beside, figures, recordings, uploads
from app.tables import ModelVersion, Prediction, StoredRecording, User
from tests import exports, trained
from tests.long_recording import a_day, make_old, store
from tests.recognised import bouts, windows
from tests.sealed import bytes_of
from tests.services.conftest import a_user
from tests.trained import Example, recording_csv, register_model


def upload(user: User, content: bytes, name: str = "a.csv", **options: Any) -> Prediction:
    return uploads.store_and_recognise(user.id, name, io.BytesIO(content), **options)


def drawn(prediction: Prediction, from_s: float | None = None, to_s: float | None = None) -> dict[str, Any]:
    """Return what is drawn of the first recording of an upload, each axis of its sensors."""
    recognised = recordings.result_of(prediction)
    return figures.timeline_data(prediction.recording, recognised, 0, from_s=from_s, to_s=to_s, axes=True)


def upload_folders(app: Flask) -> list[Path]:
    return list(Path(app.config["UPLOADS"]).iterdir())


def count(table: type) -> int:
    return db.session.scalar(select(func.count()).select_from(table)) or 0


def zipped(**files: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        for name, content in files.items():
            target.writestr(f"{name}.csv", content)
    return archive.getvalue()


def test_a_file_that_cannot_be_read_is_told_before_the_model_is_loaded(
    app: Flask, user: User, model: ModelVersion
) -> None:
    (model_versions.directory(model) / "manifest.json").write_text("{}")  # loading it would fail
    with pytest.raises(UnreadableData, match=r"a\.csv: is empty"):
        upload(user, b"")
    with pytest.raises(ModelIntegrityError):
        upload(user, recording_csv())
    assert upload_folders(app) == []


def test_an_upload_is_stored_with_what_was_recognised_in_it(
    app: Flask, user: User, model: ModelVersion, example_model: Example, tmp_path: Path
) -> None:
    content = example_model.csv()
    stages: list[str] = []
    prediction = upload(user, content, "mine.csv", on_event=lambda event: stages.append(event["stage"]))
    recording = prediction.recording
    assert (recording.user_id, recording.filename) == (user.id, "mine.csv")
    assert prediction.model_label == "physiotherapy-example/1"
    folder = Path(app.config["UPLOADS"]) / recording.folder
    assert bytes_of(folder / "source") == content
    assert content not in (folder / "source").read_bytes()
    assert folder.stat().st_mode & 0o077 == 0
    assert stages[0] == "reading"
    assert stages[-1] == "recognising"

    stored = recordings.result_of(prediction)
    (tmp_path / "mine.csv").write_bytes(content)
    direct = recordings.predict_file(tmp_path / "mine.csv", "mine.csv").result
    np.testing.assert_allclose(stored.proba, direct.proba, atol=1e-5)
    assert bouts(stored) == bouts(direct)
    assert prediction.summary["minutes_per_activity"] == direct.summary()["minutes_per_activity"]
    seconds = content.count(b"\n") / 50
    assert len(stored) == pytest.approx(seconds // 3, abs=1)
    assert prediction.summary["compared"] == len(stored)


def test_a_file_on_disk_can_be_uploaded_as_well_as_a_stream(user: User, model: ModelVersion, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(recording_csv())
    with (tmp_path / "a.csv").open("rb") as file:
        prediction = uploads.store_and_recognise(user.id, "a.csv", file)
    assert prediction.summary["windows"] == 4


def test_windows_start_anew_after_a_gap_and_the_gap_is_told(user: User, model: ModelVersion) -> None:
    result = recordings.result_of(upload(user, recording_csv(16, gap_at_s=7.0)))
    starts = result.start_s - result.start_s[0]
    assert len(starts) == 2 + 3
    assert starts[:2] == pytest.approx([0, 3], abs=0.05)
    assert starts[2] == pytest.approx(37, abs=0.1)
    assert any("gap" in problem.kind for problem in result.problems)


def test_the_rate_of_the_file_need_not_be_that_of_the_model(user: User, model: ModelVersion) -> None:
    slow, fast = (upload(user, recording_csv(12.5, rate_hz=rate)) for rate in (25.0, 200.0))
    assert len(recordings.result_of(slow)) == len(recordings.result_of(fast)) == 4
    views = [drawn(prediction, 2.0, 4.0)["signal"][0] for prediction in (slow, fast)]
    assert views[0]["time_s"] == pytest.approx(views[1]["time_s"])
    assert len(views[0]["time_s"]) == pytest.approx(100, abs=2)  # the model's 50 Hz
    assert np.corrcoef(views[0]["values"], views[1]["values"])[0, 1] > 0.99


def test_labels_are_compared_whatever_their_case_and_unknown_ones_are_counted_apart(
    user: User, model: ModelVersion
) -> None:
    known = trained.load(model).activities[0]
    summary = upload(user, recording_csv(12.0, activities=[known.upper(), "juggling"])).summary
    assert summary["windows"] == 4
    assert (summary["deepest_compared"], summary["labels_unknown_to_model"]) == (2, 2)
    assert summary["deepest_right"] in {0, 1, 2}


def test_labels_are_compared_whatever_another_data_set_calls_them(
    app: Flask, user: User, walking_model: Example, tmp_path: Path
) -> None:
    register_model(walking_model, tmp_path, "walking")
    summary = upload(user, recording_csv(24.2, activities=["wlk", "WALKING_UPSTAIRS", "juggling", "SIT"])).summary
    assert (summary["deepest_compared"], summary["labels_unknown_to_model"]) == (6, 2)


def test_several_recordings_in_a_zip_are_told_apart_and_the_unusable_ones_left_out(
    user: User, model: ModelVersion
) -> None:
    content = zipped(one=recording_csv(12), two=recording_csv(9), armless=recording_csv(channels=range(3)))
    result = recordings.result_of(upload(user, content, "both.zip"))
    assert len(result.recording_ids) == 3
    assert np.bincount(result.recording_index).tolist() == [4, 3, 4]
    (problem,) = [p for p in result.problems if p.kind == "missing sensor"]
    assert "armless" in problem.source
    assert "gyroscope" in problem.detail
    armless = result.recording_index == result.recording_ids.index(problem.source)
    assert (result.sensor_attention[armless, 1] < 1e-3).all()
    assert (result.sensor_attention[~armless, 1] > 1e-3).any()


def test_a_missing_sensor_is_not_asked_for_where_its_columns_were_not_read(user: User, model: ModelVersion) -> None:
    actions = []
    for content in (recording_csv(channels=range(3)), recording_csv().replace(b"gyro_", b"rotation_")):
        problems = recordings.result_of(upload(user, content)).problems
        actions += [problem.action for problem in problems if problem.kind == "missing sensor"]
    assert ["Upload one zip" in action for action in actions] == [True, False]
    assert "not used" in actions[1]


def test_a_sensor_that_a_recording_lacks_is_not_drawn(user: User, model: ModelVersion) -> None:
    prediction = upload(user, recording_csv(channels=range(3)), "no_gyroscope.csv")
    traces = drawn(prediction)["signal"]
    assert [trace["channel"] for trace in traces] == ["acc_x", "acc_y", "acc_z"]
    assert None not in traces[0]["values"]


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        pytest.param(recording_csv(2.0), UnusableRecording, r"at least 3 s.*[Rr]ecord for longer", id="too short"),
        pytest.param(recording_csv(gravity=0.0), UnusableRecording, "gravity", id="gravity removed"),
        pytest.param(recording_csv(scale=40.0), UnusableRecording, r"more than twice gravity|thousandths", id="unit"),
        pytest.param(b"", UnreadableData, "empty", id="empty"),
        pytest.param(b"\x00\x01\x02" * 500, UnreadableData, "a.csv", id="binary"),
        pytest.param(b"name,age\nann,3\nbob,4\n", UnreadableData, "a.csv", id="another table"),
    ],
)
def test_what_the_model_cannot_take_is_refused_in_words_and_nothing_of_it_remains(
    app: Flask, user: User, model: ModelVersion, content: bytes, error: type[HarError], words: str
) -> None:
    with pytest.raises(error, match=f"(?s){words}"):
        upload(user, content)
    assert upload_folders(app) == []
    assert count(StoredRecording) == count(Prediction) == 0


def test_nothing_remains_when_the_last_step_fails(
    app: Flask, user: User, model: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OSError("the last step")

    monkeypatch.setattr(db.session, "commit", fail)
    with pytest.raises(OSError, match="the last step"):
        uploads.store_and_recognise(user.id, "a.csv", io.BytesIO(recording_csv()))
    monkeypatch.undo()
    assert upload_folders(app) == []
    assert count(StoredRecording) == count(Prediction) == 0


def test_without_a_promoted_model_nothing_is_read_and_the_way_out_is_told(
    app: Flask, user: User, example_model: Example, tmp_path: Path
) -> None:
    register_model(example_model, tmp_path, promote=False)
    with pytest.raises(Conflict, match="train a model and make it the default"):
        upload(user, recording_csv())
    with pytest.raises(Conflict, match="administrator"):
        recordings.predict_file(tmp_path / "nothing.csv", "nothing.csv")
    assert upload_folders(app) == []


def test_a_changed_model_refuses_to_recognise_anything(app: Flask, user: User, model: ModelVersion) -> None:
    file = next(model_versions.directory(model).glob("*.npz"))
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ModelIntegrityError, match=file.name):
        upload(user, recording_csv())
    assert upload_folders(app) == []


def test_another_users_recording_does_not_exist_not_even_for_an_administrator(user: User, model: ModelVersion) -> None:
    prediction = upload(user, recording_csv())
    for stranger in (a_user("sam"), a_user("ada", "admin")):
        assert recordings.list_recordings(stranger.id) == []
        for use in (recordings.get, recordings.delete, recordings.repredict):
            with pytest.raises(NotFound):
                use(stranger.id, prediction.recording_id)
    assert recordings.get(user.id, prediction.recording_id).filename == "a.csv"


def test_a_prediction_of_another_recording_is_not_found_through_this_one(user: User, model: ModelVersion) -> None:
    first, second = upload(user, recording_csv()), upload(user, recording_csv(15))
    with pytest.raises(NotFound):
        recordings.get_prediction(first.recording, second.id)


def test_a_deleted_recording_leaves_nothing(app: Flask, user: User, model: ModelVersion) -> None:
    gone, kept = upload(user, recording_csv()), upload(user, recording_csv(15), "kept.csv")
    recordings.delete(user.id, gone.recording_id)
    assert [p.name for p in upload_folders(app)] == [kept.recording.folder]
    assert [r.filename for r in recordings.list_recordings(user.id)] == ["kept.csv"]
    assert count(Prediction) == 1


def test_what_a_dead_process_left_is_removed_at_start_and_nothing_else(
    app: Flask, user: User, model: ModelVersion
) -> None:
    kept = upload(user, recording_csv()).recording.folder
    for name in ("recording-dead", "dataset-being-added"):
        (Path(app.config["UPLOADS"]) / name).mkdir()
        (Path(app.config["UPLOADS"]) / name / "source").write_text("half")
    assert recordings.remove_orphans() == 1
    assert {p.name for p in upload_folders(app)} == {kept, "dataset-being-added"}


def test_another_model_can_be_asked_once_and_its_answer_outlives_it(
    user: User, model: ModelVersion, example_model: Example, tmp_path: Path
) -> None:
    prediction = upload(user, recording_csv())
    other = register_model(example_model, tmp_path / "other", "clinic", promote=False)
    second = recordings.repredict(user.id, prediction.recording_id, other.id)
    assert second.model_label == "clinic/1"
    assert recordings.repredict(user.id, prediction.recording_id, other.id) is second
    assert recordings.repredict(user.id, prediction.recording_id) is prediction
    assert count(Prediction) == 2
    model_versions.delete(other.id)
    db.session.expire_all()
    assert second.model_version is None
    assert second.model_label == "clinic/1"
    assert len(recordings.result_of(second)) == 4


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/passwd", "../../etc/passwd"),
        ("/etc/passwd", "/etc/passwd"),
        ("walk\x00\x1b[2J\n.csv", "walk[2J.csv"),
        ("", "recording"),
        ("x" * 300 + ".csv", "x" * 251 + ".csv"),
        ("Übung №3.csv", "Übung №3.csv"),
    ],
)
def test_a_file_is_shown_under_its_name_and_never_stored_under_it(
    app: Flask, user: User, model: ModelVersion, sent: str, shown: str
) -> None:
    recording = upload(user, recording_csv(), sent).recording
    assert recording.filename == shown
    assert recording.folder.startswith("recording-")
    assert {p.name for p in upload_folders(app)} == {recording.folder}


def test_the_signal_is_thinned_for_the_plot_and_a_gap_stays_a_gap(user: User, model: ModelVersion) -> None:
    prediction = upload(user, recording_csv(200, gap_at_s=80.0))
    traces = drawn(prediction)["signal"]
    assert [t["channel"] for t in traces] == ["acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"]
    for trace in traces:
        assert len(trace["time_s"]) == len(trace["values"])
        assert trace["values"].count(None) == 1
        assert trace["time_s"] == sorted(trace["time_s"])
    assert 3000 < sum(len(t["values"]) for t in traces[:3]) <= 4000
    inside = [t for t, v in zip(traces[0]["time_s"], traces[0]["values"], strict=True) if v is not None]
    assert not [t for t in inside if 81 < t < 109]


def test_a_closer_look_shows_every_sample_of_a_short_stretch(user: User, model: ModelVersion) -> None:
    prediction = upload(user, recording_csv(200))
    trace = drawn(prediction, 50.0, 52.0)["signal"][0]
    assert len(trace["values"]) == pytest.approx(100, abs=2)
    assert trace["time_s"][0] == pytest.approx(50, abs=0.03)
    assert trace["time_s"][-1] == pytest.approx(52, abs=0.03)


def test_the_time_of_day_that_an_app_writes_down_is_kept_with_what_was_recognised(
    user: User, model: ModelVersion
) -> None:
    export = exports.zipped(exports.sensor_logger(exports.walk()))
    prediction = upload(user, export, "2025-05-12_08-00-00.zip")
    result = recordings.result_of(prediction)
    (origin,) = result.origin_utc_s
    assert origin is not None
    written = [datetime.fromisoformat(bout["start_utc"].replace("Z", "+00:00")) for bout in bouts(result)]
    assert written[0].timestamp() == pytest.approx(origin + result.start_s[0], abs=0.001)
    assert drawn(prediction)["axis"] == "Time of day (UTC)"


def test_what_an_earlier_version_stored_is_read_without_what_it_did_not_store(app: Flask, user: User) -> None:
    _, result = a_day(2.0, rate_hz=1.0)
    wearing = Wearing("day.csv", 0.0, 7200.0, "leg", reference="this recording", reference_start_s=60.0)
    result = replace(result, limit=0.9, wearings=(wearing,))
    prediction = store(app, user.id, None, result)
    stored = recordings.result_of(prediction)
    assert stored.origin_utc_s == result.origin_utc_s
    assert (stored.limit, stored.wearings) == (0.9, (wearing,))
    assert (stored.answers == result.answers).all()
    make_old(app, prediction)
    old = recordings.result_of(prediction)
    assert (old.limit, old.wearings, old.unfamiliar.any()) == (DEFAULT_LIMIT, (), False)
    assert bouts(old)[0]["start_utc"] is None
    deepest = [bouts(each, "deepest") for each in (old, result)]
    assert [b["start_s"] for b in deepest[0]] == [b["start_s"] for b in deepest[1]]


@pytest.mark.parametrize("damage", [b"PK", b""])
def test_what_an_earlier_version_summarised_is_summarised_as_answers_at_the_next_start(
    app: Flask, user: User, damage: bytes
) -> None:
    _, result = a_day(2.0, rate_hz=1.0)
    renewed, damaged, todays = (store(app, user.id, None, replace(result, limit=limit)) for limit in (0.9, 0.9, 0.6))
    make_old(app, renewed)
    make_old(app, damaged)
    (Path(app.config["UPLOADS"]) / damaged.recording.folder / f"{damaged.id}.npz").write_bytes(damage)
    recordings.renew_summaries()
    assert renewed.summary == recordings.result_of(renewed).summary()
    assert "limit" not in damaged.summary
    assert todays.summary["limit"] == 0.6


def test_a_result_keeps_the_limit_it_was_made_with_until_it_is_asked_for_again(
    user: User, model: ModelVersion, example_model: Example
) -> None:
    prediction = upload(user, example_model.csv())
    before = recordings.result_of(prediction)
    assert before.limit == prediction.summary["limit"] == DEFAULT_LIMIT
    model_versions.set_limit(model.id, 0.99)
    assert recordings.result_of(prediction).limit == DEFAULT_LIMIT
    assert recordings.result_of(upload(user, recording_csv())).limit == 0.99
    again = recordings.repredict(user.id, prediction.recording_id)
    assert again is prediction
    after = recordings.result_of(again)
    assert (after.limit, again.summary["limit"]) == (0.99, 0.99)
    assert (after.proba == before.proba).all()
    assert after.answered.sum() < before.answered.sum()
    folder = recordings.folder_of(prediction.recording)
    assert {path.name for path in folder.glob("*.npz")} == {f"{prediction.id}.npz", "slots.npz", "stretches.npz"}


def test_what_is_left_after_the_last_window_is_not_called_missing(user: User, model: ModelVersion) -> None:
    prediction = upload(user, recording_csv(61.5))
    whole = drawn(prediction)
    assert whole["range_s"][1] == pytest.approx(61.5, abs=0.1)
    assert [band["end_s"] for band in whole["recognised"]][-1] == pytest.approx(60, abs=0.05)
    assert None not in {band["activity"] for band in whole["recognised"]}
    end = drawn(prediction, 60.5, 61)
    assert (end["recognised"], len(end["signal"])) == ([], 6)


def test_of_three_axes_the_length_of_their_vector_is_drawn_first(user: User, model: ModelVersion) -> None:
    prediction = upload(user, recording_csv(60, gap_at_s=20.0))
    result = recordings.result_of(prediction)
    acceleration, rotation = figures.timeline_data(prediction.recording, result, 0, from_s=5, to_s=8)["signal"]
    assert (acceleration["sensor"], rotation["sensor"]) == ("Acceleration (m/s²)", "Rotation (rad/s)")
    axes = drawn(prediction, 5, 8)["signal"][:3]
    lengths = np.sqrt(np.square([axis["values"] for axis in axes]).sum(axis=0))
    np.testing.assert_allclose(acceleration["values"], lengths, atol=1e-3)
    assert acceleration["time_s"] == axes[0]["time_s"]
    whole = figures.timeline_data(prediction.recording, result, 0)["signal"][0]
    assert whole["values"].count(None) == 1  # the gap


@pytest.mark.real_data
def test_heart_rate_skin_temperature_and_conductance_have_lanes_of_their_own(user: User, data_dir: Path) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for path in (data_dir / "stress-predict" / "S01").iterdir():
            file.write(path, path.name)
    reference_models.add_new()
    prediction = upload(user, archive.getvalue(), "S01.zip")
    for axes in (False, True):
        signal = figures.timeline_data(prediction.recording, recordings.result_of(prediction), 0, axes=axes)["signal"]
        lanes = {trace["sensor"]: trace for trace in signal}
        assert list(lanes)[-3:] == ["Heart rate (beats/min)", "Skin conductance (µS)", "Skin temperature (°C)"]
        assert next(iter(lanes)).startswith("Acceleration")
        usual = usual_by_node([(1, prediction.summary["minutes_per_heart_rate"])])
        assert usual
        assert all(50 < own.low < own.median < own.high < 130 for own in usual.values())
        for name, low, high in (("Heart rate (beats/min)", 50, 130), ("Skin temperature (°C)", 25, 30)):
            assert low < min(filter(None, lanes[name]["values"])) < max(filter(None, lanes[name]["values"])) < high
            assert len(lanes[name]["values"]) <= 4000
    result = recordings.result_of(prediction)
    measured = beside.by_activity(prediction.recording, result, 0)
    assert measured is not None
    assert measured.sensors == ("Heart rate (beats/min)", "Skin conductance (µS)", "Skin temperature (°C)")
    for name, (pulse, _, skin) in measured.rows:
        assert name in result.answer_names
        assert pulse is not None
        assert skin is not None
        assert 50 < pulse.low <= pulse.median <= pulse.high < 130
        assert 25 < skin.low <= skin.high < 30
    whole_s = sum(pulse.seconds for _, (pulse, *_) in measured.rows if pulse)
    assert whole_s == pytest.approx(float((result.end_s - result.start_s).sum()), rel=0.05)
    start, end = result.start_s[[100, 120]].tolist()
    closer = figures.timeline_data(prediction.recording, recordings.result_of(prediction), 0, from_s=start, to_s=end)
    heart = next(trace for trace in closer["signal"] if trace["sensor"].startswith("Heart"))
    assert len(heart["values"]) == pytest.approx(60, abs=3)  # one a second


@pytest.mark.parametrize("file_format", ["png", "svg"])
def test_the_timeline_is_drawn_for_a_paper(user: User, model: ModelVersion, file_format: str) -> None:
    prediction = upload(user, recording_csv(gap_at_s=6.0), "5$ walk_{$.csv")
    image = figures.timeline_image(prediction.recording, recordings.result_of(prediction), 0, file_format)
    assert image.startswith(b"\x89PNG") if file_format == "png" else b"<svg" in image[:1000]
    assert len(image) > 5000


def test_the_picture_says_what_is_seen(user: User, model: ModelVersion) -> None:
    activities = trained.load(model).activities
    prediction = upload(user, recording_csv(60, activities=[activities[0], activities[1]], gap_at_s=30.0), "arm.csv")
    result = recordings.result_of(prediction)
    whole = figures.timeline_image(prediction.recording, result, 0, "svg").decode()
    for words in ("arm.csv", "Recognised by physiotherapy-example/1", "In the file", "Acceleration (m/s²)",
                  "Rotation (rad/s)", "missing", "Time since the start", activities[0]):  # fmt: skip
        assert words in whole, words
    assert ">x<" not in whole
    closer = figures.timeline_image(prediction.recording, result, 0, "svg", from_s=3, to_s=9, axes=True).decode()
    assert "0:00:03 – 0:00:09 (6.0 s)" in closer
    assert ">missing<" not in closer
    assert ">x<" in closer


@pytest.mark.real_data
def test_the_papers_test_file_gives_sixty_rows_of_their_own(
    app: Flask, user: User, walking_model: Example, tmp_path: Path, data_dir: Path
) -> None:
    windows_file = data_dir / "ku-har" / "subsamples_60x1803.csv"
    register_model(walking_model, tmp_path, "walking")
    with windows_file.open("rb") as file:
        prediction = uploads.store_and_recognise(user.id, "subsamples.csv", file)
    result = recordings.result_of(prediction)
    assert result.layout == "windows"
    assert len(windows(result)) == len(bouts(result)) == 60
    # ten each of Stand, Sit, Walk, Run, Stair-up and Stair-down
    activities = {"Stand", "Sit", "Lay", "Walk", "Run", "Stair-up", "Stair-down"}
    assert {row["deepest_activity"] for row in windows(result)} <= activities
    summary = prediction.summary
    assert (summary["deepest_compared"], summary["labels_unknown_to_model"]) == (60, 0)
    assert summary["deepest_right"] > 50
    assert summary["windows_per_depth"]["none"] == 60 - summary["compared"] < 10
    assert summary["right"] > 50
    assert figures.timeline_data(prediction.recording, result, None)["signal"] == []
    assert figures.timeline_image(prediction.recording, result, None, "png").startswith(b"\x89PNG")


def test_a_sensor_that_is_often_unlike_the_training_is_named(
    user: User, model: ModelVersion, example_model: Example
) -> None:
    good = upload(user, example_model.csv(), "good.csv")
    recording = pd.read_csv(io.BytesIO(example_model.csv()))
    recording[["gyro_x", "gyro_y", "gyro_z"]] = 0.3  # it hangs
    dead = upload(user, recording.to_csv(index=False).encode(), "dead.csv")
    kinds = [{problem["kind"]: problem for problem in prediction.summary["problems"]} for prediction in (good, dead)]
    assert "unlike the training data" not in kinds[0]
    assert "the gyroscope is unlike anything" in kinds[1]["unlike the training data"]["detail"]


def test_a_device_that_was_turned_over_is_told(user: User, model: ModelVersion, example_model: Example) -> None:
    upright = example_model.csv(16)  # an exercise in which gravity never comes from the other side
    recording = pd.read_csv(io.BytesIO(upright))
    recording[["acc_y", "acc_z", "gyro_y", "gyro_z"]] *= -1
    as_it_was = upload(user, upright, "good.csv")
    turned = upload(user, recording.to_csv(index=False).encode(), "turned.csv")
    kinds = [{p["kind"]: p["detail"] for p in prediction.summary["problems"]} for prediction in (as_it_was, turned)]
    assert "unseen orientation" not in kinds[0]
    assert "gravity acts on the accelerometer in a direction not seen in training" in kinds[1]["unseen orientation"]
