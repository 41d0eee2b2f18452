"""What a machine must have to make an export and to try it."""

from __future__ import annotations

import shutil
from importlib.util import find_spec

PACKAGES = {
    "onnx": ("onnx", "onnxruntime"),
    "browser": ("onnx", "onnxruntime"),
    "litert": ("ai_edge_litert",),
}  # by format


def c_compiler() -> str | None:
    """Return the C compiler of this machine, None where there is none."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def lacking(format_: str) -> str:
    """Say what lacks here to make a format, and what to do about it; "" where nothing does."""
    if format_ == "c" and c_compiler() is None:
        return (
            "There is no C compiler on this machine, so the source could not be tried, and is not handed out. Install "
            "one (on Debian: apt install gcc libc6-dev) and export again."
        )
    if packages := [name for name in PACKAGES.get(format_, ()) if find_spec(name) is None]:
        return (
            f"To make this, and to try what was made, these are needed: {', '.join(packages)}. Install them "
            f"(pip install {' '.join(packages)}) and export again."
        )
    return ""
