"""From a data set with transitions to a page that names them: training, upload, timeline, picture and tables."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.har.classifiers.elm_gru_am.persistence import load_model
from app.har.datasets.as_read import as_read
from app.har.datasets.store import build_store, open_store
from app.har.training.config import TrainConfig
from app.har.training.experiment import run_experiment
from app.har.training.transfer import Base
from app.services.models import model_versions
from tests.bad_inputs import zipped
from tests.synthetic import hapt_files

PEOPLE, SECONDS = 16, 5.0  # ten of them teach: the fewest that do


@pytest.mark.usefixtures("reads_here")
def test_who_was_taught_to_sit_down_is_found_to_by_the_page(
    user_client: FlaskClient, admin_client: FlaskClient, small_base: Path, tmp_path: Path
) -> None:
    files = hapt_files(PEOPLE + 1, SECONDS)
    new = {name: text for name, text in files.items() if f"_user{PEOPLE + 1:02d}" in name}
    known = {name: text for name, text in files.items() if name not in new}
    labels = "HAPT Data Set/RawData/labels.txt"
    known[labels] = "".join(re.findall(rf"^(?!{PEOPLE + 1} ).*\n", known[labels], re.M))
    (tmp_path / "hapt.zip").write_bytes(zipped(known))
    build_store(tmp_path / "hapt.zip", tmp_path / "store")
    base = load_model(small_base)  # of which the head alone is solved anew
    form = base.format_
    signals = as_read(open_store(tmp_path / "store").signals, form.channels, form.sampling_rate_hz, form.gravity)
    facts = {"base": "old/1", "digest": "0" * 64, "seen": [{"dataset": "old", "fingerprint": "f"}]}
    (tmp_path / "run").mkdir()
    config, data = TrainConfig(models=("elm-gru-am",)), {"dataset": "moves", "fingerprint": "11"}
    run_experiment(signals, config, tmp_path / "run", data=data, plots=False, base=Base(base, facts, {}, {}))
    version_id = model_versions.promote(model_versions.register("moves", tmp_path / "run" / "model", {}).id).id
    assert "Stand to sit: marked in the timeline" in admin_client.get(f"/models/{version_id}").text
    upload = {"file": (io.BytesIO(zipped(new)), "new.zip")}
    page = user_client.post("/predictions/", data=upload, follow_redirects=True)
    text = " ".join(re.sub(r"<[^>]+>", " ", page.text).split())
    assert "▼ Stand to sit 1 " in text
    drawn = user_client.get(f"{page.request.path}/timeline.json").get_json()
    (move,) = drawn["between"]
    assert (move["sign"], move["name"]) == ("▼", "Stand to sit")
    assert move["start_s"] == pytest.approx(SECONDS, abs=1)
    assert move["end_s"] == pytest.approx(2 * SECONDS, abs=1)
    assert move["text"][1].partition(" (")[0] in text  # when it was, for whoever cannot see the plot
    far = {"from": 3 * SECONDS, "to": 4 * SECONDS}
    assert user_client.get(f"{page.request.path}/timeline.json", query_string=far).get_json()["between"] == []
    picture = user_client.get(f"{page.request.path}/timeline.svg").text
    assert "Stand to sit" in picture
