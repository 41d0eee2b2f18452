"""A model on a small device answers as it does here: the very artefact is run on the same windows."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.har.classifiers.base import Recogniser
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.persistence import load_model
from app.har.classifiers.stored_models import load_model as load_any
from app.har.datasets.loaders import EMBEDDED_EXAMPLE
from app.har.datasets.store import build_store, open_store
from app.har.errors import UnusableRecording
from app.har.exports import c_emulator, check, export, litert_file, needs, onnx_file
from app.har.exports.c_small import write_small_c
from app.har.exports.c_source import write_c
from app.har.exports.check import compare, refuse_where_wrong, windows_to_try
from app.har.exports.device_model import DeviceModel, windows_like
from app.har.exports.formats import ARTEFACT, DESCRIPTION
from app.har.exports.small import Small, teach
from app.har.exports.types import Emulated, HeldOut
from app.har.types import FloatArray
from app.har.windows import WindowSet, make_windows
from tests.conftest import ROOT

REFERENCES = ROOT / "reference_models"
LIMIT = 0.8


@pytest.fixture(scope="module")
def physiotherapy() -> ActivityClassifier:
    return load_model(REFERENCES / "reference-physiotherapy")


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> WindowSet:
    """Return the windows of the data set that the model learnt from."""
    folder = tmp_path_factory.mktemp("example") / "store"
    build_store(EMBEDDED_EXAMPLE, folder)
    return make_windows(open_store(folder).signals, 3.0)


@pytest.fixture(scope="module")
def held_out(windows: WindowSet) -> HeldOut:
    """Return the windows of the two people whom the model did not learn from."""
    kept = check.held_out_of(windows.take(np.isin(windows.subjects, ("06", "09"))), "2 people")
    assert kept is not None
    assert len(kept.windows) == 318
    return kept


@pytest.fixture(scope="module")
def learnt_from(windows: WindowSet) -> WindowSet:
    return windows.take(~np.isin(windows.subjects, ("06", "09")))


@pytest.fixture(scope="module")
def taught(physiotherapy: ActivityClassifier, learnt_from: WindowSet) -> Small:
    return teach(DeviceModel(physiotherapy), learnt_from)


@pytest.fixture(scope="module")
def small(small_base: Path) -> ActivityClassifier:
    return load_model(small_base)


@pytest.fixture(scope="module")
def exported(
    physiotherapy: ActivityClassifier, held_out: HeldOut, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[dict[str, Any], bytes]]:
    """Return the description and the archive of the C source, by how its weights are stored."""
    made = {}
    for weights in ("float32", "int8"):
        folder = tmp_path_factory.mktemp(weights)
        document = export.export(physiotherapy, "reference-physiotherapy/1", "c", weights, LIMIT, folder, held_out)
        made[weights] = document, (folder / ARTEFACT).read_bytes()
    return made


def test_compiled_c_answers_every_window_as_the_model_does(exported: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    report = exported["float32"][0]["check"]
    assert report["held_out_windows"] == 318
    assert report["windows"] > 318 + check.MADE_UP
    assert report["largest_difference"] <= check.MOST_APART
    assert report["same_answers"] == 1.0
    assert report["scores"] == report["scores_of_model"]
    assert report["scores"]["f1"] == pytest.approx(0.915, abs=0.001)
    assert list(report["scores"]["by_subject"]) == ["06", "09"]


def test_weights_of_8_bits_take_less_than_a_third_and_lose_less_than_a_point(
    exported: dict[str, tuple[dict[str, Any], bytes]],
) -> None:
    (exact, _), (rounded, _) = exported["float32"], exported["int8"]
    assert rounded["cost"]["bytes"] <= 0.3 * exact["cost"]["bytes"]
    assert exact["cost"]["bytes"] < 5e6
    assert rounded["check"]["scores"]["f1"] >= rounded["check"]["scores_of_model"]["f1"] - 0.01
    assert 1e-4 < rounded["check"]["largest_difference"] < 0.05
    for document in (exact, rounded):
        assert document["cost"]["ram_bytes"] < 100_000
        assert 1e6 < document["cost"]["multiply_adds"] < 5e6


def test_the_archive_holds_the_very_files_and_all_that_a_device_must_know(
    exported: dict[str, tuple[dict[str, Any], bytes]],
) -> None:
    document, packed = exported["float32"]
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        names = archive.namelist()
        found = {name: hashlib.sha256(archive.read(name)).hexdigest() for name in names if name != DESCRIPTION}
        assert json.loads(archive.read(DESCRIPTION)) == document
    assert set(names) == {"reference_physiotherapy.h", "reference_physiotherapy.c", "check.c", DESCRIPTION}
    assert found == {name: one["sha256"] for name, one in document["files"].items()}
    assert document["input"]["shape"] == [150, 6]
    assert document["input"]["sampling_rate_hz"] == 50.0
    assert document["input"]["gravity"] == "included"
    assert document["input"]["channels"][0] == {"name": "acc_x", "unit": "m/s²"}
    assert document["input"]["channels"][3] == {"name": "gyro_x", "unit": "rad/s"}
    assert document["output"]["limit"] == LIMIT
    assert document["output"]["tree"][-1]["name"] == "Uncertain"


@pytest.fixture(scope="module")
def program(small: ActivityClassifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = write_c(DeviceModel(small), "9 lives — small", LIMIT)  # a name that C would not take
    return c_emulator.compiled(source.files, tmp_path_factory.mktemp("compiled"))


def test_a_model_of_other_sizes_answers_the_same(small: ActivityClassifier, program: Path) -> None:
    X = windows_to_try(small, None).X
    emulated, found = c_emulator.run(program, X), small.recognise(windows_like(small, X))
    np.testing.assert_allclose(emulated.probabilities, found.probabilities, atol=2e-4)
    np.testing.assert_array_equal(emulated.unfamiliar, found.unfamiliar)


@pytest.mark.parametrize(
    ("weights", "share", "apart"), [("float32", 1.0, 2e-4), ("float16", 0.7, 1e-3), ("int8", 0.5, 0.1)]
)
def test_onnx_answers_windows_with_any_sensors_as_the_model_does(
    small: ActivityClassifier, weights: str, share: float, apart: float
) -> None:
    X = windows_to_try(small, None).X
    content = onnx_file.write_onnx(DeviceModel(small), "small", weights)
    emulated, found = onnx_file.run_onnx(content, X), small.recognise(windows_like(small, X))
    np.testing.assert_allclose(emulated.probabilities, found.probabilities, atol=apart)
    assert (emulated.unfamiliar == found.unfamiliar).mean() >= (1.0 if weights == "float32" else 0.97)
    assert len(content) <= share * len(onnx_file.write_onnx(DeviceModel(small), "small", "float32"))


def test_without_onnx_it_says_what_to_install(
    small: ActivityClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs, "find_spec", lambda _: None)
    with pytest.raises(UnusableRecording, match="pip install onnx onnxruntime"):
        export.export(small, "small/1", "onnx", "float32", LIMIT, tmp_path)


@pytest.fixture(scope="module")
def litert(small: ActivityClassifier) -> tuple[bytes, list[FloatArray]]:
    """Return the file with float32 weights, and its matrices."""
    return litert_file.converted(DeviceModel(small))


@pytest.mark.parametrize(
    ("weights", "share", "apart"), [("float32", 1.0, 2e-4), ("float16", 0.7, 1e-3), ("int8", 0.5, 0.1)]
)
def test_litert_answers_windows_with_any_sensors_as_the_model_does(
    small: ActivityClassifier, litert: tuple[bytes, list[FloatArray]], weights: str, share: float, apart: float
) -> None:
    content = litert[0] if weights == "float32" else litert_file.coarser(*litert, weights)
    X = windows_to_try(small, None).X
    emulated, found = litert_file.run_litert(content, X), small.recognise(windows_like(small, X))
    np.testing.assert_allclose(emulated.probabilities, found.probabilities, atol=apart)
    assert (emulated.unfamiliar == found.unfamiliar).mean() >= (1.0 if weights == "float32" else 0.97)
    assert len(content) <= share * len(litert[0])


def test_a_window_that_is_no_signal_gets_no_answer(small: ActivityClassifier, program: Path) -> None:
    shape = (1, small.n_timesteps, len(small.channels))
    for X in (np.full(shape, np.nan), np.where(np.arange(shape[1])[None, :, None] == 3, np.inf, 0.0) + np.zeros(shape)):
        with pytest.raises(UnusableRecording, match="no answer to 1 of 1"):
            c_emulator.run(program, X.astype(np.float32))


def test_an_artefact_that_answers_otherwise_is_not_handed_out(
    small: ActivityClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = write_c(DeviceModel(small), "small", LIMIT)
    wrong = {name: text.replace("#define FLOOR 1e-4f", "#define FLOOR 2e-3f") for name, text in right.files.items()}
    assert wrong != right.files
    monkeypatch.setattr(export, "write_c", lambda *_, **__: replace(right, files=wrong))
    with pytest.raises(UnusableRecording, match="not handed out"):
        export.export(small, "small/1", "c", "float32", LIMIT, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "rounded", "message"),
    [(2e-3, False, "differ from the model's by up to 0.002"), (np.nan, True, "no numbers"), (0.5, True, "answers")],
)
def test_what_is_compared_is_refused_where_it_is_wrong(
    small: ActivityClassifier, change: float, rounded: bool, message: str
) -> None:
    windows = windows_to_try(small, None)
    found = small.recognise(windows)
    order = np.roll(np.arange(len(small.activities)), 1)
    p = found.probabilities[:, order] if change == 0.5 else found.probabilities + np.float32(change)
    report = compare(small, found, Emulated(p, found.unfamiliar, 1.0), None, LIMIT)
    with pytest.raises(UnusableRecording, match=message):
        refuse_where_wrong(report, rounded)


def test_an_artefact_that_loses_more_than_a_point_of_f1_is_refused() -> None:
    report = {"largest_difference": 0.2, "same_answers": 0.99, "windows": 100}
    scores = {"scores": {"f1": 0.885}, "scores_of_model": {"f1": 0.9}}
    with pytest.raises(UnusableRecording, match=r"1\.5 points of F1"):
        refuse_where_wrong(report | scores, rounded=True)


def test_a_small_model_fits_a_microcontroller_and_says_how_right_it_is(
    physiotherapy: ActivityClassifier,
    taught: Small,
    held_out: HeldOut,
    learnt_from: WindowSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export, "teach", lambda *_: taught)
    document = export.export(
        physiotherapy, "reference-physiotherapy/1", "c", "small", LIMIT, tmp_path, held_out, learnt_from
    )
    cost, report = document["cost"], document["check"]
    assert cost["bytes"] < cost["flash_bytes"] <= 64 * 1024
    assert cost["ram_bytes"] < 20_000
    assert cost["multiply_adds"] < 200_000
    assert cost["taught_with"] == {"windows": 1242, "people": 8}
    assert "another model" in document["inside"]
    assert report["scores"]["f1"] >= report["scores_of_model"]["f1"] - 0.02
    assert report["same_answers_held_out"] > 0.8
    assert list(report["scores"]["by_subject"]) == list(report["scores_of_model"]["by_subject"]) == ["06", "09"]
    assert set(document["files"]) == {"reference_physiotherapy.h", "reference_physiotherapy.c", "check.c"}


def test_a_small_model_is_refused_where_its_c_answers_otherwise_or_takes_too_much(
    physiotherapy: ActivityClassifier,
    taught: Small,
    learnt_from: WindowSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export, "teach", lambda *_: taught)
    monkeypatch.setattr(export, "MOST_FLASH", 1000)
    with pytest.raises(UnusableRecording, match="bytes of flash; at most 1,000"):
        export.export(physiotherapy, "small/1", "c", "small", LIMIT, tmp_path, None, learnt_from)
    right = write_small_c(DeviceModel(physiotherapy), taught, "small", LIMIT)
    wrong = {name: text.replace("#define FLOOR 1e-4f", "#define FLOOR 2e-3f") for name, text in right.files.items()}
    assert wrong != right.files
    monkeypatch.setattr(export, "write_small_c", lambda *_: replace(right, files=wrong))
    with pytest.raises(UnusableRecording, match="differ from the model's"):
        export.export(physiotherapy, "small/1", "c", "small", LIMIT, tmp_path, None, learnt_from)
    with pytest.raises(UnusableRecording, match="their data set is not here"):
        export.export(physiotherapy, "small/1", "c", "small", LIMIT, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_a_compiler_nothing_is_handed_out(
    small: ActivityClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnusableRecording, match="no C compiler on this machine"):
        export.export(small, "small/1", "c", "float32", LIMIT, tmp_path)


def test_the_everyday_model_says_why_it_is_not_exported(tmp_path: Path) -> None:
    model: Recogniser = load_any(REFERENCES / "reference-everyday")
    with pytest.raises(UnusableRecording, match="whole recording"):
        export.export(model, "reference-everyday/1", "c", "float32", LIMIT, tmp_path)
