"""A walk that is recognised with a model of shoulder exercises names none of them."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from app.har.classifiers.stored_models import load_model
from app.har.problems import ProblemKind
from app.services.recordings.demands import Alternative, StatedDemands
from app.services.recordings.recognise import Model, Recognised, always, recognise
from app.services.recordings.verdict import decide
from tests import cases

STORED = Path(__file__).parents[2] / "reference_models"
EXERCISES, EVERYDAY, KU_HAR = "reference-physiotherapy", "reference-everyday", "reference-ku-har"


def alternative(name: str) -> Alternative:
    manifest = json.loads((STORED / name / "manifest.json").read_text())
    return Alternative(name, StatedDemands.from_manifest(manifest), partial(load_model, STORED / name))


def recognised(file: Path, model: str, *others: str) -> Recognised:
    chosen = always(Model(model, partial(load_model, STORED / model)))
    return recognise(file, file.name, chosen, alternatives=lambda: [alternative(other) for other in others])


def test_a_walk_is_no_upright_row(tmp_path: Path) -> None:
    t, a, w, _ = cases.person(seconds=60)
    file = tmp_path / "walk.csv"
    file.write_text(cases.table(cases.KINELAB, t, *a.T.round(4), *w.T.round(4)))
    found = recognised(file, EXERCISES, EVERYDAY, KU_HAR)
    verdict = decide(found.result, found.quality.as_dict())
    assert verdict.what == "The model does not fit this recording"
    assert verdict.level == "hardly"
    assert list(found.result.totals("answer")[0]) == ["Unfamiliar"]
    assert "Upright row" in found.result.totals("deepest")[0]
    (problem,) = [own for own in found.result.problems if own.kind == ProblemKind.MODEL_MISFIT]
    assert problem.action.endswith("No other model here fits it")  # nobody walks like this made-up person


@pytest.mark.parametrize("others", [(EVERYDAY,), (KU_HAR, EVERYDAY)])
def test_the_first_other_model_that_knows_the_signal_is_named(data_dir: Path, others: tuple[str, ...]) -> None:
    found = recognised(data_dir / "phone-exports" / "physics-toolbox" / "record_N.csv", EXERCISES, *others)
    (problem,) = [own for own in found.result.problems if own.kind == ProblemKind.MODEL_MISFIT]
    assert problem.action.endswith(f"Recognise it again with {EVERYDAY}, which fits")


def test_a_walk_on_a_phone_at_the_waist_is_no_trapezius_extension(data_dir: Path, tmp_path: Path) -> None:
    with ZipFile(data_dir / "hapt" / "HAPT Data Set.zip") as archive:
        rows = [
            archive.read(f"HAPT Data Set/RawData/{sensor}_exp08_user04.txt").decode().splitlines()
            for sensor in ("acc", "gyro")
        ]
    values = [np.array([line.split() for line in table], float) for table in rows]
    file = tmp_path / "day.csv"
    t = np.arange(len(values[0])) / 50
    file.write_text(cases.table(cases.KINELAB, t, *(9.80665 * values[0]).T.round(4), *values[1].T.round(4)))
    found = recognised(file, EXERCISES, EVERYDAY)
    assert list(found.result.totals("answer")[0]) == ["Unfamiliar"]
    assert "Trapezius extension" in found.result.totals("deepest")[0]
    (problem,) = [own for own in found.result.problems if own.kind == ProblemKind.MODEL_MISFIT]
    assert "It knows special movements alone" in problem.detail
    assert problem.action.endswith(f"Recognise it again with {EVERYDAY}, which fits")
