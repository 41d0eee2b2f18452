"""From the click on *Save* of a correction to the new timeline, on an hour's page and on that of a day corrected often.

The server's part is measured through the whole application, the database and the files. Where there is Chromium, it
clicks on the real site, too: until the timeline is drawn, and until all that the page says has followed. What a day
that was corrected 500 times takes to open is measured as it is on its first look, and on later ones.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import expect
from sqlalchemy import select

from app.har.signals.types import SignalSet
from app.services.recordings.prediction_result import PredictionResult
from app.tables import ModelVersion, User
from tests.browser.site import CHROMIUM, PASSWORD, Site, chromium, log_in
from tests.corrected import WINDOW_S, a_result
from tests.long_recording import a_day, store

MODEL = "reference-everyday"
TRIES, TURN = 20, 20  # corrections, each of so many windows
HOUR, DAY = 1200, 28_800  # windows
OFTEN = 500  # corrections of a day
AS_JSON = {"Accept": "application/json"}
# Clicks, and says when the plot was drawn last before all of the page followed, and when that was
CLICK = """() => new Promise((resolve) => {
  const began = performance.now();
  let drawn = 0;
  const plot = document.getElementById('timeline');
  const on = () => { drawn = performance.now() - began; };
  plot.on('plotly_afterplot', on);
  document.addEventListener('arrived', () => requestAnimationFrame(() => {
    plot.removeListener('plotly_afterplot', on);
    resolve([drawn, performance.now() - began]);
  }), { once: true });
  document.querySelector('#correct-form [type=submit]').click();
})"""


def spread(times: list[float]) -> dict[str, float]:
    """Return the median, the 95th percentile and the most of some times in milliseconds."""
    return {
        "p50 (ms)": round(float(np.percentile(times, 50)), 1),
        "p95 (ms)": round(float(np.percentile(times, 95)), 1),
        "most (ms)": round(max(times), 1),
    }


def milliseconds(use: Callable[[], object]) -> float:
    started = time.perf_counter()
    use()
    return 1000 * (time.perf_counter() - started)


def signal_of(n_windows: int) -> SignalSet:
    """Return a signal at 100 Hz, without a gap, as long as so many windows."""
    signals, _ = a_day(0.01)
    n = round(n_windows * WINDOW_S * signals.sampling_rate_hz)
    whole = np.resize(signals.signal, (n, signals.signal.shape[1]))
    return replace(
        signals,
        signal=whole,
        labels=np.full(n, signals.labels[0]),
        recording_ids=("walk.csv",),
        first=np.array([0]),
        length=np.array([n]),
        recording=np.array([0]),
        start_s=np.array([0.0]),
    )


def stored(app: Flask, user: User, n_windows: int) -> tuple[str, PredictionResult]:
    """Store a recording; return the path of its page, and what was recognised."""
    from app.extensions import db

    model = db.session.scalars(select(ModelVersion).filter_by(name=MODEL)).one()
    result = replace(a_result(model, n_windows, turn=TURN), origin_utc_s=(None,))
    prediction = store(app, user.id, signal_of(n_windows), result, "walk.csv")
    prediction.model_version = model
    prediction.recording.place = "leg"
    db.session.commit()
    return f"/predictions/{prediction.recording_id}", result


def stretch(number: int, result: PredictionResult) -> dict[str, str]:
    """Return the fields of a correction: of one turn, what it was."""
    first, last = (round(turn * TURN * WINDOW_S) for turn in (number, number + 1))
    written = {name: f"{s // 3600}:{s // 60 % 60:02}:{s % 60:02}" for name, s in (("from", first), ("to", last))}
    return written | {"activity": result.activities[number % 2]}


def save(client: FlaskClient, page: str, fields: dict[str, str]) -> None:
    """Do what a click does, until the answer of the new timeline is there."""
    response = client.post(f"{page}/corrections", data=fields, headers=AS_JSON)
    assert response.status_code == 200, response.text
    drawn = client.get(f"{page}/timeline.json").json
    assert drawn is not None
    assert drawn["recognised"]


def served(client: FlaskClient, page: str, result: PredictionResult) -> dict[str, Any]:
    """Correct stretch after stretch."""
    client.get(page), client.get(f"{page}/timeline.json")
    saved, followed = [], []
    for number in range(TRIES):
        saved.append(milliseconds(lambda number=number: save(client, page, stretch(number, result))))
        followed.append(milliseconds(lambda: client.get(page)))
    return {"until the new timeline": spread(saved), "then until the rest of the page": spread(followed)}


def corrected_often(client: FlaskClient, page: str, result: PredictionResult) -> dict[str, Any]:
    """Correct a day very often, and open it."""
    for first in range(0, OFTEN, 100):
        said = [stretch(number, result) for number in range(first, first + 100)]
        fields = {"from": [own["from"] for own in said], "to": [own["to"] for own in said]}
        response = client.post(f"{page}/corrections", data=fields | {"activity": said[0]["activity"]}, headers=AS_JSON)
        assert response.status_code == 200, response.text
    looks = {"the page": page, "the timeline": f"{page}/timeline.json"}
    figures = {"corrections": OFTEN, "first look, learnt anew (ms)": round(milliseconds(lambda: client.get(page)), 1)}
    return figures | {
        name: spread([milliseconds(lambda path=path: client.get(path)) for _ in range(TRIES)])
        for name, path in looks.items()
    }


def clicked(home: Path, page: str, result: PredictionResult) -> dict[str, Any] | None:
    """Correct in Chromium on the real site, None without it."""
    if CHROMIUM is None:
        return None
    site = Site(home).start()
    drawn, followed = [], []
    try:
        with chromium() as browser:
            tab = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            log_in(tab, site.address, "walker")
            tab.goto(site.address + page)
            expect(tab.locator("#timeline-showing")).to_contain_text("Showing")
            for number in range(TRIES, 2 * TRIES):
                fields = stretch(number, result)
                for field in ("from", "to"):
                    tab.locator(f"#stretches input[name={field}]").first.fill(fields[field])
                tab.locator(".activity-choices label", has_text=fields["activity"]).first.click()
                timeline, whole = tab.evaluate(CLICK)
                drawn.append(timeline)
                followed.append(whole)
    finally:
        site.stop()
    return {"until the timeline is drawn": spread(drawn), "until all of the page followed": spread(followed)}


def main() -> None:
    home = Path(tempfile.mkdtemp())
    os.environ["HAR_HOME"] = str(home)
    from app import create_app
    from app.extensions import db
    from app.services import accounts, installation
    from config import Config

    config = Config()
    config.WTF_CSRF_ENABLED = False  # type: ignore[attr-defined]
    app = create_app(config)
    with app.app_context():
        installation.prepare()
        accounts.register("walker", PASSWORD, "+44 20 7946 0000", "w@example.org", "1 High Street")
        user = db.session.scalars(select(User)).one()
        hour, hour_result = stored(app, user, HOUR)
        client = app.test_client()
        client.post("/login", data={"username": "walker", "password": PASSWORD})
        figures: dict[str, Any] = {"tries": TRIES, "an hour, served": served(client, hour, hour_result)}
        figures["an hour, in Chromium"] = clicked(home, hour, hour_result)
        day, day_result = stored(app, user, DAY)
        figures["a day corrected often"] = corrected_often(client, day, day_result)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
