"""Compiles exported C and runs it, so that what is handed out is what was tried."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from app.har.errors import UnusableRecording
from app.har.exports.needs import c_compiler, lacking
from app.har.exports.types import Emulated
from app.har.types import FloatArray

FLAGS = ("-std=c99", "-O3", "-Wall", "-Wextra", "-Werror")
SMALL_FLAGS = ("-std=c99", "-Os", "-fno-asynchronous-unwind-tables")
COMPILE_S, RUN_S = 300.0, 600.0  # after which something is wrong


def compiler() -> str:
    """Return the C compiler of this machine.

    Raises
    ------
    UnusableRecording : there is none.
    """
    if (found := c_compiler()) is None:
        raise UnusableRecording(lacking("c"))
    return found


def compiler_version() -> str:
    """Return how the compiler names itself, with the flags that are given to it."""
    said = subprocess.run([compiler(), "--version"], capture_output=True, text=True, check=False).stdout
    return f"{said.partition(chr(10))[0]} {' '.join(FLAGS)}".strip()


def compiled(sources: Mapping[str, str], folder: Path) -> Path:
    """Write the files into a folder, compile them, and return the program, which lies there."""
    for name, text in sources.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    program = folder / "check"
    command = [compiler(), *FLAGS, "-o", program.name, *(name for name in sources if name.endswith(".c")), "-lm"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=COMPILE_S)
    if done.returncode:
        raise UnusableRecording(f"The C compiler does not take the source: {done.stderr.strip()[:500]}")
    return program


def flash_bytes(sources: Mapping[str, str], folder: Path) -> int:
    """Return what code and tables of a source take here, made for little room; without what the C library has."""
    name = next(name for name in sources if name.endswith(".c") and name != "check.c")
    made = "flash.o"
    subprocess.run([compiler(), *SMALL_FLAGS, "-c", name, "-o", made], cwd=folder, check=True, timeout=COMPILE_S)
    said = subprocess.run(["size", made], cwd=folder, capture_output=True, text=True, check=True).stdout
    code_and_constants, initialised = said.splitlines()[1].split()[:2]
    return int(code_and_constants) + int(initialised)


def run(program: Path, X: FloatArray) -> Emulated:
    """Return what the program answers of windows (n, n_timesteps, n_channels)."""
    done = subprocess.run(
        [program], input=np.ascontiguousarray(X, np.float32).tobytes(), capture_output=True, check=False, timeout=RUN_S
    )
    if done.returncode:
        raise UnusableRecording(f"The compiled model ended with the status {done.returncode}.")
    *rows, end = (json.loads(line) for line in done.stdout.splitlines())
    if end["windows"] != len(X) or any(row["fault"] for row in rows):
        faults = sum(row["fault"] != 0 for row in rows)
        raise UnusableRecording(f"The compiled model gave no answer to {faults} of {len(X):,} windows.")
    return Emulated(
        np.array([row["probability"] for row in rows], np.float32),
        np.array([row["unfamiliar"] for row in rows], bool),
        end["ms"],
        end["ram"],
        np.array([row["answer"] for row in rows], np.int64),
    )
