"""The models page, a version's page and its card, through the browser's requests."""

from __future__ import annotations

import re
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from app.services.models import model_versions, reference_models
from app.web.training.cards import title_and_text
from tests.trained import Example, register_model


def test_a_card_is_a_page_for_every_user_and_a_file_to_keep(
    app: Flask, user_client: FlaskClient, admin_client: FlaskClient
) -> None:
    reference_models.add_new()
    version = model_versions.get("reference-ku-har")
    page = user_client.get(f"/models/{version.id}/card").text
    assert "<h2>Trained on</h2>" in page
    assert f"Accuracy: {100 * version.metrics['accuracy']['value']:.1f}\u00a0%" in page
    assert not re.search(r"\b[01]\.\d{3}\b", page), "percentages and fractions on one page"
    assert page.count("<table") == page.count("</table></div>") == 2
    assert f'href="/models/{version.id}"' not in page
    assert f'href="/models/{version.id}"' in admin_client.get(f"/models/{version.id}/card").text
    file = user_client.get(f"/models/{version.id}/card?download=1")
    assert file.headers["Content-Disposition"].endswith("reference-ku-har-1.md")
    assert file.text == (model_versions.directory(version) / "model_card.md").read_text(encoding="utf-8")
    assert user_client.get(f"/models/{version.id}").status_code == 403


def test_a_card_writes_no_html_of_its_own() -> None:
    title, text = title_and_text(
        "# <b>Walk</b>\n\n<script>alert(1)</script> [x](javascript:alert(1)) 0.95 Hz, 0.9512, 1.024 s, 1.125 Hz\n"
    )
    assert title == "<b>Walk</b>"  # the template escapes it
    assert "<script" not in text
    assert "href" not in text
    assert "0.95 Hz, 0.9512, 1.024 s, 1.125 Hz" in text  # neither lengths nor frequencies are shares


def test_promotion_asks_and_the_history_offers_the_way_back(
    admin_client: FlaskClient, example_model: Example, tmp_path: Path
) -> None:
    first = register_model(example_model, tmp_path / "a", "first", promote=False)
    second = register_model(example_model, tmp_path / "b", "second", promote=False)
    assert "Default models so far" not in admin_client.get("/models/").text
    admin_client.post(f"/models/{first.id}/promote")
    page = admin_client.get("/models/").text
    assert 'data-confirm="Make second/1 the default model in place of first/1?' in page
    assert "Go back to" not in page
    admin_client.post(f"/models/{second.id}/promote")
    page = admin_client.get("/models/").text
    back = re.search(r'action="([^"]+)"(?:(?!</form>).)*Go back to first/1', page, re.DOTALL)
    assert back is not None
    history = page[page.index("Default models so far") :]
    assert history.count('data-label="Chosen by">adam</td>') == 2
    admin_client.post(back[1])
    default = model_versions.promoted()
    assert default is not None
    assert default.label == "first/1"
    admin_client.post(f"/models/{second.id}/delete")
    page = admin_client.get("/models/").text
    assert "(deleted)" in page
    assert "Go back to" not in page


def test_a_deleted_reference_model_is_brought_back_from_the_page(app: Flask, admin_client: FlaskClient) -> None:
    reference_models.add_new()
    assert "Deleted reference models" not in admin_client.get("/models/").text
    admin_client.post(f"/models/{model_versions.get('reference-phone-watch').id}/delete")
    assert "Restore reference-phone-watch" in admin_client.get("/models/").text
    page = admin_client.post("/models/reference/reference-phone-watch/restore", follow_redirects=True).text
    assert "reference-phone-watch/2 is here again." in page
    again = admin_client.post("/models/reference/reference-phone-watch/restore", follow_redirects=True).text
    assert "was not deleted" in again
