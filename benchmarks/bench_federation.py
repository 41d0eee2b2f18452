"""Sums of several sites: how exact the joint head is, how good, what noise costs, and what sums tell of single windows.

KU-HAR, divided by people; the map is that of the reference model, whose test people are tested here as well. Every
figure of quality is of these people, whom no site has. ``head_f1`` is of the head by itself, ``f1`` of the whole model.

python -m benchmarks.bench_federation [--only merge noise attack]; JSON on stdout. Needs the recordings in HAR_DATA_DIR.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import f1_score

from app.har.classifiers import model_folder
from app.har.classifiers.elm_gru_am.persistence import load_model
from app.har.datasets.store import build_store, open_store
from app.har.federation import fixed_point, masking, noise
from app.har.federation.joint import joint_model
from app.har.federation.minimums import Minimum
from app.har.federation.site_sums import Contribution, SharedMap
from app.har.federation.windows import windows_for
from app.har.sums import Matrix, Sums
from app.har.windows import WindowSet
from benchmarks.data import SETS
from benchmarks.reconstruction import (
    RowSpace,
    area_under_curve,
    features_behind,
    labels_and_weights,
    recovered_rows,
)

MODEL = Path(__file__).resolve().parent.parent / "reference_models" / "reference-ku-har"
PARTS = ("merge", "noise", "attack")
SITES = (2, 10, 64, 80)
ROWS = (1, 5, 20, 40, 80)
WINDOWS = (500, 2000, 3500, 4500)
SEEDS = (0, 1, 2)


class Data:
    """The windows of people who were trained on, and of those who were not."""

    def __init__(self) -> None:
        manifest = model_folder.verify(MODEL)
        model = load_model(MODEL)
        # Without copies as from slower devices, which each site draws for itself: or no sums could be compared exactly
        model.config = replace(model.config, low_rate_augmentation=0.0)
        self.shared = SharedMap.of(model, manifest)
        with tempfile.TemporaryDirectory() as folder:
            build_store(SETS["ku-har"][0], Path(folder) / "store")
            windows = windows_for(self.shared.model, open_store(Path(folder) / "store").signals, {})
        tested = np.isin(windows.subjects, manifest["split"]["subjects"]["test"])
        self.learnt, self.tested = windows.take(~tested), windows.take(tested)
        self.people = np.unique(self.learnt.subjects)
        say(f"{len(self.learnt)} windows of {len(self.people)} people; {len(self.tested)} to test")

    def of_site(self, number: int, n_sites: int) -> WindowSet:
        """Return the windows of one of several sites: as many people each, or windows where there are more sites."""
        if n_sites > len(self.people):
            return self.learnt.take(np.arange(len(self.learnt)) % n_sites == number)
        people = np.random.default_rng(0).permutation(self.people)[number::n_sites]
        return self.learnt.take(np.isin(self.learnt.subjects, people))

    def quality(self, sums: Sums, ridge: float | None = None) -> dict[str, float]:
        """Return how well the head of some sums does, by itself and in the whole model."""
        joint = joint_model(self.shared, sums, ridge)
        alone = self.shared.hidden(self.tested) @ joint.elm_.betas[(True,) * len(joint.elm_.sizes)]
        whole = joint.predict_proba(self.tested)
        return {
            "head_f1": float(f1_score(self.tested.y, alone.argmax(axis=1), average="macro")),
            "f1": float(f1_score(self.tested.y, whole.argmax(axis=1), average="macro")),
        }


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def apart(one: Matrix, other: Matrix) -> float:
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


def merge(data: Data) -> dict[str, Any]:
    """Return how far joint heads are from the one of all rows, and how much better than that of one site."""
    shared, ridge = data.shared, data.shared.model.config.elm_ridge
    H, T, W = shared.hidden(data.learnt), np.eye(len(shared.weights))[data.learnt.y], shared.weights[data.learnt.y]
    scratch = np.linalg.solve(H.T @ (W[:, None] * H) + ridge * np.eye(H.shape[1]), H.T @ (W[:, None] * T))
    found: dict[str, Any] = {}
    for n_sites in SITES:
        started = time.perf_counter()
        total: Sums | None = None
        masked = np.zeros(0, np.uint64)
        alone = []
        for number in range(n_sites):
            one = Contribution.of(shared, data.of_site(number, n_sites))
            total = one.sums if total is None else total + one.sums
            words = fixed_point.encoded(one.packed(), n_sites)
            masked = words if not len(masked) else masked + words
            if number < 3:
                alone.append(data.quality(one.sums))
        assert total is not None
        seconds = time.perf_counter() - started
        rounded = Contribution.unpacked(fixed_point.decoded(masked), shared.n_nodes, len(shared.weights)).sums
        found[f"{n_sites} sites"] = {
            "people_of_a_site": len(data.people) / n_sites,
            "from_all_rows": apart(total.solve(ridge), scratch),
            "from_all_rows_in_fixed_point": apart(rounded.solve(ridge), scratch),
            "head_f1_of_one_site": float(np.mean([one["head_f1"] for one in alone])),
            "f1_of_one_site": float(np.mean([one["f1"] for one in alone])),
            **data.quality(total),
            "seconds": seconds,
        }
        say(f"{n_sites} sites: {found[f'{n_sites} sites']}")
    words = fixed_point.encoded(one.packed(), 2)
    started = time.perf_counter()
    masking.add_mask(words, bytes(32), 1)
    found["a file"] = {"MB": words.nbytes / 2**20, "seconds_to_mask_towards_a_site": time.perf_counter() - started}
    return found


def noise_costs(data: Data) -> dict[str, Any]:
    """Return what noise for differential privacy leaves of the head of two sites."""
    found = {}
    for epsilon in (1.0, 10.0, 100.0, 1000.0):
        sites = [noise.noisy(data.shared, data.of_site(number, 2), noise.Privacy(epsilon)) for number in range(2)]
        total = sites[0][0].sums + sites[1][0].sums
        ridge = noise.ridge_for(data.shared, [said for _, said in sites])
        found[f"ε = {epsilon:g}, δ = 1e-5"] = {"ridge": ridge, **data.quality(total, ridge)}
        say(f"ε {epsilon}: {found[f'ε = {epsilon:g}, δ = 1e-5']}")
    bounded = [noise._bounded(data.shared, data.of_site(number, 2), noise.Privacy(1).row_norm) for number in range(2)]
    found["rows as short, no noise"] = {"ridge": 100.0, **data.quality(bounded[0] + bounded[1])}
    say(f"short: {found['rows as short, no noise']}")
    return found


def attack(data: Data) -> dict[str, Any]:
    """Return what sums of so many windows tell."""
    return {"rows found": recovery(data), "who is in the sums": membership(data), "one person": one_person(data)}


def recovery(data: Data) -> dict[str, Any]:
    """Return how many rows of a few windows are found in their sums, and how exactly the features behind them."""
    shared, elm = data.shared, data.shared.model.elm_
    found = {}
    for n in ROWS:
        rows_found, errors, labels_right, tries = [], [], [], 10 * n + 20
        for seed in SEEDS:
            windows = data.learnt.take(np.random.default_rng(seed).permutation(len(data.learnt))[:n])
            weights = shared.weights[windows.y]
            H, scaled = shared.hidden(windows), shared._scaled(windows)
            sums = Sums.of(H, np.eye(len(shared.weights))[windows.y], weights)
            relu = np.arange(elm.sizes[0])  # of one sensor: its nodes read the fewest features
            rows = recovered_rows(sums.gram[np.ix_(relu, relu)], tries, seed)
            true = np.sqrt(weights)[:, None] * H[:, relu]
            distance = [np.linalg.norm(true - row, axis=1) / np.linalg.norm(row) for row in rows]
            nearest = np.array([one.argmin() for one in distance], np.int64)
            right = [i for i, one in enumerate(distance) if one.min() < 1e-3]
            rows_found.append(len({nearest[i] for i in right}) / n)
            if right:
                label, weight = labels_and_weights(sums.select(relu), rows[right])
                labels_right.append(float((label == windows.y[nearest[right]]).mean()))
                features = features_behind(elm, rows[right] / np.sqrt(weight)[:, None], 0)
                read = scaled[nearest[right]][:, elm.blocks[0]]
                errors.append(float(np.sqrt(((features - read) ** 2).mean()) / np.sqrt((read**2).mean())))
        found[f"{n} windows"] = {
            "share_of_rows_found": float(np.mean(rows_found)),
            "activity_right": float(np.mean(labels_right)) if labels_right else None,
            "error_of_features": float(np.mean(errors)) if errors else None,
        }
        say(f"{n} windows: {found[f'{n} windows']}")
    return found


def membership(data: Data) -> dict[str, Any]:
    """Return how well sums tell windows that are in them from others of the same people, and people from others."""
    shared = data.shared
    people = np.random.default_rng(0).permutation(data.people)
    inside, outside = people[: -len(people) // 8], people[-len(people) // 8 :]
    of_inside = data.learnt.take(np.isin(data.learnt.subjects, inside))
    order = np.random.default_rng(1).permutation(len(of_inside))
    others = WindowSet.joined([data.learnt.take(np.isin(data.learnt.subjects, outside)), data.tested])
    H_inside, H_others = shared.hidden(of_inside), shared.hidden(others)
    found = {}
    for n in [*(n for n in WINDOWS if n < 0.9 * len(order)), int(0.9 * len(order))]:
        taken, rest = order[:n], order[n : n + 1000]
        space = RowSpace.of(H_inside[taken].T @ H_inside[taken])
        leverage, of_rest = space.leverage(H_inside[taken]), space.leverage(H_inside[rest])
        away, rest_away = space.outside(H_inside[taken]), space.outside(H_inside[rest])
        full = space.rank >= 0.999 * shared.n_nodes
        by_person = [float(np.median(leverage[of_inside.subjects[taken] == one])) for one in inside
                     if (of_inside.subjects[taken] == one).any()]  # fmt: skip
        of_others = space.leverage(H_others)
        by_other = [float(np.median(of_others[others.subjects == one])) for one in np.unique(others.subjects)]
        auc = area_under_curve(-leverage, -of_rest) if full else area_under_curve(-away, -rest_away)
        found[f"{n} windows"] = {
            "rank": space.rank,
            "windows_told_apart": max(auc, 1 - auc),
            "people_told_apart": area_under_curve(-np.array(by_person), -np.array(by_other)),
        }
        say(f"membership {n}: {found[f'{n} windows']}")
    return found


def one_person(data: Data) -> dict[str, Any]:
    """Return how near the mean row of an activity that one person did is to that person's, and what a minimum does."""
    shared = data.shared
    person = data.people[0]
    windows = data.learnt.take(data.learnt.subjects == person)
    label = int(np.bincount(windows.y).argmax())
    whole = data.learnt.take((data.learnt.y != label) | (data.learnt.subjects == person))
    sums = Contribution.of(shared, whole).sums
    mean = sums.moment[:, label] / shared.weights[label] / sums.counts[label]
    true = shared.hidden(windows.take(windows.y == label)).mean(axis=0)
    kept, left_out = Minimum(1, 5).shareable(whole)
    return {
        "distance_of_mean_row": apart(mean, true),
        "left_out_by_a_minimum_of_5_people": sum(left_out.values()),
        "of_that_activity_left": int((kept.y == label).sum()),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    only = parser.parse_args(arguments).only
    data = Data()
    parts = {"merge": merge, "noise": noise_costs, "attack": attack}
    print(json.dumps({name: part(data) for name, part in parts.items() if name in only}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
