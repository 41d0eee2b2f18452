"""An artefact of a model: made, run on windows, compared with the model, and only then handed out."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tempfile
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from app.har.classifiers.base import Recogniser
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.errors import UnusableRecording
from app.har.exports import browser, c_emulator, litert_file, onnx_file
from app.har.exports.c_small import write_small_c
from app.har.exports.c_source import write_c
from app.har.exports.c_text import CSource
from app.har.exports.check import compare, refuse_where_wrong, windows_to_try
from app.har.exports.description import describe
from app.har.exports.device_model import DeviceModel, exportable
from app.har.exports.formats import ARTEFACT, DESCRIPTION, EXACT, SMALL
from app.har.exports.needs import lacking
from app.har.exports.small import MOST_FLASH, teach
from app.har.exports.types import Emulated, HeldOut
from app.har.progress import OnEvent, ignore_event
from app.har.types import FloatArray
from app.har.windows import WindowSet

Files = dict[str, bytes]
Made = tuple[Files, Emulated, dict[str, Any]]  # files, what they answered, and what they cost


def export(
    model: Recogniser,
    label: str,
    format_: str,
    weights: str,
    limit: float,
    folder: Path,
    held_out: HeldOut | None = None,
    learnt_from: WindowSet | None = None,
    on_event: OnEvent = ignore_event,
) -> dict[str, Any]:
    """Make an artefact, run it, and write it with its description into an existing folder; return the description.

    Parameters
    ----------
    format_, weights : see `formats.FORMATS`.
    limit : how probable an answer must be.
    held_out : labelled windows that the model did not learn from; default none, and only made-up ones are tried.
    learnt_from : windows that the model learnt from, which a small model needs; default none.

    Raises
    ------
    UnusableRecording : the model cannot be exported, what it would need is missing here, or the artefact does not
        answer as the model does; nothing is written then.
    """
    fitted = exportable(model)
    if missing := lacking(format_):
        raise UnusableRecording(missing)
    on_event({"stage": "Asking the model", "fraction": 0.1})
    tried = windows_to_try(fitted, held_out)
    found = fitted.recognise(tried)
    on_event({"stage": "Making the artefact", "fraction": 0.3})
    small = weights == SMALL
    if small:
        files, emulated, cost = _make_small(fitted, label, limit, tried, learnt_from, on_event)
    else:
        files, emulated, cost = MAKERS[format_](fitted, label, weights, limit, tried.X, on_event)
    on_event({"stage": "Comparing", "fraction": 0.9})
    report = compare(fitted, found, emulated, held_out, limit)
    if not small:  # which is another model, and says how far it is from this one
        refuse_where_wrong(report, rounded=weights != EXACT)
    document = {
        "format": format_,
        "weights": weights,
        **describe(fitted, label, limit, small),
        "cost": {**cost, "ms": emulated.ms, "ram_bytes": emulated.ram_bytes, "measured_on": _machine()},
        "check": report,
        "files": {
            name: {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()} for name, body in files.items()
        },
    }
    text = json.dumps(document, indent=1, ensure_ascii=False)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in {**files, DESCRIPTION: text.encode()}.items():
            archive.writestr(name, body)
    (folder / ARTEFACT).write_bytes(packed.getvalue())
    (folder / DESCRIPTION).write_text(text, encoding="utf-8")
    return document


def _make_c(
    model: ActivityClassifier, label: str, weights: str, limit: float, X: FloatArray, on_event: OnEvent
) -> Made:
    source = write_c(DeviceModel(model), label.partition("/")[0], limit, int8=weights == "int8")
    return _tried(source, X, on_event)


def _make_small(
    model: ActivityClassifier,
    label: str,
    limit: float,
    tried: WindowSet,
    learnt_from: WindowSet | None,
    on_event: OnEvent,
) -> Made:
    """Teach a small model, and try its C; it must answer as the small model does here, and keep within its room."""
    if learnt_from is None:
        raise UnusableRecording(
            "A small model learns from what this one answers of the windows that it learnt from, and their data set is "
            "not here. Add it again, and export then."
        )
    on_event({"stage": "Teaching a small model", "fraction": 0.3})
    device = DeviceModel(model)
    small = teach(device, learnt_from)
    source = write_small_c(device, small, label.partition("/")[0], limit)
    files, emulated, cost = _tried(source, tried.X, on_event)
    report = compare(model, small(device, tried), emulated, None, limit)
    refuse_where_wrong(report, rounded=False)
    if cost["flash_bytes"] > MOST_FLASH:
        raise UnusableRecording(
            f"The small model takes {cost['flash_bytes']:,} bytes of flash; at most {MOST_FLASH:,} are meant. It is "
            "not handed out."
        )
    people = len(set(learnt_from.subjects.tolist()))
    return files, emulated, {**cost, "taught_with": {"windows": len(learnt_from), "people": people}}


def _tried(source: CSource, X: FloatArray, on_event: OnEvent) -> Made:
    """Compile a source and run it on windows."""
    with tempfile.TemporaryDirectory() as folder:
        on_event({"stage": "Compiling it", "fraction": 0.4})
        program = c_emulator.compiled(source.files, Path(folder))
        flash_bytes = c_emulator.flash_bytes(source.files, Path(folder))
        on_event({"stage": "Running it on every window", "fraction": 0.6})
        emulated = c_emulator.run(program, X)
    cost = {
        "bytes": source.constant_bytes,
        "flash_bytes": flash_bytes,
        "multiply_adds": source.multiply_adds,
        "made_with": c_emulator.compiler_version(),
    }
    return {name: text.encode() for name, text in source.files.items()}, emulated, cost


def _make_onnx(
    model: ActivityClassifier, label: str, weights: str, limit: float, X: FloatArray, on_event: OnEvent
) -> Made:
    name = label.partition("/")[0]
    content = onnx_file.write_onnx(DeviceModel(model), name, weights)
    on_event({"stage": "Running it on every window", "fraction": 0.6})
    emulated = onnx_file.run_onnx(content, X)
    cost = {"bytes": len(content), "made_with": f"ONNX Runtime {version('onnxruntime')}, opset {onnx_file.OPSET}"}
    return {f"{name}.onnx": content}, emulated, cost


def _make_litert(
    model: ActivityClassifier, label: str, weights: str, limit: float, X: FloatArray, on_event: OnEvent
) -> Made:
    content = litert_file.write_litert(DeviceModel(model), weights)
    on_event({"stage": "Running it on every window", "fraction": 0.6})
    emulated = litert_file.run_litert(content, X)
    cost = {
        "bytes": len(content),
        "made_with": f"TensorFlow {version('tensorflow')}, LiteRT {version('ai-edge-litert')}",
    }
    return {f"{label.partition('/')[0]}.tflite": content}, emulated, cost


def _make_browser(
    model: ActivityClassifier, label: str, weights: str, limit: float, X: FloatArray, on_event: OnEvent
) -> Made:
    files, emulated, cost = _make_onnx(model, label, weights, limit, X, on_event)
    (content,) = files.values()
    return {browser.MODEL: content, **browser.runtime()}, emulated, cost


MAKERS: dict[str, Callable[[ActivityClassifier, str, str, float, FloatArray, OnEvent], Made]] = {
    "c": _make_c,
    "onnx": _make_onnx,
    "litert": _make_litert,
    "browser": _make_browser,
}


def _machine() -> str:
    return f"{platform.processor() or platform.machine()}, {platform.system()}"
