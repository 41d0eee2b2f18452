"""Labelling a data set without labels: what is shown first, what is kept, and what becomes of it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db
from app.har.datasets.description import Description, FromFolder
from app.har.datasets.survey import Survey, suggest
from app.har.errors import UnreadableData
from app.har.labelling import Choice, make_map
from app.har.labelling import choice as choice_module
from app.har.labelling.map import LabellingMap
from app.har.training.config import TrainConfig
from app.services import accounts
from app.services.datasets import imports, labelling, library
from app.services.datasets.labelling import Desk
from app.services.errors import Invalid, NotFound
from app.services.models import training_data
from app.services.transaction import transaction
from app.tables import BoutLabel, Consent, Dataset
from tests import synthetic
from tests.bad_inputs import zipped
from tests.synthetic import STRENGTHS, kinelab_csv

LATER = "label: {from: later}\nsubject: {from: folder}\n"
TRULY = ("Rest", "Walk", "Run")


@pytest.fixture
def unlabelled(app: Flask, tmp_path: Path, reads_here: None) -> Dataset:
    """Give the application recordings without any label, of two people, each at rest for most of the time."""
    files = {
        f"{person}/{activity.lower()}.csv": without_label(activity, person, 60.0 if activity == "Rest" else 12.0)
        for person in (1, 2)
        for activity in TRULY
    }
    path = tmp_path / "raw.zip"
    path.write_bytes(zipped(files))
    return library.add("raw", path, description=Description.from_yaml(LATER, "spec.yaml"))


def without_label(activity: str, person: int, seconds: float) -> str:
    lines = kinelab_csv(activity, person, seconds, gravity="included").splitlines()
    return "\n".join(line.rpartition(",")[0] for line in lines) + "\n"


@pytest.fixture
def desk(unlabelled: Dataset) -> Desk:
    """Return what labelling it needs."""
    assert labelling.desk_of(unlabelled) is None
    assert labelling._making[unlabelled.folder].done.wait(60)
    found = labelling.desk_of(unlabelled)
    assert found is not None
    return found


@pytest.fixture
def people(app: Flask) -> tuple[int, int]:
    """Return two administrators."""
    made = [accounts.register(name, "a long password", "", f"{name}@b.edu", "", "admin").id for name in ("ada", "bea")]
    return made[0], made[1]


def label_next(dataset: Dataset, desk: Desk, person: int) -> str:
    """Label the stretch that somebody is shown, as it truly is."""
    shown = labelling.next_bout(dataset, desk, labelling.labels_of(dataset), person)
    assert shown is not None
    labelling.say(dataset.name, person, shown.number, shown.recording.rpartition("/")[2].capitalize(), 2.0)
    return shown.recording


def test_the_first_stretches_are_of_all_activities_though_nothing_has_a_label(
    unlabelled: Dataset, desk: Desk, people: tuple[int, int]
) -> None:
    assert unlabelled.summary["activities"] == {}
    first = [label_next(unlabelled, desk, people[0]) for _ in range(4)]
    assert {name.rpartition("/")[2] for name in first} == {"rest", "walk", "run"}
    for _ in range(5):
        label_next(unlabelled, desk, people[0])
    named = labelling._named(desk, labelling.labels_of(unlabelled))
    files = desk.store.signals.recording_ids
    right = 0
    for number, recording in enumerate(desk.choice.map.bouts.recording):
        guess = desk.choice.guess(named, number)
        assert guess is not None
        right += guess.activity == files[recording].rpartition("/")[2].capitalize()
    assert right >= 0.9 * desk.n_bouts


def test_two_people_see_different_stretches_and_each_undoes_their_own_alone(
    unlabelled: Dataset, desk: Desk, people: tuple[int, int]
) -> None:
    ada, bea = people
    one, other = (labelling.next_bout(unlabelled, desk, [], person) for person in people)
    assert one is not None
    assert other is not None
    assert one.number != other.number
    row = labelling.say("raw", ada, one.number, "walking", 500.0)
    assert row.activity == "Walking"  # as the vocabulary writes it
    assert row.work_s == labelling.AWAY_S
    labelling.say("raw", bea, other.number, "", 3.0)
    told = labelling.progress(desk, labelling.labels_of(unlabelled), ada)
    assert (told.bouts, told.signal_s, told.work_s) == (2, one.end_s - one.start_s, 63.0)
    with pytest.raises(NotFound, match="undone already"):
        labelling.undo("raw", bea, row.id)
    labelling.undo("raw", ada, row.id)
    assert [label.activity for label in labelling.labels_of(unlabelled)] == [""]
    again = labelling.next_bout(unlabelled, desk, labelling.labels_of(unlabelled), ada)
    assert again is not None
    assert again.number == one.number
    for bout, activity in ((one.number, "<b>"), (10_000, "Walking"), (-1, "Walking")):
        with pytest.raises((Invalid, NotFound)):
            labelling.say("raw", ada, bout, activity, 1.0)


def test_what_is_labelled_becomes_a_data_set_that_holds_it_alone(
    unlabelled: Dataset, desk: Desk, people: tuple[int, int]
) -> None:
    for _ in range(8):
        label_next(unlabelled, desk, people[0])
    labelling.say("raw", people[0], int(np.argmax(desk.choice.map.bouts.start_s)), "", 1.0)  # skipped
    shared = Consent(user_id=people[1], purpose="training", version=2, pseudonym="1", copies={"datasets": ["raw"]})
    db.session.add(shared)
    db.session.commit()
    job = labelling.make_dataset("raw", "made", people[0])
    assert job.done.wait(60)
    assert job.status is imports.ImportStatus.FINISHED, job.message
    db.session.rollback()
    assert shared.copies == {"datasets": ["made", "raw"]}  # who takes theirs back is taken out of both
    made = library.open_dataset(library.get("made")).signals
    told = labelling.progress(desk, labelling.labels_of(unlabelled), people[0])
    assert (made.labels >= 0).all()
    assert len(made.signal) / made.sampling_rate_hz == pytest.approx(told.signal_s, abs=0.1)
    for name, i in zip(made.recording_ids, range(len(made.recording_ids)), strict=True):
        rows = np.isin(np.repeat(made.recording, made.length), i)
        assert {made.activities[each] for each in made.labels[rows]} == {name.rpartition("_")[2].capitalize()}


def test_labels_go_with_their_data_set_and_stay_without_who_gave_them(
    unlabelled: Dataset, desk: Desk, people: tuple[int, int]
) -> None:
    label_next(unlabelled, desk, people[0])
    db.session.delete(accounts.get(people[0]))
    db.session.commit()
    assert [label.user_id for label in labelling.labels_of(unlabelled)] == [None]
    library.remove("raw")
    assert db.session.query(BoutLabel).count() == 0


def test_labels_of_recordings_that_are_taken_out_go_with_them(small: Dataset, started_home: Path) -> None:
    there = library.open_dataset(small).signals.recording_ids[0]
    with transaction() as session:
        for recording in (there, "of somebody who took it back"):
            session.add(BoutLabel(dataset_id=small.id, recording=recording, start_s=0, end_s=3, activity="", work_s=1))
    library.renew("small", started_home / "small.zip")
    assert [label.recording for label in labelling.labels_of(small)] == [there]


def test_a_damaged_map_is_told_from_one_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "bouts.npz"
    made = make_map(synthetic.signal_set(subjects=1, seconds=12.0))
    made.save(path)
    whole = path.read_bytes()
    for damaged in (b"", whole[:5], whole[:-9], whole[: len(whole) // 2], whole.replace(b"first", b"frist")):
        path.write_bytes(damaged)
        with pytest.raises(UnreadableData):
            LabellingMap.load(path)
    path.write_bytes(whole)
    assert len(LabellingMap.load(path).bouts) == len(made.bouts)


def test_however_many_labels_there_are_the_rare_ones_count_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    choice = Choice(make_map(synthetic.signal_set(subjects=6, seconds=60.0)))
    labels = dict.fromkeys(range(len(choice.map.bouts)), "often") | {3: "rare", 7: "rare", 9: ""}
    left = {bout: name for bout, name in labels.items() if bout != 11}
    before, learnt = choice.next(left), []
    monkeypatch.setattr(choice_module, "MOST_LEARNT", 4)
    monkeypatch.setattr(choice_module, "AT_ONCE", 5)
    monkeypatch.setattr(Choice, "_hidden", lambda self, bouts: learnt.append(bouts) or np.ones((len(bouts), 2)))
    assert choice.next(left) == before == 11
    choice.guess(left, 11)
    assert len(learnt[-2]) == 6
    assert {3, 7} <= set(learnt[-2].tolist())


def test_a_rare_activity_is_found_sooner_than_by_chance() -> None:
    signals = synthetic.signal_set(subjects=6, seconds=60.0)
    choice, chosen = Choice(make_map(signals)), {}
    bouts = choice.map.bouts
    for _ in range(len(STRENGTHS) + 2):
        bout = choice.next(chosen)
        assert bout is not None
        sample = np.searchsorted(signals.recording, bouts.recording[bout])
        chosen[bout] = signals.activities[int(signals.labels[signals.first[sample]])]
    assert set(chosen.values()) == set(STRENGTHS)


def test_the_page_takes_a_key_a_name_of_ones_own_and_a_skip_and_tells_what_is_missing(
    admin_client: FlaskClient, unlabelled: Dataset, desk: Desk
) -> None:
    page = admin_client.get("/datasets/raw/label").text
    assert "No guess yet" in page
    for sent in ({"activity": "is:Walking"}, {"activity": "other", "other": "limping"}, {"activity": "skip"}):
        shown = page.partition('name="bout" value="')[2].partition('"')[0]
        answer = admin_client.post("/datasets/raw/label", data=sent | {"bout": shown, "shown_at": "0"})
        assert answer.status_code == 302
        page = admin_client.get("/datasets/raw/label").text
    assert [label.activity for label in labelling.labels_of(unlabelled)] == ["Walking", "limping", ""]
    keys = re.findall(r'value="is:([^"]+)" data-key="(.)"', page)
    assert keys[:4] == [("Walking", "1"), ("limping", "2"), ("Still", "a"), ("Standing", "b")]  # the own ones first
    assert len({key for _, key in keys}) == len(keys) == 15
    assert "Guess: <strong>" in page
    empty = admin_client.post("/datasets/raw/label", data={"activity": "other", "other": "", "bout": "0"})
    assert (empty.status_code, "Write what it is" in empty.text) == (422, True)
    far = "9" * 400
    for path, sent, status in (
        ("", {"activity": "is:Walking", "bout": far, "shown_at": far}, 404),
        ("", {"activity": "skip", "bout": "-" + far, "shown_at": "-" + far}, 404),
        ("", {"bout": "0"}, 422),
        ("", {"activity": "is:", "bout": "0"}, 422),
        ("/undo", {"label": far}, 404),
        ("/undo", {"label": "-1"}, 404),
    ):
        assert admin_client.post(f"/datasets/raw/label{path}", data=sent).status_code == status
    assert len(labelling.labels_of(unlabelled)) == 3
    for path in ("", "/people", "/recordings", "/settings", "/problems"):
        assert admin_client.get(f"/datasets/raw{path}").status_code == 200
    assert "raw (nothing is labelled yet)" in admin_client.get("/training/?dataset=raw").text
    with pytest.raises(Invalid, match="Nothing in raw has a label"):
        training_data.check_usable([unlabelled], TrainConfig())
    assert admin_client.get("/datasets/none/label").status_code == 404


@pytest.mark.parametrize(
    ("names", "label", "level"),
    [
        (("07/recording.csv", "08/recording.csv"), "later", 1),
        (("study/P 1/a.csv", "study/P 2/b.csv"), "name", 1),
        (("walking/P1/x.csv", "sitting/P1/y.csv", "walking/P2/x.csv"), "folder", 1),
        (("1/a/x.csv", "2/b/x.csv"), "folder", 2),
        (("site/1/a/x.csv", "site/2/b/x.csv"), "folder", 2),
        (("lab/ada/x.csv", "lab/bea/x.csv"), "folder", 2),
    ],
)
def test_the_folder_that_numbers_people_is_taken_for_theirs(names: tuple[str, ...], label: str, level: int) -> None:
    found = suggest(Survey(names, (), (), len(names), (), (), known=True), None)
    assert isinstance(found.subject, FromFolder)
    assert (found.label.kind, found.subject.level) == (label, level)
    assert getattr(found.label, "level", None) != level


def test_files_without_labels_are_added_by_saying_so(
    admin_client: FlaskClient, tmp_path: Path, reads_here: None
) -> None:
    files = {"1/a.csv": without_label("Walk", 1, 12.0), "2/b.csv": without_label("Run", 2, 12.0)}
    data = {"name": "mine", "file": (io.BytesIO(zipped(files)), "mine.zip")}
    response = admin_client.post("/datasets/add", data=data, content_type="multipart/form-data")
    token = response.location.rpartition("/")[2]
    assert imports.get(token).done.wait(60)
    answers = {"label_from": "later", "subject_from": "folder", "subject_level": "1", "clock": "start", "submit": "1"}
    checked = admin_client.post(f"/datasets/add/{token}/describe", data=answers | {"submit": ""}).text
    assert "to be labelled here</td>" in " ".join(checked.split()).replace(" </td>", "</td>")
    assert "No file gets an activity" not in checked
    admin_client.post(f"/datasets/add/{token}/describe", data=answers)
    assert imports.get(token).done.wait(60)
    db.session.rollback()
    assert library.get("mine").summary["activities"] == {}
