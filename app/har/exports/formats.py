"""What a model can be made into."""

from __future__ import annotations

FORMATS = {
    "c": ("float32", "int8"),
    "onnx": ("float32", "float16", "int8"),
    "litert": ("float32", "float16", "int8"),
}  # by format, how weights are stored, the exact one first
WHY_NOT = (
    "Models of the kind {kind} can't be exported: they look at a whole recording before they answer. Choose an "
    "ELM-GRU-AM model."
)
EXACT = "float32"
ARTEFACT, DESCRIPTION = "artefact.zip", "description.json"
