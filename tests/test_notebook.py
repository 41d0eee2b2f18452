"""Kinelab in a notebook: its page is executed, and its tables are those of the site."""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from app import notebook
from app.services.errors import NotFound, ServiceError
from tests.conftest import ROOT
from tests.synthetic import kinelab_csv


@pytest.fixture
def _new_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in an empty folder and a home of its own, as who starts with Kinelab does."""
    monkeypatch.setenv("HAR_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    notebook._application.cache_clear()
    yield
    notebook._application.cache_clear()


@pytest.mark.usefixtures("_new_home")
def test_the_page_on_notebooks_prints_what_it_says() -> None:
    with pd.option_context("display.width", 100):
        failed, attempted = doctest.testfile(str(ROOT / "docs" / "NOTEBOOK.md"), module_relative=False)
    assert attempted > 10
    assert failed == 0


@pytest.mark.usefixtures("_new_home")
def test_what_is_not_there_or_cannot_be_read_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        notebook.load_dataset("nothing")
    file = tmp_path / "walk.csv"
    file.write_text(kinelab_csv("Walk", seconds=7))
    with pytest.raises(ServiceError, match="Mars"):
        notebook.recognise(file, zone="Mars/Olympus")
    dataset = notebook.load_dataset("physiotherapy-example")
    with pytest.raises(KeyError, match="recordings for those it has"):
        dataset.samples("recording 999")
    file.write_text("a,b\n1,2\n")
    refused = notebook.compare(file, ["reference-ku-har"])
    assert refused["model"].tolist() == ["reference-ku-har"]
    assert "walk.csv" in refused["refused"][0]
