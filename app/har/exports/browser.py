"""What a browser needs beside a model's ONNX to recognise by itself: a runtime, and what cuts a signal into windows.

Both are the very files that the site's own page uses (``/live/here/``).
"""

from __future__ import annotations

import gzip
from importlib.resources import files

from app.har.exports.formats import SCRIPTS, WASM

MODEL = "model.onnx"
LICENCES = ("onnxruntime/LICENSE", "onnxruntime/README.md", "onnxruntime/ThirdPartyNotices.txt.gz")


def runtime() -> dict[str, bytes]:
    """Return the files that make a folder with a model and its description a page of its own."""
    folder = files("app") / "static" / "here"
    found = {name: (folder / name).read_bytes() for name in ("index.html", *SCRIPTS, *LICENCES)}
    return found | {WASM: gzip.decompress((folder / f"{WASM}.gz").read_bytes())}
