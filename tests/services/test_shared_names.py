"""What the activities of a data set are called among several: the usual names, and those that somebody chose."""

from __future__ import annotations

import pytest
from flask import Flask

from app.extensions import db
from app.services.datasets import library, shared_names
from app.services.errors import Invalid, NotFound
from app.tables import Dataset


def test_the_usual_names_are_those_of_the_vocabulary(example: Flask, small: Dataset) -> None:
    assert shared_names.names_of(small) == {"Rest": "Still", "Walk": "Walking", "Run": "Running"}
    assert [(each.own, each.windows, each.shared) for each in shared_names.table_of(small)] == [
        ("Rest", 8, "Still"), ("Walk", 8, "Walking"), ("Run", 8, "Running"),
    ]  # fmt: skip
    exercises = library.get("physiotherapy-example")
    own = shared_names.names_of(exercises)
    assert own == {name: name for name in exercises.summary["activities"]}  # special activities


def test_a_name_that_is_chosen_is_kept_and_the_others_stay(small: Dataset) -> None:
    shared_names.choose("small", {"Rest": "Lying", "Run": ""})
    db.session.expire_all()
    assert library.get("small").vocabulary == {"Rest": "Lying", "Run": ""}
    shared_names.choose("small", {"Rest": "STANDING", "Walk": "Nordic  walking"})
    names = shared_names.names_of(library.get("small"))
    assert names == {"Rest": "Standing", "Walk": "Nordic walking", "Run": ""}
    walk = shared_names.table_of(library.get("small"))[1]
    assert (walk.usual, walk.choices[-2:]) == ("Walking", ("Walk", "Nordic walking"))
    shared_names.choose("small", {"Rest": "Still", "Walk": "Walking", "Run": "run"})
    assert library.get("small").vocabulary == {}


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"Jump": "Running"}, "small has no activity “Jump”; it has Rest, Walk, Run"),
        ({"Rest": "a" * 65}, "in 1 to 64 characters"),
        ({"Rest": "\x07"}, "all of them printable"),
        ({"Rest": "Uncertain"}, "“Uncertain” is no activity: it says that there is no answer"),
        ({"Rest": "null"}, "“null” is no activity: it says that there is no answer"),
        ({"Rest": "7"}, "“7” is no activity. Say in words what it was"),
    ],
)
def test_a_name_that_none_can_have_is_refused_and_nothing_saved(
    small: Dataset, chosen: dict[str, str], message: str
) -> None:
    with pytest.raises(Invalid, match=message):
        shared_names.choose("small", {"Walk": "Running", **chosen})
    db.session.expire_all()
    assert library.get("small").vocabulary == {}


def test_a_data_set_that_is_not_there_has_no_names(app: Flask) -> None:
    with pytest.raises(NotFound):
        shared_names.choose("gone", {"Walk": "Walking"})
