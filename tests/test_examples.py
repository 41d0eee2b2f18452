"""The programs under examples/ do what they say, against a served site."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from examples import client
from tests.api import person, token_of
from tests.conftest import ROOT
from tests.served import serve
from tests.services.alarm_people import raised
from tests.trained import Example, recording_csv, register_model


def test_the_client_uploads_lists_and_hears_why_not(
    app: Flask,
    example_model: Example,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    register_model(example_model, tmp_path)
    user_id = person("ursula")
    file = tmp_path / "walk.csv"
    file.write_bytes(recording_csv())
    raised(user_id)
    with serve(app) as port:
        monkeypatch.setenv("KINELAB", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("KINELAB_TOKEN", token_of(user_id))
        client.main(["upload", str(file), "leg"])
        bouts = capsys.readouterr().out.splitlines()
        assert bouts[0] == "start_s,end_s,activity,confidence"
        assert len(bouts) > 1
        client.main(["list"])
        assert capsys.readouterr().out.startswith("1\t")
        client.main(["alarms"])
        assert "\tfall\traised" in capsys.readouterr().out
        with pytest.raises(client.Problem, match="409 You have this file already"):
            client.main(["upload", str(file)])
        site = client.Kinelab(f"http://127.0.0.1:{port}", token_of(user_id, "alarms"))
        assert site.call("GET", "/me") == site.call("GET", "/me")  # the second from what it has kept
        with pytest.raises(client.Problem, match="403"):
            list(site.items("/recordings"))


def test_the_client_is_short_and_needs_nothing() -> None:
    text = (ROOT / "examples" / "client.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 125
    assert not {"requests", "httpx", "app"} & {line.split()[1] for line in text.splitlines() if line[:7] == "import "}
