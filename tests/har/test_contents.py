"""Who supplies what in a data set."""

from __future__ import annotations

import numpy as np
import pytest

from app.har.datasets.contents import Contents, Largest
from app.har.signals.types import UNLABELLED, SignalSet


def contents(pieces: list[tuple[str, str, int, int]]) -> Contents:
    """Count pieces of a recording: (recording, subject, label, samples) at 1 Hz, so that a window is three samples."""
    ids = list(dict.fromkeys(piece[0] for piece in pieces))
    length = np.array([piece[3] for piece in pieces])
    subjects = {piece[0]: piece[1] for piece in pieces}
    return Contents.of(
        SignalSet(
            np.zeros((length.sum(), 3), np.float32),
            np.repeat(np.array([piece[2] for piece in pieces], np.int16), length),
            ("acc_x", "acc_y", "acc_z"),
            1.0,
            "included",
            ("Sit", "Walk"),
            tuple(ids),
            tuple(subjects[name] for name in ids),
            np.cumsum(length) - length,
            length,
            np.array([ids.index(piece[0]) for piece in pieces]),
            np.zeros(len(pieces)),
        )
    )


@pytest.fixture
def mixed() -> Contents:
    return contents(
        [("a", "10", 0, 6), ("a", "10", 1, 60), ("b", "2", 1, 30), ("b", "2", UNLABELLED, 7), ("c", "unknown", 0, 8)]
    )


def test_samples_and_windows_are_counted_by_recording_and_person(mixed: Contents) -> None:
    assert mixed.samples.tolist() == [[6, 60, 0], [0, 30, 7], [8, 0, 0]]
    assert mixed.windows.tolist() == [[2, 20, 0], [0, 10, 2], [2, 0, 0]]
    assert mixed.people == ["2", "10", "unknown"]
    assert mixed.by_person[0].tolist() == [[0, 30, 7], [6, 60, 0], [8, 0, 0]]


def test_an_activity_says_how_many_recordings_and_known_people_show_it(mixed: Contents) -> None:
    assert [(each["recordings"], each["subjects"], each["windows"]) for each in mixed.per_activity] == [
        (2, 1, 4),
        (2, 2, 30),
    ]


def test_a_person_who_supplies_more_than_half_is_found(mixed: Contents) -> None:
    assert mixed.largest == [None, Largest("10", 60 / 90, True)]  # who supplies most of Sit is not known


def test_one_person_alone_dominates_nobody_and_half_is_not_more_than_half() -> None:
    assert contents([("a", "1", 0, 6)]).largest == [Largest("1", 1.0, False), None]
    assert contents([("a", "1", 0, 6), ("b", "2", 0, 6)]).largest[0] == Largest("1", 0.5, False)


def test_recordings_are_found_by_words_in_any_order(mixed: Contents) -> None:
    assert [each.id for each in mixed.recordings(text="WALK 2")] == ["b"]
    assert [each.id for each in mixed.recordings(activity="Sit")] == ["a", "c"]
    assert next(mixed.recordings(subject="10")).seconds == 66.0


@pytest.mark.real_data
def test_subject_1101_supplies_most_of_ku_hars_stairs(ku_har_home) -> None:
    from tests.homes import at_home

    with at_home(ku_har_home):
        from app.services.datasets import library

        found = library.open_dataset(library.list_datasets()[0]).contents
        dominated = {
            name: each.subject
            for name, each in zip(found.activities, found.largest, strict=True)
            if each and each.dominates
        }
        assert dominated == {"Stair-up": "1101", "Stair-down": "1101"}
        minutes = found.minutes(found.by_person[0])[found.people.index("1101")]
        for activity, total in (("Stair-up", 40.12), ("Stair-down", 39.19)):
            index = found.activities.index(activity)
            assert minutes[index] == pytest.approx(24.0, abs=0.1)
            assert found.per_activity[index]["minutes"] == pytest.approx(total, abs=0.1)
