"""Build `reference-falls`, the detector of falls that comes with the program, of data whose licence permits it.

python -m benchmarks.reference_models --only reference-falls; needs the recordings in HAR_DATA_DIR, and UMAFall where
`benchmarks.falls_elsewhere` says. It learns UMAFall's falls and look-alikes at five places of the body thrice: as they
were recorded; with walking before them, since most of these trials begin a moment before the fall; and so by a sensor
of ±2 g and 20 to 50 Hz. Ordinary hours of other data sets say what is none. Its limit is chosen on people left out.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.falls import training
from app.har.falls.features import features
from app.har.falls.impacts import TRIGGER_G
from app.har.falls.trained import TrainedFalls, goes_on, load
from app.har.falls.training import Examples
from app.har.signals.units import STANDARD_GRAVITY
from app.har.training.model_card import CARD
from benchmarks.data import DATA, SETS
from benchmarks.falls_elsewhere import UMA_SENSORS, elsewhere, umafall
from benchmarks.falls_figures import Outcome, figures, judged
from benchmarks.falls_trials import (
    BATCH_S,
    LEAD_S,
    Found,
    Trial,
    examples,
    of_bouts,
    poorer,
    recorded,
    replayed,
    walked_into,
)
from config import ROOT

NAME = "reference-falls"
TARGET = ROOT / "reference_models" / "falls" / NAME
SISFALL = DATA / "sisfall" / "SisFall_dataset_R01.zip"
PLACES = tuple(UMA_SENSORS)
ORDINARY = ("motion-sense", "wisdm-watch", "oxford-walk", "sp-sw-har", "stm-har", "stress-predict")
MEASURED = "measured.json"  # its figures, when it was built
RECORDED, WALKED, POOR = "recorded", "walked", "poor"
POOR_G, POOR_HZ = 2.0, dict.fromkeys(PLACES, 20.0) | {"uma-pocket": 50.0}
SEED, DRAWS, LONG_S = 0, 200, 30.0
WITH_ELDERLY, ELDERLY = ("sisfall", "weda-fall"), ("SE", "U2", "U3")  # how their people's names begin
Part = tuple[str, str]  # of what data set or place, and how changed


@cache
def learnt() -> dict[Part, list[Trial]]:
    """Return what is learnt, by data set or place and by how it was changed."""
    found: dict[Part, list[Trial]] = {}
    for place, recordings in umafall():
        print(place, file=sys.stderr, flush=True)
        each = _of("uma", recordings)
        walked = walked_into(each)
        found[place, RECORDED] = _replays(each, batch_s=BATCH_S)
        found[place, WALKED] = _replays(walked, LEAD_S)
        found[place, POOR] = _replays(poorer(walked, POOR_HZ[place], POOR_G), LEAD_S)
    for name in ORDINARY:
        print(name, file=sys.stderr, flush=True)
        recordings = _wristbands() if name == "stress-predict" else recorded(SETS[name][0])
        found[name, RECORDED] = _replays(_of(name, recordings))
    return found


def _replays(found: Sequence[Found], lead_s: float = 0.0, batch_s: float = LONG_S) -> list[Trial]:
    """Replay trials, on all cores; what is only learnt is told in long batches, which are quicker."""
    with ProcessPoolExecutor() as pool:
        return list(pool.map(partial(_replay, lead_s, batch_s), found, chunksize=16))


def _replay(lead_s: float, batch_s: float, found: Found) -> Trial:
    return replayed(*found, lead_s=lead_s, batch_s=batch_s)


def _of(name: str, found: Iterable[Found]) -> list[Found]:
    """Name a data set's people after it."""
    return [(f"{name}/{person}", activity, fall, time_s, values) for person, activity, fall, time_s, values in found]


def _wristbands() -> Iterator[Found]:
    """Yield two wristbands of Stress-Predict: sitting, mostly; counts of 1/64 g below the start and the rate."""
    for person in ("S01", "S02"):
        rows = np.loadtxt(DATA / "stress-predict" / person / "ACC.csv", delimiter=",")
        counts = rows[2:]
        values = (counts / 64 * STANDARD_GRAVITY).astype(np.float32)
        yield person, "several", False, np.arange(len(counts)) / rows[1, 0], values


@cache
def _rows() -> dict[Part, Examples]:
    return {part: examples(found, features) for part, found in learnt().items()}


def together(parts: Sequence[Part]) -> Examples:
    """Return the examples of parts; a person at several places stays one."""
    rows = [_rows()[part] for part in parts]
    return replace(training.joined(rows), bout_person=np.concatenate([each.bout_person for each in rows]))


@cache
def people_left_out() -> dict[Part, NDArray[np.float64]]:
    """Return the scores of all impacts that are learnt, each by detectors that met nobody of the person's group."""
    parts = list(learnt())
    scores = training.out_of_fold(together(parts), training.FOLDS, SEED, lambda n, of: print(n, of, file=sys.stderr))
    ends = np.cumsum([len(_rows()[part].kind) for part in parts])
    return dict(zip(parts, np.split(scores, ends[:-1]), strict=True))


def build() -> dict[str, Any]:
    """Train, choose the limit on people left out, put the detector in its place; return its headline figures."""
    parts = list(learnt())
    found, scores = together(parts), np.concatenate(list(people_left_out().values()))
    limit = training.best_limit(found, scores)
    as_recorded = np.concatenate([np.full(len(_rows()[part].bout_fall), part[1] == RECORDED) for part in parts])
    facts = {
        "trained_on": "UMAFall and ordinary hours",
        "fall_activities": sorted(set(found.bout_activity[found.bout_fall].tolist())),
        **training.outcome(of_bouts(found, as_recorded), scores[as_recorded[found.bout]], limit),
    }
    detector = TrainedFalls((training.fitted(found, np.ones(len(found.kind), bool), SEED),), limit, facts)
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.parent.mkdir(exist_ok=True)
    detector.save(TARGET)
    rows = measured()
    shutil.rmtree(TARGET)
    detector.save(TARGET, {CARD: _card(facts, limit, rows), MEASURED: json.dumps(rows, ensure_ascii=False, indent=1)})
    size = sum(file.stat().st_size for file in TARGET.iterdir())
    return {"size_mib": round(size / 2**20, 2), "limit": limit, **facts, "measured": rows}


def sets_to_measure() -> Iterator[tuple[str, list[Trial]]]:
    """Yield all trials that methods are measured on: of sets with falls also with walking before, and poorly sensed."""
    sets = [("sisfall", list(recorded(SISFALL))), *((name, list(found)) for name, found in elsewhere())]
    for name, found in sets:
        yield name, _replays(found, batch_s=BATCH_S)
        walked = walked_into(found)
        yield f"{name}, after walking", _replays(walked, LEAD_S)
        yield f"{name}, after walking, ±2 g, 20 Hz", _replays(poorer(walked, 20.0, POOR_G), LEAD_S)
    for (name, change), replays in learnt().items():
        if change == RECORDED:
            yield name, replays
    yield "hapt", _replays(list(recorded(SETS["hapt"][0])))


def measured() -> dict[str, Any]:
    """Return the figures of the detector where it met nobody: no data set of falls, no person, no ordinary data set."""
    detector = load(TARGET)
    result = {}
    for name, found in sets_to_measure():
        print(name, file=sys.stderr, flush=True)
        if name in PLACES:
            scores = people_left_out()[name, RECORDED]
            outcomes = _judged(found, scores, detector.limit)
        elif name in ORDINARY:
            rest = together([part for part in learnt() if part[0] != name])
            opinion = training.fitted(rest, np.ones(len(rest.kind), bool), SEED)
            outcomes = _judged(found, opinion.scores(_rows()[name, RECORDED].rows), detector.limit)
        else:
            outcomes = judged(found, detector.score, detector.limit)
        result[name] = figures(outcomes, DRAWS)
        if name in WITH_ELDERLY:
            old = [each.trial.person.startswith(ELDERLY) for each in outcomes]
            for group, is_old in (("adults", False), ("elderly", True)):
                chosen = [each for each, its in zip(outcomes, old, strict=True) if its == is_old]
                result[f"{name}, {group}"] = figures(chosen, DRAWS)
    return result


def _judged(found: Sequence[Trial], scores: NDArray[np.float64], limit: float) -> list[Outcome]:
    impacts = [impact for trial in found for impact in trial.impacts]
    ended = np.array([not goes_on(impact) for impact in impacts])
    return judged(found, lambda _: (scores * ended).tolist(), limit)


def _card(facts: dict[str, Any], limit: float, rows: dict[str, Any]) -> str:
    """Write the detector's card."""
    columns = ("falls", "sensitivity", "specificity", "hours", "false alarms an hour", "false alarms a day")
    table = [
        "| Where it met nobody | " + " | ".join(columns) + " |",
        "| --- |" + " ---: |" * len(columns),
        *(f"| {name} | " + " | ".join(str(row[column]) for column in columns) + " |" for name, row in rows.items()),
    ]
    sections = [
        "# Falls, anywhere on the body",
        "Scores hard impacts in a stream of acceleration with gravity, from 0 to 1, about 3.5 s after each; from "
        f"{limit:.2f} on one is taken for a fall.",
        "## Meant for",
        "Research on alarms. Not a medical device: nobody's safety may rest on it. The falls that it learnt are "
        "staged, by people of 18 to 55 years, onto mats.",
        "## Trained on",
        f"- UMAFall: 19 people, {facts['falls']} recordings of falls and more of their look-alikes, at pocket, chest, "
        "waist, wrist and ankle (Casilari, Santoyo-Ramón and Cano-García 2017, doi 10.1016/j.procs.2017.06.110; "
        "figshare 4214283, CC BY 4.0; the university's own repository has the files as CC BY-NC 4.0). Changed: learnt "
        "as recorded, with walking before, and so at ±2 g and 20 to 50 Hz\n"
        "- ordinary activities without a fall: MotionSense (MIT), WISDM's watch, Oxford step counter, SP-SW-HAR "
        "(CC BY 4.0), STM (BSD-3), Stress-Predict's wristbands (MIT)\n"
        f"- seed {SEED}; the limit was chosen on people left out; SisFall, WEDA-FALL, MobiFall and HAPT were for "
        "measuring alone",
        "## How well it does",
        f"On people of what it learnt who were left out: sensitivity {facts['sensitivity']}, specificity "
        f"{facts['specificity']}, {facts['false_alarms_an_hour']} false alarms an hour. For a row of what it learnt, "
        "people (UMAFall) or the whole data set (ordinary activities) were left out. That all is learnt thrice was "
        "decided when MobiFall showed that falls just after walking were missed: it had a say in that.",
        "\n".join(table),
        "## Limits",
        f"- A fall of which nothing is harder than {TRIGGER_G} g, or after which the movement goes on as hard, is not "
        "seen.\n- At wrist and ankle it misses more, and hands that hit or clap raise false alarms.\n- No fall of an "
        "elderly person in their own life was in any of these data sets; the best open result on such falls has 14 to "
        "28 false alarms a day.",
    ]
    return "\n\n".join(sections) + "\n"
