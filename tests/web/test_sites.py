"""The page Sites: who is known, which sums are here, and the joint model."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.services.federation import received, sharing, sites
from app.services.models import model_versions
from tests.federation import acting_as
from tests.trained import FIGURES

DATASET = "physiotherapy-example"
pytestmark = pytest.mark.usefixtures("described_once")


@pytest.fixture
def files(example: Flask, small_lab: Path, tmp_path: Path) -> list[Path]:
    """Give the application a data set and a small model; return the sums of two sites, and add both."""
    example.config["FEDERATION_MIN_WINDOWS"] = 100
    model_versions.register("lab", shutil.copytree(small_lab, tmp_path / "saved"), FIGURES)
    paths, keys = [tmp_path / "leeds.sums", tmp_path / "ulm.sums"], []
    for path in paths:
        with acting_as(path.stem):
            sharing.export_sums("lab", DATASET, path)
            keys.append(sites.own_public_key())
    for path, key in zip(paths, keys, strict=True):
        sites.add(path.stem, key)
    return paths


def uploaded(client: FlaskClient, *paths: Path) -> tuple[int, str]:
    response = client.post(
        "/sites/files", data={"files": [(io.BytesIO(path.read_bytes()), path.name) for path in paths]}
    )
    return response.status_code, response.get_data(as_text=True)


def test_two_sites_are_uploaded_seen_and_merged(files: list[Path], admin_client: FlaskClient) -> None:
    assert uploaded(admin_client, *files)[0] == 302
    page = admin_client.get("/sites/").get_data(as_text=True)
    tokens = re.findall(r'name="tokens" value="([0-9a-f]{32})" checked', page)
    assert len(tokens) == 2
    assert "leeds" in page
    assert "ulm" in page
    windows = received.list_files()[0].n_windows
    assert page.count(f'data-label="Windows">{windows:,}<') == 2
    answer = admin_client.post("/sites/merge", data={"tokens": tokens[:1], "model": "lab/1", "name": "joint"})
    assert answer.status_code == 422
    assert "two sites at least" in answer.get_data(as_text=True)
    tested = {"tokens": tokens, "model": "lab/1", "name": "tested", "test": DATASET}
    answer = admin_client.post("/sites/merge", data=tested)
    assert "Protocol" in admin_client.get(answer.location).get_data(as_text=True)
    assert admin_client.post("/sites/merge", data=tested | {"test": "nothing"}).status_code == 422
    answer = admin_client.post("/sites/merge", data={"tokens": tokens, "model": "lab/1", "name": "joint"})
    version = model_versions.get("joint/1")
    assert answer.status_code == 302
    assert answer.location == f"/models/{version.id}"
    assert "not tested when it was made" in admin_client.get(answer.location).get_data(as_text=True)
    assert "leeds" in admin_client.get(f"/models/{version.id}/card").get_data(as_text=True)
    assert "joint/1" in admin_client.get("/models/").get_data(as_text=True)
    admin_client.post(f"/sites/files/{tokens[0]}/delete")
    assert [one.token for one in received.list_files()] == tokens[1:]


def test_the_base_that_the_files_name_is_proposed_and_a_second_file_of_a_site_has_its_name(
    files: list[Path], admin_client: FlaskClient, small_lab: Path, tmp_path: Path
) -> None:
    model_versions.register("newer", shutil.copytree(small_lab, tmp_path / "newer"), FIGURES)
    uploaded(admin_client, *files)
    with acting_as("leeds"):
        sharing.export_sums("lab", DATASET, tmp_path / "again.sums", (5.0, 1e-5, 20))
    uploaded(admin_client, tmp_path / "again.sums")
    page = admin_client.get("/sites/").get_data(as_text=True)
    assert '<option selected value="lab/1">' in page
    assert '<option value="newer/1">' in page
    tokens = [one.token for one in received.list_files()]
    answer = admin_client.post("/sites/merge", data={"tokens": tokens, "model": "lab/1", "name": "joint"})
    assert answer.status_code == 422
    assert "There are two files of leeds" in answer.get_data(as_text=True)
    assert admin_client.post("/sites/merge", data={"tokens": tokens, "name": "joint"}).status_code == 422


def test_a_file_that_is_not_to_be_trusted_is_refused_in_words(
    files: list[Path], admin_client: FlaskClient, tmp_path: Path
) -> None:
    content = bytearray(files[0].read_bytes())
    content[-500] ^= 1
    (tmp_path / "changed.sums").write_bytes(content)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    for name, text in [("changed.sums", "was changed after"), ("other.csv", "is no file of a federation")]:
        status, page = uploaded(admin_client, tmp_path / name)
        assert status == 422
        assert f"{name} {text}" in page
    assert received.list_files() == []
    uploaded(admin_client, files[0])
    status, page = uploaded(admin_client, files[0], files[1])
    assert status == 409
    assert "leeds.sums is here already" in page
    assert len(received.list_files()) == 2, "the other file of the same upload is taken"
    admin_client.post(f"/sites/{sites.list_sites()[0].id}/remove")
    status, page = uploaded(admin_client, files[0])
    assert status == 422
    assert "no site that is known here" in page
    assert "no longer known" in page, "sums of a site that was removed can only be deleted"


def test_a_file_that_is_deleted_while_the_page_is_made_is_not_shown(app: Flask, admin_client: FlaskClient) -> None:
    gone = received._folder() / f"{'0' * 32}{received.ENDING}"
    gone.symlink_to("deleted")
    assert admin_client.get("/sites/").status_code == 200


def test_a_site_is_added_once_with_a_key_that_can_be(admin_client: FlaskClient) -> None:
    key = "ab" * 32
    assert admin_client.post("/sites/add", data={"name": "leeds", "public_key": key}).status_code == 302
    for name, other, status in [
        ("leeds", "cd" * 32, 409),
        ("ulm", "no key", 422),
        ("Ulm!", "cd" * 32, 422),
        ("", "", 422),
    ]:
        assert admin_client.post("/sites/add", data={"name": name, "public_key": other}).status_code == status
    page = admin_client.get("/sites/").get_data(as_text=True)
    assert sites.fingerprint(key) in page
    assert sites.fingerprint(sites.own_public_key()) in page


def test_only_administrators_see_and_change_sites(
    files: list[Path], user_client: FlaskClient, log_in: Callable[..., FlaskClient]
) -> None:
    assert user_client.get("/sites/").status_code == 403
    assert uploaded(user_client, files[0])[0] == 403
    for address in ("/sites/add", "/sites/1/remove", f"/sites/files/{'a' * 32}/delete", "/sites/merge"):
        assert user_client.post(address).status_code == 403
    admin = log_in("adam", role="admin")
    assert admin.post(f"/sites/files/{'a' * 32}/delete").status_code == 404
    assert admin.post("/sites/999/remove").status_code == 404
