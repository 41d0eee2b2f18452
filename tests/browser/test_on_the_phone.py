"""A phone that recognises by itself: without a network, with the server's answers, from the same windows."""

from __future__ import annotations

import threading
import zipfile
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from app.har.recordings.upload import read_upload
from app.har.signals.filters import Preparation, prepare
from app.har.types import FloatArray
from app.har.vocabulary import AnswerTree
from app.har.windows import iter_window_batches
from app.services.models import exports, model_files, model_versions
from app.services.recordings import example, recognise
from app.services.recordings.resample import resample
from tests import homes
from tests.browser.site import Site, register

pytestmark = pytest.mark.browser
SOON = 60_000  # ms; beside other tests a browser takes long to compile the runtime
REMEMBER = "document.addEventListener('recognised', ({ detail }) => { window.recognised = detail; })"
CHANNELS = [f"{kind}_{axis}" for kind in ("acc", "gyro") for axis in "xyz"]
MOVE = """() => setInterval(() => {
  const wave = Math.sin(2 * Math.PI * 0.5 * performance.now() / 1000);
  window.dispatchEvent(new DeviceMotionEvent("devicemotion", {
    acceleration: { x: 0.5, y: wave, z: 0.3 }, accelerationIncludingGravity: { x: 0.5, y: 9.81 + wave, z: 0.3 },
    rotationRate: { alpha: 40 * wave, beta: 10, gamma: 5 }, interval: 16,
  }));
}, 16)"""
CUT = """async ([text, input]) => {
  const { readCsv, windowsOf } = await import("/live/here/signal.js");
  const { starts_s, X } = windowsOf(readCsv(text, input.channels.map(({ name }) => name)), input);
  return { starts_s, X: Array.from(X, (value) => (Number.isNaN(value) ? null : value)) };
}"""


class SilentHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@dataclass(frozen=True)
class OnServer:
    """A site with a model for browsers, and what the server says of the example."""

    site: Site
    archive: Path
    example: Path
    probabilities: FloatArray
    answers: list[str]
    unfamiliar: list[bool]


@pytest.fixture(scope="module")
def on_server(site: Site, tmp_path_factory: pytest.TempPathFactory) -> OnServer:
    folder = tmp_path_factory.mktemp("phone")
    with homes.at_home(site.home):
        version = model_versions.get("reference-physiotherapy")
        exports.make(version.id, "browser", "float32")
        name, text = example.example_file()
        (folder / name).write_text(text)
        load, limit = lambda: model_files.load(model_versions.directory(version), "x"), model_versions.limit_of(version)
        result = recognise.recognise(folder / name, name, recognise.always(recognise.Model("x", load, limit))).result
        tree = AnswerTree(result.activities)
        answers = [tree.nodes[i] for i in tree.answers(result.proba, limit)]
        archive = exports.artefact(version, "browser", "float32")
    return OnServer(site, archive, folder / name, result.proba, answers, result.unfamiliar.tolist())


def test_without_a_network_the_phone_answers_as_the_server_does(page: Page, on_server: OnServer) -> None:
    address = on_server.site.address
    page.add_init_script(REMEMBER)
    page.goto(f"{address}/live/here/")
    expect(page.locator("#state")).to_contain_text("Log in once")
    register(page, address, "alone")
    page.goto(f"{address}/live/")
    page.get_by_role("link", name="On this phone only").click()
    expect(page.locator("#state")).to_contain_text("This page works without a network.", timeout=SOON)
    page.context.set_offline(True)
    page.reload()
    assert page.get_by_role("link", name="Log in").is_visible()  # what is kept is nobody's page
    expect(page.locator("#state")).to_contain_text("This page works without a network.", timeout=SOON)
    page.get_by_role("button", name="Try the example").click()
    expect(page.locator("#took")).to_contain_text(f"{len(on_server.answers)} windows")
    found: list[dict[str, Any]] = page.evaluate(
        "recognised.map((one) => ({ ...one, probabilities: [...one.probabilities] }))"
    )
    assert [one["answer"] for one in found] == on_server.answers
    assert [one["unfamiliar"] for one in found] == on_server.unfamiliar
    apart = np.abs(np.array([one["probabilities"] for one in found]) - on_server.probabilities)
    assert apart.max() <= 1e-3
    assert page.evaluate("fetch('/live/here/models', { cache: 'reload' }).then((r) => r.ok)")  # kept
    page.set_input_files("#file", {"name": "a.csv", "mimeType": "text/csv", "buffer": b"time_s,acc_x\n0,1\n"})
    expect(page.locator("#trouble")).to_contain_text("This file can't be read here")
    page.evaluate(MOVE)
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#now-band i").first).to_be_attached()
    expect(page.locator("#sure")).not_to_be_empty()
    page.get_by_role("button", name="Stop").click()
    assert page.get_by_role("button", name="Start").is_enabled()
    page.context.set_offline(False)


def test_the_archive_is_a_page_of_its_own(page: Page, on_server: OnServer, tmp_path: Path) -> None:
    with zipfile.ZipFile(on_server.archive) as archive:
        archive.extractall(tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SilentHandler, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        expect(page.locator("#state")).to_have_text("reference-physiotherapy/1 is ready.", timeout=SOON)
        page.set_input_files("#file", on_server.example)
        expect(page.locator("#state")).to_have_text(f"{len(on_server.answers)} windows.")
        shown = page.locator("#result tbody td:nth-child(2)").all_inner_texts()
        assert shown == on_server.answers
        server.shutdown()


def awkward(rate_hz: float, gravity: float, seed: int = 0) -> str:
    """Return a file whose clock trembles, with a hole, and a time in which the gyroscope gives nothing."""
    random = np.random.default_rng(seed)
    time_s = np.cumsum(random.uniform(0.6, 1.4, round(26 * rate_hz)) / rate_hz) + 3.0
    time_s[time_s > 12] += 1.3
    moving = np.sin(2 * np.pi * np.outer(time_s, [1.7, 0.9, 2.3, 1.7, 0.6, 3.1])) * [3, 2, 4, 1, 2, 0.5]
    values = moving + random.normal(0, 0.1, moving.shape) + [0, 0, gravity, 0, 0, 0]
    cells = [[f"{value:.5f}" for value in row] for row in values]
    for moment, row in zip(time_s, cells, strict=True):
        if 18 < moment < 22:
            row[3:] = [""] * 3
    lines = [f"{moment:.5f},{','.join(row)}" for moment, row in zip(time_s, cells, strict=True)]
    return "\n".join([f"time_s,{','.join(CHANNELS)}", *lines, ""])


@pytest.mark.parametrize(
    ("file_hz", "model_hz", "gravity", "low_pass_hz"),
    [(50.0, 100.0, "removed", None), (130.0, 50.0, "included", 15.0), (100.0, 100.0, "removed", None)],
)
def test_the_browser_cuts_the_windows_that_the_server_cuts(
    page: Page, on_server: OnServer, tmp_path: Path, file_hz: float, model_hz: float, gravity: str,
    low_pass_hz: float | None,
) -> None:  # fmt: skip
    text = awkward(file_hz, 9.81)
    (tmp_path / "awkward.csv").write_text(text)
    preparation = Preparation(low_pass_hz=low_pass_hz)
    model: Any = SimpleNamespace(
        channels=tuple(CHANNELS), sampling_rate_hz=model_hz, window_length_s=2.0, n_timesteps=round(2 * model_hz),
        gravity=gravity, preparation=preparation,
    )  # fmt: skip
    signals, _ = resample(read_upload(tmp_path / "awkward.csv", "awkward.csv"), model, "awkward.csv")
    batches = list(iter_window_batches(prepare(signals, preparation), 2.0, 1000))
    expected = np.concatenate([windows.X for windows, _ in batches])
    page.goto(f"{on_server.site.address}/login")
    described = {
        "shape": list(expected.shape[1:]), "channels": [{"name": name} for name in CHANNELS], "gravity": gravity,
        "sampling_rate_hz": model_hz, "window_length_s": 2.0,
        "preparation": {"gap_s": preparation.gap_s, "low_pass_hz": low_pass_hz},
    }  # fmt: skip
    found = page.evaluate(CUT, [text, described])
    np.testing.assert_allclose(found["starts_s"], np.concatenate([w.start_s for w, _ in batches]), atol=1e-6)
    X = np.array([np.nan if value is None else value for value in found["X"]]).reshape(expected.shape)
    assert np.isnan(expected).any()
    np.testing.assert_allclose(X, expected, atol=1e-3)
