"""What recognises never loads TensorFlow; where it is missing only training is, and says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import homes, synthetic
from tests.conftest import PASSWORD, ROOT

PREPARE = """
import sys
from flask.cli import main
LEARNING = {"tensorflow", "keras", "sklearn", "matplotlib", "scipy.signal", "scipy.stats"}

def assert_not_loaded():
    loaded = {name for name in LEARNING if sys.modules.get(name)}
    assert not loaded, loaded
"""
MISSING = "sys.modules.update(tensorflow=None, keras=None)\n"
PREDICT = """
sys.argv = ["flask", "--app", "app", "predict", "walk.csv"]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
assert_not_loaded()
"""
SITE = f"""
from app import create_app
from app.services import accounts, installation
from config import Config

config = Config()
config.WTF_CSRF_ENABLED = False
app = create_app(config)
with app.app_context():
    installation.prepare()
    accounts.register("adam", "{PASSWORD}", "+44 20 7946 0000", "a@example.org", "1 High Street", "admin")
client = app.test_client()
client.post("/login", data={{"username": "adam", "password": "{PASSWORD}"}})
with open("walk.csv", "rb") as file:
    uploaded = client.post("/predictions/", data={{"file": (file, "walk.csv")}})
assert uploaded.status_code == 302, uploaded.text
assert "recognised" in client.get(uploaded.location).text
page = client.get("/training/")
assert page.status_code == 200
assert_not_loaded()
"""
TRAIN = """
assert "TensorFlow is not installed here" in page.text
answers = {"dataset": "small", "protocol": "subject", "seed": "0", "window_length_s": "3", "overlap": "0"}
refused = client.post("/training/", data=answers | {"models": ["elm-gru-am", "naive-bayes"]})
assert refused.status_code == 409, refused.status_code
assert "TensorFlow is not installed here, and without it these can&#39;t be trained: ELM-GRU-AM." in refused.text
assert "Traceback" not in refused.text
with app.app_context():
    from app.services.models import runs, training
    assert runs.list_page(1).items == []
    assert training.what_is_lacking(["naive-bayes"]) == ""
"""


@pytest.mark.parametrize(
    "code",
    [PREPARE + PREDICT + SITE, PREPARE + MISSING + PREDICT + SITE + TRAIN],
    ids=["there", "missing"],
)
def test_recognition_does_without_tensorflow(code: str, started_home: Path, tmp_path: Path) -> None:
    homes.copied(started_home, tmp_path)
    (tmp_path / "walk.csv").write_text(synthetic.kinelab_csv(seconds=12))
    environment = os.environ | homes.where(tmp_path) | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
