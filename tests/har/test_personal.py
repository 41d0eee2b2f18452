from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from app.har.errors import ModelIntegrityError
from app.har.personal.guard import _is_clear, guarded
from app.har.personal.head import Examples, PersonalHead, learn
from app.har.personal.prior import Prior
from app.har.personal.space import fit_space

ACTIVITIES = ("Sitting", "Standing", "Walking")
D = 48
PRIOR = Prior(np.full(D, 4.0))
CENTRES = {
    name: 2 * np.random.default_rng(number).standard_normal(D) for number, name in enumerate((*ACTIVITIES, "Kneeling"))
}


def one_stretch(n: int) -> np.ndarray:
    return np.zeros(n, np.int64)


def windows(names: list[str], seed: int = 0, recording: str = "a", says: str = "") -> Examples:
    """Return windows of a person whom the model takes to sit, whatever they do."""
    rng = np.random.default_rng(seed)
    features = np.stack([CENTRES[name] for name in names]) + 0.5 * rng.standard_normal((len(names), D))
    probabilities = np.tile(np.array([[0.8, 0.15, 0.05]], np.float32), (len(names), 1))
    called = np.array([says or name for name in names])
    return Examples(
        features.astype(np.float16), probabilities, called, np.full(len(names), recording), one_stretch(len(names))
    )


def together(*parts: Examples) -> Examples:
    return Examples(*(np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])))


def named(head: PersonalHead, asked: Examples) -> list[str]:
    return [head.activities[i] for i in head.adjust(asked.probabilities, asked.features).argmax(axis=1)]


def test_what_a_person_shows_is_recognised_afterwards() -> None:
    head = learn(PRIOR, ACTIVITIES, windows([name for name in ACTIVITIES for _ in range(5)]))
    asked = windows(list(ACTIVITIES) * 10, seed=1)
    assert named(head, asked) == list(asked.activity)


def test_a_new_activity_is_learnt_beside_the_others() -> None:
    names = [name for name in (*ACTIVITIES, "Kneeling") for _ in range(5)]
    head = learn(PRIOR, ACTIVITIES, windows(names))
    assert head.activities == (*ACTIVITIES, "Kneeling")
    asked = windows([*ACTIVITIES, "Kneeling"] * 10, seed=1)
    assert named(head, asked) == list(asked.activity)


def test_a_group_is_learnt_as_each_of_its_activities_and_which_of_them_stays_the_models_to_say() -> None:
    walks = np.array([[0.3, 0.1, 0.6]], np.float32)
    still = replace(windows(["Sitting"] * 5, says="Still"), probabilities=walks.repeat(5, axis=0))
    head = learn(PRIOR, ACTIVITIES, together(still, windows(["Walking"] * 5, recording="b")))
    assert head.activities == ACTIVITIES
    asked = windows(["Sitting"] * 20, seed=1)
    after = head.adjust(walks.repeat(20, axis=0), asked.features)
    assert (after[:, 0] + after[:, 1] > 0.9).all()
    assert (after[:, 0] > after[:, 1]).all()


def test_the_guard_takes_each_activity_of_a_group_for_right() -> None:
    names = [name for name in ("Sitting", "Standing", "Walking") for _ in range(5)]
    examples = windows(names)
    examples.activity[:10] = "Still"
    _, report = guarded(PRIOR, ACTIVITIES, examples)
    assert report.right_before == pytest.approx(10 / 15)
    assert (report.right_after, report.checked) == (1.0, 15)


def test_windows_of_one_bout_count_less_than_those_of_several() -> None:
    one = windows(["Walking"] * 6)
    several = replace(one, recording=np.array(list("abcdef")))
    first, second = (learn(PRIOR, ACTIVITIES, examples) for examples in (one, several))
    assert (np.abs(first.mean) < np.abs(second.mean)).all()
    assert (first.variance > second.variance).all()


def test_what_is_done_otherwise_than_in_the_examples_does_not_become_an_activity_without_examples() -> None:
    head = learn(PRIOR, ACTIVITIES, windows(["Sitting"] * 5 + ["Walking"] * 5))
    asked = windows(["Kneeling"] * 20, seed=1)  # unlike all examples
    after = head.adjust(asked.probabilities, asked.features)
    assert (after.argmax(axis=1) == 0).all()


def test_an_answer_that_all_examples_confirmed_gives_way_only_to_what_is_clearly_more_probable() -> None:
    confirmed = windows(["Sitting"] * 5 + ["Walking"] * 5)
    confirmed.probabilities[5:] = [0.05, 0.15, 0.8]
    refuted = replace(confirmed, activity=np.where(np.arange(10) == 4, "Standing", confirmed.activity))
    heads = [learn(PRIOR, ACTIVITIES, examples) for examples in (confirmed, refuted)]
    assert [head.confirmed.tolist() for head in heads] == [[True, False, True], [False, False, True]]
    asked = windows(["Sitting"] * 5, seed=1)
    lax = replace(heads[0], confirmed=np.zeros(3, bool))
    loyal, free = (np.log(head.adjust(asked.probabilities, asked.features)[:, 0]) for head in (heads[0], lax))
    assert (loyal > free).all()


@pytest.mark.parametrize("said", ["Walking", "Kneeling"])
def test_one_bout_against_what_the_model_was_certain_of_makes_no_answer_sure_and_a_second_one_does(said: str) -> None:
    def certain(n: int, seed: int, recording: str = "a") -> Examples:
        sitting = windows(["Sitting"] * n, seed, recording, says=said)
        return replace(sitting, probabilities=np.tile(np.array([[0.98, 0.01, 0.01]], np.float32), (n, 1)))

    asked, once = certain(20, seed=9), certain(3, seed=1)
    head, _ = guarded(PRIOR, ACTIVITIES, once)
    assert head is not None
    after = head.adjust(asked.probabilities, asked.features)
    assert after.max() < 0.8
    np.testing.assert_allclose(after.sum(axis=1), 1, rtol=1e-6)
    elsewhere = replace(certain(3, seed=2), stretch=np.ones(3, np.int64))
    for other in (elsewhere, certain(3, seed=2, recording="b")):
        head, _ = guarded(PRIOR, ACTIVITIES, together(once, other))
        assert head is not None
        assert (head.adjust(asked.probabilities, asked.features)[:, head.activities.index(said)] > 0.8).all()


def test_one_bout_is_believed_where_the_model_was_not_certain() -> None:
    unsure = windows(["Standing"] * 3)
    unsure.probabilities[:] = [0.5, 0.4, 0.1]
    head = learn(PRIOR, ACTIVITIES, unsure)
    assert head.trust[ACTIVITIES.index("Standing")] > 0.9


def test_neither_their_order_nor_a_detour_over_other_examples_makes_a_difference() -> None:
    examples = windows(list(ACTIVITIES) * 4)
    turned = Examples(*(getattr(examples, name)[::-1] for name in vars(examples)))
    asked = windows(list(ACTIVITIES), seed=3)
    heads = [learn(PRIOR, ACTIVITIES, part) for part in (examples, turned)]
    first, second = (head.adjust(asked.probabilities, asked.features) for head in heads)
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_without_examples_the_answer_stays_what_it_was() -> None:
    asked = windows(list(ACTIVITIES))
    nobody = asked.where(np.zeros(len(asked), bool))
    head = learn(PRIOR, ACTIVITIES, nobody)
    np.testing.assert_allclose(head.adjust(asked.probabilities, asked.features), asked.probabilities, atol=1e-6)
    assert guarded(PRIOR, ACTIVITIES, nobody)[0] is None


def test_a_head_is_stored_in_40_kb_and_answers_the_same() -> None:
    wide = 128
    rng = np.random.default_rng(0)
    names = np.array([f"activity {i % 15}" for i in range(60)])
    features = rng.standard_normal((60, wide)).astype(np.float16)
    examples = Examples(features, np.full((60, 8), 0.125, np.float32), names, np.full(60, "a"), one_stretch(60))
    head = learn(Prior(np.full(wide, 4.0)), tuple(f"activity {i}" for i in range(8)), examples)
    file = io.BytesIO()
    head.save(file)
    assert len(file.getvalue()) <= 40_000
    again = PersonalHead.load(io.BytesIO(file.getvalue()))
    assert again.activities == head.activities
    np.testing.assert_array_equal(
        again.adjust(examples.probabilities, features), head.adjust(examples.probabilities, features)
    )


def test_a_head_of_another_format_is_refused() -> None:
    file = io.BytesIO()
    np.savez(file, format=0)
    file.seek(0)
    with pytest.raises(ModelIntegrityError, match="another version"):
        PersonalHead.load(file)


def test_a_head_refuses_the_features_of_another_model() -> None:
    head = learn(PRIOR, ACTIVITIES, windows(list(ACTIVITIES)))
    with pytest.raises(ValueError, match="features"):
        head.adjust(np.full((2, 3), 1 / 3, np.float32), np.zeros((2, D + 1)))


def test_the_guard_keeps_what_helps_and_refuses_what_hurts() -> None:
    first, second = (windows([name for name in ACTIVITIES for _ in range(5)], seed, str(seed)) for seed in (1, 2))
    head, report = guarded(PRIOR, ACTIVITIES, together(first, second))
    assert head is not None
    assert report.checked == 30
    assert report.right_after > report.right_before

    rng = np.random.default_rng(0)
    right = np.eye(3, dtype=np.float32)[[ACTIVITIES.index(name) for name in first.activity]] * 0.94 + 0.02
    mixed = Examples(rng.permutation(first.features), right, first.activity, first.recording, first.stretch)
    head, report = guarded(PRIOR, ACTIVITIES, mixed)
    assert head is None
    assert not report.kept


def two_recordings(counts: dict[str, int], sure: float, moved: float, seed: int) -> Examples:
    """Return a bout of each activity in two recordings, which the model names rightly.

    From one recording to the next, the bouts of all but walking lie elsewhere.
    """
    rng, recordings = np.random.default_rng(seed), []
    names = [name for name, n in counts.items() for _ in range(n)]
    for recording in ("a", "b"):
        at = {name: CENTRES[name] + moved * rng.standard_normal(D) * (name != "Walking") for name in ACTIVITIES}
        features = np.stack([at[name] for name in names]) + 0.5 * rng.standard_normal((len(names), D))
        probabilities = np.full((len(names), 3), (1 - sure) / 2, np.float32)
        probabilities[np.arange(len(names)), [ACTIVITIES.index(name) for name in names]] = sure
        stretch, of = one_stretch(len(names)), np.full(len(names), recording)
        recordings.append(Examples(features.astype(np.float16), probabilities, np.array(names), of, stretch))
    return together(*recordings)


def test_a_head_that_goes_too_far_is_kept_at_half_its_strength() -> None:
    examples = two_recordings({"Sitting": 4, "Standing": 4, "Walking": 4}, sure=0.5, moved=6.0, seed=0)
    head, report = guarded(PRIOR, ACTIVITIES, examples)
    assert head is not None
    assert (head.strength, report.kept, report.right_before, report.right_after) == (0.5, True, 1.0, 1.0)


def test_one_long_bout_does_not_outweigh_those_that_a_head_hurts() -> None:
    long = {"Walking": 20, "Sitting": 3, "Standing": 3}
    examples = two_recordings(long, sure=0.9, moved=3.0, seed=2)
    assert guarded(PRIOR, ACTIVITIES, examples)[0] is None
    steady = two_recordings(long, sure=0.9, moved=0.0, seed=2)  # the same, where bouts are alike: all gain
    assert guarded(PRIOR, ACTIVITIES, steady)[0] is not None


def test_where_no_more_are_right_a_gain_within_its_standard_error_keeps_nothing() -> None:
    assert not _is_clear(np.array([0.3, -0.1, 0.2, -0.25]))
    assert not _is_clear(np.array([0.3]))
    assert _is_clear(np.array([0.3, 0.1, 0.2, -0.05]))


def test_windows_are_alike_where_they_are_as_near_to_the_examples_as_the_next_ones_would_be() -> None:
    head = learn(PRIOR, ACTIVITIES, windows(["Standing"] * 5))
    assert head.alike(windows(["Standing"] * 20, seed=1).features)[:, 1].all()
    assert not head.alike(windows(["Walking"] * 20, seed=1).features).any()
    # Of a recording unlike all others: far from everything, less far from these
    far = 5 * windows(["Standing"] * 20, seed=1).features
    assert not head.alike(far).any()


def test_one_window_of_each_activity_is_too_little_to_check_but_not_to_learn() -> None:
    head, report = guarded(PRIOR, ACTIVITIES, windows(list(ACTIVITIES)))
    assert head is not None
    assert (report.kept, report.checked) == (True, 0)


def people(n_people: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return windows of people whose first feature tells activities apart, each around a level of their own.

    The second varies from window to window, the third is missing in one of two data sets.
    """
    rng = np.random.default_rng(seed)
    person, activity = (column.ravel() for column in np.mgrid[:n_people, :3].repeat(10, axis=2))
    rows = rng.standard_normal((len(person), 3)) * (0.1, 5.0, 0.1)
    rows[:, 0] += activity + rng.standard_normal(n_people)[person]
    rows[:, 2] += rng.standard_normal((n_people, 3))[person, activity]
    dataset = np.where(person % 2, "one", "two")
    rows[dataset == "two", 2] = np.nan
    return rows.astype(np.float32), person, activity, dataset


def test_a_space_scales_directions_by_how_a_persons_windows_vary_and_leads_with_what_tells_activities_apart() -> None:
    rows, person, activity, dataset = people()
    space = fit_space(rows, person, activity, dataset)
    assert space is not None
    found = space(rows).astype(np.float64)
    assert found.shape == (len(rows), 3)
    assert np.isfinite(found).all()
    weights = np.abs(space.directions.astype(float)).max(axis=1)
    assert weights[1] < min(weights[0], weights[2])  # what varies from window to window tells nothing
    assert (np.diff(space.between) <= 0).all()
    for number in range(3):
        of_one = found[(person == 1) & (activity == number)]
        assert (of_one.std(axis=0) <= 1.5).all()


def test_where_nobody_shows_two_activities_there_is_no_space() -> None:
    rows, person, activity, dataset = people()
    alone = activity == person % 3
    assert fit_space(rows[alone], person[alone], activity[alone], dataset[alone]) is None


def test_examples_of_one_activity_do_not_take_from_the_others() -> None:
    head = learn(PRIOR, ACTIVITIES, windows(["Walking"] * 5))
    asked = windows(["Sitting"] * 20 + ["Standing"] * 20, seed=1)
    after = head.adjust(asked.probabilities, asked.features)
    assert (after.argmax(axis=1) == asked.probabilities.argmax(axis=1)).all()
