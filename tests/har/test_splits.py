"""Nobody is on both sides of a split by subject, and what cannot be split is refused with a reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.har.errors import InsufficientData
from app.har.evaluation.splits import fold_windows, leave_datasets_out, split_inner, split_windows
from app.har.evaluation.types import Protocol
from app.har.windows import WindowSet

PROTOCOLS: list[Protocol] = ["random", "subject"]


def labelled(y: list[int], subjects: list[int | str] | None = None) -> WindowSet:
    """Return windows of nothing with these activities and subjects."""
    n = len(y)
    names = np.array([str(s) for s in (subjects or ["one"] * n)], dtype=np.str_)
    return WindowSet(
        np.zeros((n, 4, 3), np.float32), np.array(y, np.int64), ("Sit", "Walk", "Run"), names, names,
        np.arange(n, dtype=np.float64), ("acc_x", "acc_y", "acc_z"), 10.0, "removed",
    )  # fmt: skip


def cohort(n_subjects: int = 10, per_activity: int = 4) -> WindowSet:
    """Return every subject doing everything."""
    y = [a for _ in range(n_subjects) for a in range(3) for _ in range(per_activity)]
    return labelled(y, [s for s in range(n_subjects) for _ in range(3 * per_activity)])


@given(
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2)), min_size=8, max_size=120),
    st.integers(0, 5),
    st.sampled_from(PROTOCOLS),
)
@settings(max_examples=60, deadline=None)
def test_every_window_is_on_exactly_one_side_and_nobody_on_both(
    rows: list[tuple[int, int]], seed: int, protocol: Protocol
) -> None:
    windows = labelled([a for _, a in rows], [s for s, _ in rows])
    try:
        split = split_windows(windows, protocol, seed)
    except InsufficientData:
        return
    assert sorted([*split.train, *split.test]) == list(range(len(rows)))
    assert len(split.train)
    assert len(split.test)
    if protocol == "subject":
        assert not set(windows.subjects[split.train]) & set(windows.subjects[split.test])


def of_datasets(rows: list[tuple[str, str, int]]) -> WindowSet:
    """Return windows of nothing, each of a data set, a person of it and an activity."""
    windows = labelled([activity for _, _, activity in rows], [f"{name}/{person}" for name, person, _ in rows])
    return replace(windows, datasets=np.array([name for name, _, _ in rows], dtype=np.str_))


ROWS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("12"), st.integers(0, 2)), min_size=8, max_size=80)


@given(ROWS)
@settings(max_examples=100, deadline=None)
def test_each_data_set_is_left_out_once_and_never_trained_on_then(rows: list[tuple[str, str, int]]) -> None:
    windows = of_datasets(rows)
    assert windows.datasets is not None
    try:
        splits = leave_datasets_out(windows)
    except InsufficientData:
        return
    assert [split.dataset for split in splits] == sorted({name for name, _, _ in rows})
    for split in splits:
        assert split.protocol == "dataset"
        assert (windows.datasets[split.test] == split.dataset).all()
        counts = np.bincount(windows.y[windows.datasets != split.dataset], minlength=3)
        assert len(split.train) == sum(n for n in counts if n >= 2)
        assert not (windows.datasets[split.train] == split.dataset).any()
        assert not set(windows.subjects[split.train]) & set(windows.subjects[split.test])
        never_learnt = np.setdiff1d(np.flatnonzero(windows.datasets == split.dataset), split.test)
        assert not set(windows.y[never_learnt]) & set(windows.y[split.train])
        assert set(windows.y[split.test]) <= set(windows.y[split.train])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "1", 0), ("a", "1", 1)] * 4, "at least two are needed"),
        ([("a", "1", 0), ("a", "1", 1), ("b", "1", 0)] * 4, "Without a: A model needs at least 2 activities"),
        ([*[("a", "1", 0), ("a", "1", 1), ("b", "1", 0), ("b", "1", 1)] * 2, *[("c", "1", 2)] * 2], "no activity of c"),
    ],
)
def test_data_sets_that_cannot_be_left_out_are_refused(rows: list[tuple[str, str, int]], message: str) -> None:
    with pytest.raises(InsufficientData, match=message):
        leave_datasets_out(of_datasets(rows))


def test_windows_of_one_set_cannot_be_split_by_data_set() -> None:
    with pytest.raises(InsufficientData, match="at least two are needed"):
        leave_datasets_out(cohort())


def test_a_random_split_keeps_the_share_of_every_activity() -> None:
    windows = labelled([0] * 200 + [1] * 100 + [2] * 50)
    split = split_windows(windows, "random", seed=1)
    assert np.bincount(windows.y[split.test]).tolist() == [40, 20, 10]


def test_a_split_by_subject_has_every_activity_on_both_sides_where_that_is_possible() -> None:
    # Running was recorded of two people only, so one of them has to be tested on
    y = [0, 0, 1, 1] * 10 + [2] * 6
    subjects: list[int | str] = [s for s in range(10) for _ in range(4)] + [3, 3, 3, 7, 7, 7]
    windows = labelled(y, subjects)
    for seed in range(5):
        split = split_windows(windows, "subject", seed)
        assert set(windows.y[split.train]) == set(windows.y[split.test]) == {0, 1, 2}


def test_a_person_who_recorded_most_of_an_activity_stays_in_training() -> None:
    y = [0, 0, 1, 1, 2] * 15 + [2] * 40
    subjects: list[int | str] = [s for s in range(15) for _ in range(5)] + [4] * 40
    windows = labelled(y, subjects)
    assert all("4" in set(windows.subjects[split_windows(windows, "subject", s).train]) for s in range(5))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_seed_decides_the_split(protocol: Protocol) -> None:
    windows = cohort(20)
    tests = [split_windows(windows, protocol, seed).test.tolist() for seed in (0, 0, 1)]
    assert tests[0] == tests[1] != tests[2]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_window_is_tested_in_one_fold(protocol: Protocol) -> None:
    windows = cohort(11)
    folds = fold_windows(windows, protocol, 5, seed=2)
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(windows)))
    for fold in folds:
        assert not set(fold.train) & set(fold.test)
        assert set(windows.y[fold.test]) == {0, 1, 2}
        if protocol == "subject":
            assert not set(windows.subjects[fold.train]) & set(windows.subjects[fold.test])


def test_the_inner_split_holds_out_whole_subjects_when_there_are_four() -> None:
    windows = cohort(4)
    fitted, held_out = split_inner(windows, seed=0)
    assert len(set(windows.subjects[held_out])) == 1
    assert not set(windows.subjects[fitted]) & set(windows.subjects[held_out])


def test_the_inner_split_is_stratified_with_fewer_subjects() -> None:
    windows = cohort(3, per_activity=10)
    fitted, held_out = split_inner(windows, seed=0)
    assert len(fitted) + len(held_out) == len(windows)
    assert set(windows.y[held_out]) == {0, 1, 2}


def test_the_inner_split_never_takes_all_windows_of_an_activity() -> None:
    windows = labelled([0, 0, 0, 1, 1, 1, 1, 2], ["a", "b", "c", "a", "b", "c", "d", "d"])
    for seed in range(8):
        fitted, held_out = split_inner(windows, seed)
        assert set(windows.y[fitted]) == {0, 1, 2}
        assert len(held_out)


@pytest.mark.parametrize(
    ("windows", "protocol", "message"),
    [
        (labelled([]), "random", "no window"),
        (labelled([0] * 9), "random", "only 'Sit'"),
        (labelled([0] * 9 + [1]), "random", "only one was found of 'Walk'"),
        (labelled([0, 0, 1, 1, -1]), "random", "1 of 5 windows have no activity"),
        (labelled([0, 1] * 9), "subject", "at least 2 subjects"),
    ],
)
def test_what_cannot_be_split_is_refused(windows: WindowSet, protocol: Protocol, message: str) -> None:
    with pytest.raises(InsufficientData, match=message):
        split_windows(windows, protocol)


@pytest.mark.parametrize(
    ("windows", "protocol", "folds"), [(cohort(3), "subject", 4), (labelled([0] * 9 + [1] * 3), "random", 4)]
)
def test_more_folds_than_the_data_has_are_refused(windows: WindowSet, protocol: Protocol, folds: int) -> None:
    with pytest.raises(InsufficientData, match="4 folds"):
        fold_windows(windows, protocol, folds)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.2])
def test_a_test_part_must_be_a_part(fraction: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        split_windows(cohort(), "random", test_fraction=fraction)


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(ValueError, match="random or subject"):
        split_windows(cohort(), "weekly")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="random or subject"):
        fold_windows(replace(cohort()), "weekly", 3)  # type: ignore[arg-type]
