"""The example that needs no download: smartwatch physiotherapy recordings inside the PyPI package `seglearn`.

Seven shoulder exercises of ten subjects at 50 Hz, acceleration in g with gravity, rotation in rad/s: Burns et al.,
Shoulder physiotherapy exercise recognition: machine learning the inertial signals from a smartwatch, Physiol. Meas. 39
(2018), arXiv 1802.01489. The package is never imported; its data file is a pickle, read with nothing but numpy's array
constructors admitted.
"""

from __future__ import annotations

import codecs
import importlib.util
import io
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from app.har.errors import UnreadableData
from app.har.recordings.build import build_recording
from app.har.recordings.files import Member
from app.har.recordings.layout import Layout
from app.har.recordings.parts import Part
from app.har.signals.types import Stream
from app.har.signals.units import STANDARD_GRAVITY

PATH = Path("embedded-example")
FORMAT = "embedded-example"
TITLE = "Embedded example: shoulder exercises with a smartwatch"
SHOW_RECORDING = True
COLUMNS = ("ax", "ay", "az", "wx", "wy", "wz")
RATE_HZ = 50.0
NAMES = {
    "PEN": "Pendulum",
    "ABD": "Abduction",
    "FEL": "Forward elevation",
    "IR": "Internal rotation",
    "ER": "External rotation",
    "TRAP": "Trapezius extension",
    "ROW": "Upright row",
}
MAGIC = b"\x93NUMPY"


def data_path() -> Path:
    """Return where the data file is.

    Raises
    ------
    UnreadableData : the package is not installed.
    """
    spec = importlib.util.find_spec("seglearn")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "data" / "watch_dataset.npy"
        if path.is_file():
            return path
    raise UnreadableData(
        "The embedded example is in the package seglearn, which is not installed. Install requirements.txt."
    )


def is_example(member: Member) -> bool:
    """Tell whether a file is the example's."""
    return member.name.endswith("watch_dataset.npy") and member.head().startswith(MAGIC)


def matches(layout: Layout) -> bool:
    """Tell that no text table is the example."""
    return False


def read_dataset(members: list[Member]) -> Iterator[Part]:
    """Read the 140 recordings."""
    import polars as pl

    data = _load(members[0].read())
    activities = [NAMES.get(name, name) for name in data["y_labels"]]
    total = len(data["X"])
    for number, (signal, activity, subject) in enumerate(zip(data["X"], data["y"], data["subject"], strict=True)):
        name = f"recording {number + 1:03d}"
        time = np.arange(len(signal)) / RATE_HZ
        values = np.asarray(signal, np.float32)
        streams = [
            Stream(
                "accelerometer",
                time,
                values[:, :3] * np.float32(STANDARD_GRAVITY),
                unit_found="g, by the format",
                factor=STANDARD_GRAVITY,
            ),
            Stream("gyroscope", time, values[:, 3:], unit_found="rad/s, by the format"),
        ]
        recording = build_recording(
            name,
            name,
            f"{int(subject):02d}",
            [(stream, []) for stream in streams],
            gravity="included",
            activity=activities[int(activity)],
        )
        yield Part(recording, {"rows": pl.DataFrame(values, schema=COLUMNS)}, fraction=(number + 1) / total)


class _ArraysOnly(pickle.Unpickler):
    """Unpickles numpy arrays and plain containers, and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        module = module.replace("numpy._core", "numpy.core")
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return np.empty(0).__reduce__()[0]
        if (module, name) in {("numpy", "ndarray"), ("numpy", "dtype")}:
            return getattr(np, name)
        if (module, name) == ("_codecs", "encode"):
            return codecs.encode
        raise pickle.UnpicklingError(f"{module}.{name} is not an array")


def _load(raw: bytes) -> dict[str, Any]:
    file = io.BytesIO(raw)
    try:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("not in version 1.0 of the format")
        np.lib.format.read_array_header_1_0(file)
        data = _ArraysOnly(file).load()
        return dict(data.item() if isinstance(data, np.ndarray) else data)
    except (pickle.UnpicklingError, ValueError, EOFError, KeyError, AttributeError, TypeError) as error:
        raise UnreadableData(
            f"The embedded example cannot be read ({error}). Reinstall the package seglearn."
        ) from error
