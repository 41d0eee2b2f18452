"""What a model can be made into."""

from __future__ import annotations

FORMATS = {
    "c": ("float32", "int8", "small"),
    "onnx": ("float32", "float16", "int8"),
    "litert": ("float32", "float16", "int8"),
    "browser": ("float32", "float16", "int8"),
}  # by format, how weights are stored, the exact one first
WHY_NOT = (
    "Models of the kind {kind} can't be exported: they look at a whole recording before they answer. Choose an "
    "ELM-GRU-AM model."
)
EXACT = "float32"
SMALL = "small"  # two layers of 8 bits that learnt what the model answers
BROWSER = "browser"
SCRIPTS = ("worker.js", "recogniser.js", "signal.js", "answers.js", "onnxruntime/ort.wasm.bundle.min.mjs")
WASM = "onnxruntime/ort-wasm-simd-threaded.wasm"  # of the runtime of browsers, as the scripts in static/here/
ARTEFACT, DESCRIPTION = "artefact.zip", "description.json"
