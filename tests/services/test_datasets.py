"""Adding, listing and removing data sets, and what is left when something goes wrong."""

from __future__ import annotations

import hashlib
import io
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock
from flask import Flask

from app.extensions import db
from app.har.errors import HarError, UnreadableData
from app.har.progress import Event
from app.services.datasets import imports, library, recorded_rows
from app.services.datasets.imports import ImportStatus
from app.services.datasets.recorded_rows import RowQuery
from app.services.errors import Conflict, Invalid, NotFound
from app.tables import Dataset, TrainingRun
from app.tables.training_run import RunStatus
from tests.synthetic import ku_har_zip


@pytest.fixture
def archive(app: Flask, started_home: Path) -> Path:
    """Return the file that the data set "small" was made from; administrators may add it by its path."""
    app.config["DATA_FOLDERS"] = (started_home,)
    return started_home / "small.zip"


def stores(app: Flask) -> list[str]:
    """Return the names of the folders under instance/datasets/."""
    return [entry.name for entry in (app.config["INSTANCE"] / "datasets").glob("*") if entry.is_dir()]


def test_a_data_set_is_added_with_its_figures_and_can_be_opened(app: Flask, archive: Path) -> None:
    events: list[Event] = []
    dataset = library.add("small", archive, on_event=events.append)
    assert library.get("small") is dataset
    assert library.list_datasets() == [dataset]
    assert dataset.source == str(archive)
    assert (dataset.summary["recordings"], dataset.summary["subjects"]) == (6, 2)
    assert set(dataset.summary["activities"]) == {"Rest", "Walk", "Run"}
    assert library.open_dataset(dataset).summary.fingerprint == dataset.fingerprint
    assert dataset.fingerprint == hashlib.blake2b(archive.read_bytes(), digest_size=32).hexdigest()  # b2sum -l 256
    assert events[0] == {"stage": "waiting"}
    fractions = [event["fraction"] for event in events if event["stage"] == "reading"]
    assert fractions == sorted(set(fractions))
    assert len(fractions) > 1  # a reader tells ten times a second
    assert fractions[-1] == 1
    assert stores(app) == [dataset.folder]


@pytest.mark.parametrize("name", ["", "Caps", "a/b", "../x", "-a", "a b", "é", "a" * 65, "add", "a\n", "a_b"])
def test_a_name_that_breaks_the_rule_is_refused_before_anything_is_read(app: Flask, name: str) -> None:
    with pytest.raises(Invalid) as refusal:
        library.add(name, Path("nowhere"))
    assert refusal.value.field == "name"
    assert stores(app) == []


def test_a_name_that_is_taken_is_refused(small: Dataset, archive: Path) -> None:
    with pytest.raises(Conflict, match="small"):
        library.add("small", archive)
    assert library.list_datasets() == [small]


def test_a_name_taken_during_the_conversion_leaves_no_second_store(app: Flask, archive: Path) -> None:
    def someone_is_faster(event: dict[str, object]) -> None:
        if event["stage"] == "reading" and not library.list_datasets():
            row = Dataset(name="small", folder="theirs", source="", fingerprint="", summary={})
            db.session.add(row)
            db.session.commit()

    with pytest.raises(Conflict):
        library.add("small", archive, on_event=someone_is_faster)
    assert stores(app) == []
    assert library.get("small").folder == "theirs"


def test_what_cannot_be_read_leaves_nothing_in_the_database_nor_on_disk(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_bytes(b"\x00\xff" * 500)
    with pytest.raises(HarError, match=r"bad\.csv"):
        library.add("bad", tmp_path / "bad.csv")
    assert library.list_datasets() == []
    assert stores(app) == []


def test_the_same_data_under_two_names_is_stored_twice_and_says_so(small: Dataset, archive: Path) -> None:
    again = library.add("again", archive)
    assert again.folder != small.folder
    assert library.same_data(again) == [small]
    library.remove("small")
    assert library.same_data(again) == []
    assert library.open_dataset(again).summary.recordings == 6


def test_removing_deletes_the_row_and_the_files(app: Flask, small: Dataset) -> None:
    library.open_dataset(small)
    library.remove("small")
    assert stores(app) == []
    with pytest.raises(NotFound):
        library.get("small")
    with pytest.raises(NotFound):
        library.remove("small")


def test_a_data_set_in_use_by_a_training_is_kept_and_a_finished_result_outlives_it(small: Dataset) -> None:
    run = TrainingRun(dataset_id=small.id, config={"dataset": "small"}, result={})
    db.session.add(run)
    db.session.commit()
    with pytest.raises(Conflict, match="training"):
        library.remove("small")
    run.status = RunStatus.FINISHED
    db.session.commit()
    library.remove("small")
    db.session.expire_all()
    assert db.session.get(TrainingRun, run.id).dataset_id is None
    assert run.dataset_name == "small"


def test_the_embedded_example_is_registered_once_and_stays_removed(app: Flask) -> None:
    library.ensure_embedded_example()
    example = library.get("physiotherapy-example")
    assert (example.summary["recordings"], example.summary["subjects"]) == (140, 10)
    assert len(example.summary["activities"]) == 7
    library.ensure_embedded_example()
    assert library.list_datasets() == [example]
    library.remove("physiotherapy-example")
    library.ensure_embedded_example()
    assert library.list_datasets() == []
    again = library.add("mine", library.path_from_text("embedded-example"))
    assert again.summary["recordings"] == 140


def test_a_conversion_that_was_killed_is_swept_at_the_next_start(app: Flask, tmp_path: Path) -> None:
    archive = ku_har_zip(tmp_path / "large.zip", subjects=10)
    converting = f"""
import os, signal
from pathlib import Path
from app import create_app
from app.services.datasets import library
def die(event):
    if event["stage"] == "reading" and (event.get("fraction") or 0) > 0.3:
        os.kill(os.getpid(), signal.SIGKILL)
with create_app().app_context():
    library.add("dying", Path({str(archive)!r}), on_event=die)
"""
    process = subprocess.run([sys.executable, "-c", converting], capture_output=True, text=True)
    assert process.returncode == -signal.SIGKILL, process.stderr
    (app.config["UPLOADS"] / "dataset-0123").write_bytes(b"of a server that died")
    kept = app.config["UPLOADS"] / "someones-recording"
    kept.mkdir()
    assert stores(app)
    library.sweep_leftovers()
    assert stores(app) == []
    assert list(app.config["UPLOADS"].iterdir()) == [kept]
    assert library.add("dying", archive).summary["subjects"] == 10


def test_a_store_that_another_process_is_writing_is_not_swept(app: Flask) -> None:
    theirs = app.config["INSTANCE"] / "datasets" / "0123456789"
    theirs.mkdir(parents=True)
    with FileLock(theirs.parent / "conversion.lock"):
        library.sweep_leftovers()
        assert theirs.exists()
    library.sweep_leftovers()
    assert not theirs.exists()


def finished(job: imports.DatasetImport) -> imports.DatasetImport:
    assert job.done.wait(60)
    db.session.rollback()  # see what the other thread committed
    return job


def test_adding_in_the_background_ends_with_the_data_set_and_no_upload(app: Flask, archive: Path) -> None:
    with archive.open("rb") as upload:
        job = finished(imports.start_import("small", upload=upload, filename="<b>evil</b>/../../x.zip"))
    assert (job.status, job.error, job.message) == (ImportStatus.FINISHED, None, "")
    assert library.get("small").source == "<b>evil</b>/../../x.zip"
    assert list(app.config["UPLOADS"].iterdir()) == []
    assert imports.get(job.token) is job
    assert imports.running() == []


def test_a_failed_adding_keeps_its_reason(app: Flask, tmp_path: Path) -> None:
    job = finished(imports.start_import("gone", path=str(tmp_path / "gone.zip")))
    assert job.status is ImportStatus.FAILED
    assert isinstance(job.error, UnreadableData)
    assert "gone.zip" in imports.get(job.token).as_dict()["message"]
    assert library.list_datasets() == []


def test_a_second_adding_waits_and_the_same_name_is_refused_meanwhile(app: Flask, archive: Path) -> None:
    (app.config["INSTANCE"] / "datasets").mkdir()
    with FileLock(app.config["INSTANCE"] / "datasets" / "conversion.lock"):
        job = imports.start_import("small", path=str(archive))
        assert imports.running() == [job]
        time.sleep(0.2)
        assert (job.status.value, job.stage) == ("running", "waiting for another import to finish")
        with pytest.raises(Conflict, match="being added"):
            imports.start_import("small", path=str(archive))
    assert finished(job).status is ImportStatus.FINISHED


def test_of_two_presses_on_the_button_one_begins(app: Flask, archive: Path) -> None:
    class Slow(io.BytesIO):
        """An upload during which the button is pressed again."""

        def read(self, size: int | None = -1) -> bytes:
            with pytest.raises(Conflict, match="being added"):
                imports.start_import("small", path=str(archive))
            return super().read(size)

    job = finished(imports.start_import("small", upload=Slow(archive.read_bytes()), filename="x.zip"))
    assert job.status is ImportStatus.FINISHED
    assert imports.running() == []


def test_an_upload_that_breaks_off_leaves_neither_file_nor_import(app: Flask, archive: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("connection reset")

    with pytest.raises(OSError, match="reset"):
        imports.start_import("small", upload=Broken(), filename="x.zip")
    assert list(app.config["UPLOADS"].iterdir()) == []
    assert finished(imports.start_import("small", path=str(archive))).status is ImportStatus.FINISHED


def test_whatever_goes_wrong_while_files_are_looked_at_ends_the_import(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("day,rain\n1,2\n")

    def fail(job: imports.DatasetImport) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(imports, "survey", fail)
    job = finished(imports.start_import("small", path=str(tmp_path / "a.csv")))
    assert job.status is ImportStatus.FAILED
    assert "See the server's log" in job.message


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ku_har_zip(tmp_path_factory.mktemp("large") / "large.zip", subjects=20, seconds=60.0)


@pytest.mark.parametrize("timeout_s", [0.02, 0.1])
def test_a_conversion_that_takes_too_long_ends_in_words_and_leaves_nothing(
    timeout_s: float, app: Flask, large: Path
) -> None:
    app.config["ADD_TIMEOUT_S"] = timeout_s
    with large.open("rb") as upload:
        job = finished(imports.start_import("large", upload=upload, filename="large.zip"))
    assert job.status is ImportStatus.FAILED
    assert "longer than" in job.message
    assert "ADD_TIMEOUT_S" in job.message
    assert [left.name for left in (app.config["INSTANCE"] / "datasets").iterdir()] == ["conversion.lock"]
    assert list(app.config["UPLOADS"].iterdir()) == []


def test_an_upload_and_a_path_at_once_or_none_is_refused(app: Flask, archive: Path) -> None:
    with pytest.raises(Invalid):
        imports.start_import("small")
    with archive.open("rb") as upload, pytest.raises(Invalid):
        imports.start_import("small", path="x", upload=upload)


def test_an_adding_of_another_life_of_the_server_is_not_known(app: Flask) -> None:
    with pytest.raises(NotFound, match="server was restarted"):
        imports.get("0" * 32)


@pytest.mark.parametrize(
    ("asked", "page", "size", "first"),
    [
        (RowQuery(), 1, 25, 0),
        (RowQuery(page=0, size=0), 1, 10, 0),
        (RowQuery(page=10**11, size=10**11), "last", 100, 0),
        (RowQuery(first_column=10**11, table="no such table", sort="no such column"), 1, 25, 0),
    ],
)
def test_a_query_that_asks_too_much_gives_way(
    small: Dataset, asked: RowQuery, page: int | str, size: int, first: int
) -> None:
    store = library.open_dataset(small)
    found = recorded_rows.find_rows(store, asked)
    assert found.query.page == (found.page.pages if page == "last" else page)
    assert (found.query.size, found.query.first_column, found.query.sort) == (size, first, "")
    assert found.query.table in store.tables
    assert 0 < len(found.page.items) <= size
    assert found.page.total == store.summary.rows


def test_every_row_is_on_exactly_one_page_and_sorting_holds_across_pages(small: Dataset) -> None:
    store = library.open_dataset(small)
    pages = recorded_rows.find_rows(store, RowQuery(size=100)).page.pages
    ax = store.columns(store.tables[0]).index("ax")
    values = [
        float(row[ax])
        for page in range(1, pages + 1)
        for row in recorded_rows.find_rows(store, RowQuery(sort="ax", size=100, page=page)).page.items
    ]
    assert len(values) == store.summary.rows
    assert values == sorted(values)


def test_a_recording_filter_shows_that_recording_alone(small: Dataset) -> None:
    store = library.open_dataset(small)
    one = store.signals.recording_ids[2]
    found = recorded_rows.find_rows(store, RowQuery(recording=one))
    assert found.columns[0] == "recording"
    assert {row[0] for row in found.page.items} == {one}
    assert 0 < found.page.total < store.summary.rows
    with pytest.raises(NotFound):
        recorded_rows.find_rows(store, RowQuery(recording="<script>"))


def test_a_preview_has_a_line_a_channel_with_its_unit(small: Dataset) -> None:
    preview = recorded_rows.preview(library.open_dataset(small), "Walk")
    assert [(line["channel"], line["unit"]) for line in preview["lines"]] == [
        ("acc_x", "m/s²"), ("acc_y", "m/s²"), ("acc_z", "m/s²"),
        ("gyro_x", "rad/s"), ("gyro_y", "rad/s"), ("gyro_z", "rad/s"),
    ]  # fmt: skip
    assert {len(line["values"]) for line in preview["lines"]} == {len(preview["time_s"])}
    assert 100 < len(preview["time_s"]) <= 4000
    assert preview["colour"].startswith("#")
    with pytest.raises(NotFound):
        recorded_rows.preview(library.open_dataset(small), "Fly")


def test_a_recording_comes_out_as_csv_that_can_be_added_again(small: Dataset, tmp_path: Path) -> None:
    store = library.open_dataset(small)
    csv = tmp_path / "one.csv"
    csv.write_text("".join(recorded_rows.recording_csv(store, store.signals.recording_ids[0])), encoding="utf-8")
    again = library.add("again", csv)
    assert again.summary["recordings"] == 1
    with pytest.raises(NotFound):
        recorded_rows.recording_csv(store, "../../etc/passwd")


def test_the_distribution_plot_is_there_in_two_formats_and_no_third(small: Dataset) -> None:
    assert library.distribution_plot(small, "png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in library.distribution_plot(small, "svg").read_bytes()[:1000]
    with pytest.raises(NotFound):
        library.distribution_plot(small, "exe")
