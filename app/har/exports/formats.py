"""What a model can be made into."""

from __future__ import annotations

FORMATS = {
    "c": ("float32", "int8"),
    "onnx": ("float32", "float16", "int8"),
}  # by format, how weights are stored, the exact one first
EXACT = "float32"
ARTEFACT, DESCRIPTION = "artefact.zip", "description.json"
