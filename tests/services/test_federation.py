"""What a site gives away, whose files it takes, and the model that is stored; with masks and without."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import numpy as np
import pytest
from flask import Flask

from app.har.classifiers.elm_gru_am.persistence import load_model
from app.har.errors import InsufficientData, UnreadableData
from app.har.federation.envelope import document_of, opened
from app.services import audit
from app.services.datasets import library
from app.services.errors import Conflict, Invalid, NotFound
from app.services.federation import masked, merging, sharing, sites
from app.services.models import model_versions
from app.tables import ModelVersion
from tests.federation import acting_as, small_model
from tests.trained import FIGURES, Example

DATASET = "physiotherapy-example"
pytestmark = pytest.mark.usefixtures("described_once")


@pytest.fixture
def base(example: Flask, small_lab: Path, tmp_path: Path) -> ModelVersion:
    """Give the application the data set of the example, a small model, and minimums that the example reaches."""
    example.config["FEDERATION_MIN_WINDOWS"] = 100
    shutil.copytree(small_lab, tmp_path / "saved")
    return model_versions.register("lab", tmp_path / "saved", FIGURES)


def known(*names: str) -> None:
    """Make sites known to each other, as their administrators would."""
    keys = {"here": sites.own_public_key()}
    for name in names:
        with acting_as(name):
            keys[name] = sites.own_public_key()
    for name in names:
        sites.add(name, keys[name])
    with acting_as(names[0]):
        sites.add("centre", keys["here"])


def test_the_key_of_a_site_is_made_once_for_its_owner_alone(app: Flask) -> None:
    key = sites.own_public_key()
    path = Path(app.config["INSTANCE"]) / "federation" / "site_key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sites.own_public_key() == key
    assert len(key) == 64
    assert path.read_bytes().hex() != key


def test_a_site_is_known_by_one_name_and_one_key(app: Flask) -> None:
    site = sites.add("leeds", " ".join(["AB" * 4] * 8))
    assert site.public_key == "ab" * 32
    assert sites.name_of("ab" * 32) == "leeds"
    for name, key, error in [
        ("leeds", "cd" * 32, Conflict), ("ulm", "ab" * 32, Conflict), ("ULM", "cd" * 32, Invalid),
        ("this-site", "cd" * 32, Invalid), ("ulm", "cd" * 31, Invalid), ("ulm", "xy" * 32, Invalid),
        ("ulm", sites.own_public_key(), Invalid), ("ulm", "00" * 32, Invalid), ("ulm", "01" + "00" * 31, Invalid),
    ]:  # fmt: skip
        with pytest.raises(error):
            sites.add(name, key)
    assert sites.remove("leeds") == "leeds"
    with pytest.raises(NotFound):
        sites.remove(site.id)
    with pytest.raises(Invalid, match="no site that is known here"):
        sites.name_of("ab" * 32)


def test_two_sites_are_merged_into_a_model_whose_card_names_them(base: ModelVersion, tmp_path: Path) -> None:
    known("leeds")
    here = sharing.export_sums("lab", DATASET, tmp_path / "here.sums")
    with acting_as("leeds"):
        sharing.export_sums("lab/1", DATASET, tmp_path / "leeds.sums")
    version = merging.merge([tmp_path / "leeds.sums", tmp_path / "here.sums"], "lab/1", "joint")
    card = model_versions.card(version)
    assert card is not None
    for text in ("leeds", "this-site", "lab/1", f"{2 * here.counts.n_windows:,} windows of 20 people"):
        assert text in card.read_text(encoding="utf-8")
    joint, shared = load_model(model_versions.directory(version)), sharing.shared_map(version)
    assert shared.digest == sharing.shared_map(base).digest, "sites can go on with what they made together"
    windows = sharing.windows_of(shared, DATASET)
    assert (joint.predict_proba(windows).argmax(axis=1) == windows.y).mean() > 0.9
    assert model_versions.accuracy_in_words(version) == "joint/1 has no record of how it was tested."
    sharing.export_sums("joint/1", DATASET, tmp_path / "next.sums")


def test_a_joint_model_is_tested_on_people_of_the_site_that_merges(base: ModelVersion, tmp_path: Path) -> None:
    known("leeds", "ulm")
    for name in ("leeds", "ulm"):
        with acting_as(name):
            sharing.export_sums("lab", DATASET, tmp_path / f"{name}.sums")
    sharing.export_sums("lab", DATASET, tmp_path / "here.sums")
    files = [tmp_path / "leeds.sums", tmp_path / "ulm.sums"]
    with pytest.raises(Invalid, match="keep some apart") as refused:
        merging.merge([*files, tmp_path / "here.sums"], "lab", "joint", DATASET)
    assert refused.value.field == "test"
    with pytest.raises(NotFound):
        merging.merge(files, "lab", "joint", "no such data")
    version = merging.merge(files, "lab", "joint", DATASET)
    shared = sharing.shared_map(version)
    windows = sharing.windows_of(shared, DATASET)
    right = load_model(model_versions.directory(version)).predict_proba(windows).argmax(axis=1) == windows.y
    assert version.metrics["accuracy"]["value"] == pytest.approx(right.mean())
    assert "for 10 people it was not trained on" in model_versions.accuracy_in_words(version)
    card = model_versions.card(version)
    assert card is not None
    text = card.read_text(encoding="utf-8")
    assert f"on {len(windows):,} windows of 10 people of the data set {DATASET}" in text
    assert "Macro F1" in text
    assert "not tested" not in text
    names = set(windows.subjects.tolist())
    assert not names & {one["subject"] for one in version.metrics["per_subject"]}, "a joint model goes to other sites"
    assert shared.digest == sharing.shared_map(base).digest, "a test changes nothing for the next round"


def test_files_say_no_more_than_sums_and_counts(base: ModelVersion, tmp_path: Path) -> None:
    given = sharing.export_sums("lab", DATASET, tmp_path / "a.sums")
    document = document_of(tmp_path / "a.sums")
    assert set(document) == {
        "kind", "made", "map", "model", "activities", "nodes", "windows", "people", "n_people", "noise", "signer",
        "payload_bytes",
    }  # fmt: skip
    assert sum(document["windows"]) == given.counts.n_windows
    numbers = np.frombuffer(opened((tmp_path / "a.sums").read_bytes(), "a").payload, "<f8")
    assert len(numbers) < given.counts.n_windows * document["nodes"] / 2, "fewer than the rows have"
    assert any("sums shared" in path.read_text() for path in audit.files())


def test_what_says_too_much_of_few_people_is_not_written(example: Flask, base: ModelVersion, tmp_path: Path) -> None:
    example.config["FEDERATION_MIN_WINDOWS"] = 10_000
    with pytest.raises(InsufficientData, match="at least 10,000 windows"):
        sharing.export_sums("lab", DATASET, tmp_path / "a.sums")
    example.config["FEDERATION_MIN_WINDOWS"], example.config["FEDERATION_MIN_PEOPLE"] = 100, 11
    with pytest.raises(InsufficientData, match="at least 11 people"):
        sharing.export_sums("lab", DATASET, tmp_path / "a.sums")
    assert not (tmp_path / "a.sums").exists()


def test_only_files_that_fit_are_merged(base: ModelVersion, example_model: Example, tmp_path: Path) -> None:
    sharing.export_sums("lab", DATASET, tmp_path / "a.sums")
    with pytest.raises(Conflict, match="there already"):
        sharing.export_sums("lab", DATASET, tmp_path / "a.sums")
    sharing.export_sums("lab", DATASET, tmp_path / "again.sums")
    with acting_as("stranger"):
        sharing.export_sums("lab", DATASET, tmp_path / "strange.sums")
    shutil.copytree(example_model.model, tmp_path / "full")
    model_versions.register("full", tmp_path / "full", FIGURES)
    changed = tmp_path / "changed.sums"
    content = bytearray((tmp_path / "a.sums").read_bytes())
    content[-1000] ^= 1
    changed.write_bytes(content)
    for names, model, error, message in [
        (["a"], "lab", Invalid, "at least two sites"),
        (["a", "again"], "lab", Invalid, "count twice"),
        (["a", "strange"], "lab", Invalid, "no site that is known"),
        (["a", "changed"], "lab", UnreadableData, "changed after"),
        (["a", "again"], "full", UnreadableData, "another model"),
        (["a", "none"], "lab", UnreadableData, "cannot be read"),
    ]:
        with pytest.raises(error, match=message):
            merging.merge([tmp_path / f"{name}.sums" for name in names], model, "joint")
    with pytest.raises(Invalid, match="lower-case"):
        merging.merge([tmp_path / "a.sums"], "lab", "Joint model")
    assert [version.name for version in model_versions.list_versions()] == ["full", "lab"]


def shared_by(names: list[str], folder: Path, noise: tuple[float, float, int] | None = None) -> list[Path]:
    """Open a round of sites that know each other, and let them share their seeds; return their files."""
    known(*names)
    keys = [folder / f"{name}.keys" for name in names]
    for name, file in zip(names, keys, strict=True):
        with acting_as(name):
            masked.make_keys("lab", DATASET, file)
    assert masked.open_round(keys, folder / "round", noise_for=noise) == 2
    shares = [folder / f"{name}.shares" for name in names]
    for name, file in zip(names, shares, strict=True):
        with acting_as(name):
            masked.share(folder / "round", file)
    return shares


def test_two_files_of_a_site_in_one_round_show_no_more_than_one(base: ModelVersion, tmp_path: Path) -> None:
    shares = shared_by(["leeds", "ulm", "graz"], tmp_path)
    round_ = tmp_path / "round"
    with acting_as("leeds"):
        masked.share(round_, tmp_path / "again.shares")
        assert document_of(tmp_path / "again.shares") == document_of(shares[0])
        masked.mask(round_, shares, tmp_path / "first")
        masked.mask(round_, shares, tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == (tmp_path / "first").read_bytes()
        with pytest.raises(Conflict, match="other masked sums in this round"):
            masked.mask(round_, shares[:2], tmp_path / "without graz")
    assert not (tmp_path / "without graz").exists()


def test_noise_of_a_round_is_that_of_all_and_on_the_card(base: ModelVersion, tmp_path: Path) -> None:
    names = ["leeds", "ulm", "graz"]
    shares = shared_by(names, tmp_path, (8.0, 1e-5, 20))
    round_ = tmp_path / "round"
    masks, answers = [tmp_path / f"{name}.masked" for name in names], [tmp_path / f"{name}.answer" for name in names]
    for name, file in zip(names, masks, strict=True):
        with acting_as(name):
            given = masked.mask(round_, shares, file)
    assert masked.ask(round_, masks, tmp_path / "ask") == []
    for name, file in zip(names, answers, strict=True):
        with acting_as(name):
            masked.answer(round_, shares, tmp_path / "ask", file)
    version = merging.merge([round_, *masks, *answers], "lab", "joint")
    facts = model_versions.info(version)["manifest"]["federation"]
    assert given.counts.n_windows == 200, "20 windows of each of 10 people"
    assert sum(facts["windows"]) == 600
    assert facts["noise"][0]["epsilon"] == 8.0
    card = model_versions.card(version)
    assert card is not None
    assert "Noise of all sites together: differential privacy for each person with ε = 8" in card.read_text("utf-8")


def test_a_joint_model_is_not_tested_on_what_its_base_or_the_base_of_that_was_trained_on(
    example: Flask, base: ModelVersion, example_model: Example, tmp_path: Path
) -> None:
    known("leeds", "ulm")
    folder = small_model(example_model, tmp_path / "seen", fingerprint=library.get(DATASET).fingerprint)
    model_versions.register("seen", folder, FIGURES)
    files = [tmp_path / "leeds.sums", tmp_path / "ulm.sums"]
    for name, file in zip(("leeds", "ulm"), files, strict=True):
        with acting_as(name):
            sharing.export_sums("seen", DATASET, file)
    for model in ("seen", merging.merge(files, "seen", "joint").label):
        with pytest.raises(Invalid, match="windows that it has seen") as refused:
            merging.merge(files, model, "again", DATASET)
        assert refused.value.field == "test"


def test_a_round_of_masked_sums_survives_a_site_that_drops_out(
    example: Flask, base: ModelVersion, tmp_path: Path
) -> None:
    names = ["leeds", "ulm", "graz"]
    shares = shared_by(names, tmp_path)

    def path(name: str, kind: str) -> Path:
        return tmp_path / f"{name}.{kind}"

    for name in names[:2]:
        with acting_as(name):
            given = masked.mask(tmp_path / "round", shares, path(name, "masked"))
    files = [path(name, "masked") for name in names[:2]]
    assert masked.ask(tmp_path / "round", files, tmp_path / "ask") == ["graz"]
    for name in names[:2]:
        with acting_as(name):
            masked.answer(tmp_path / "round", shares, tmp_path / "ask", path(name, "answer"))
            with pytest.raises(InsufficientData, match="second answer"):
                masked.answer(tmp_path / "round", shares, tmp_path / "ask", path(name, "twice"))
            with pytest.raises(InsufficientData, match="secrets are deleted"):
                masked.mask(tmp_path / "round", shares, path(name, "late"))  # with masks that anybody could take off
    answers = [path(name, "answer") for name in names[:2]]
    version = merging.merge([tmp_path / "round", *files, *answers], "lab", "joint")
    facts = model_versions.info(version)["manifest"]["federation"]
    assert facts["missing"] == ["graz"]
    assert facts["masked"]
    assert facts["windows"] == (2 * given.counts.windows).tolist()
    assert facts["n_people"] == 20
    plain = [tmp_path / "one.sums", tmp_path / "two.sums"]
    for name, one in zip(names, plain, strict=False):
        with acting_as(name):
            sharing.export_sums("lab", DATASET, one)
    same = load_model(model_versions.directory(merging.merge(plain, "lab", "plain"))).elm_.betas
    for pattern, beta in load_model(model_versions.directory(version)).elm_.betas.items():
        np.testing.assert_allclose(beta, same[pattern], rtol=1e-5, atol=1e-7)  # as they are stored, in float32
