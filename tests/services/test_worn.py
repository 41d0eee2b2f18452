"""Where the devices of a data set were worn, as an administrator says."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from app.extensions import db
from app.services.datasets import library, worn
from app.services.errors import Invalid
from app.services.models import training_data
from app.tables import Dataset
from tests.bad_inputs import zipped
from tests.synthetic import sp_sw_files


def test_the_place_of_a_single_device_goes_into_what_is_said_of_the_data(small: Dataset) -> None:
    assert worn.places(small) == {"": ""}
    assert training_data.provenance([training_data.chosen("small")])["place"] == ""
    worn.choose("small", {"": "trunk"})
    db.session.expire_all()
    assert worn.places(library.get("small")) == {"": "trunk"}
    assert training_data.provenance([training_data.chosen("small")])["place"] == "trunk"
    worn.choose("small", {"": ""})
    assert library.get("small").places == {}


def test_each_device_has_its_place_and_without_a_choice_it_is_that_of_the_first(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "pairs.zip").write_bytes(zipped(sp_sw_files()))
    library.add("pairs", tmp_path / "pairs.zip")
    worn.choose("pairs", {"phone": "leg"})
    worn.choose("pairs", {"watch": "wrist"})
    places = [worn.place_of(library.get("pairs"), device) for device in ("", "phone", "watch")]
    assert places == ["leg", "leg", "wrist"]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [({"watch": "wrist"}, "has no device 'watch'"), ({"": "shoe"}, "A place is one of leg, trunk.*'shoe'")],
)
def test_another_device_or_place_is_refused(small: Dataset, chosen: dict[str, str], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        worn.choose("small", chosen)
    assert library.get("small").places == {}
