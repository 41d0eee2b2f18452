"""Made-up tables in no layout known here: the same eight seconds of a walk, as other apps and labs would write it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from app.har.recordings.mappings.mapping import ColumnMapping
from tests.synthetic import signal, text

G = 9.80665
Columns = list[NDArray[np.float64]]
TIME, WITH = signal("Walk", 1, 8.0, gravity="included")  # 50 Hz
_, WITHOUT = signal("Walk", 1, 8.0)
ACC, LINEAR, GYRO = WITH[:, :3], WITHOUT[:, :3], WITH[:, 3:]


def table(header: str, columns: Columns, separator: str = ",") -> str:
    """Return columns below a header, or without one."""
    return text(np.column_stack(columns), header, separator).removeprefix("\n")


def rows(header: str, line: Callable[[int, float, NDArray[np.float64]], str]) -> str:
    """Return a header and a line for each sample: of its number, its time and its six readings with gravity."""
    lines = [line(i, t, v) for i, (t, v) in enumerate(zip(TIME.tolist(), WITH, strict=True))]
    return "\n".join([header, *lines]) + "\n"


def mapping_of(
    *sensors: tuple[str, Sequence[str], str],
    time: str = "t",
    unit: str = "s",
    rate_hz: float | None = None,
    **more: str,
) -> ColumnMapping:
    """Return a mapping of sensors, each a name, its columns and its unit."""
    document = {
        "time": {"column": time, "unit": unit} if rate_hz is None else {"rate_hz": rate_hz},
        "sensors": {name: {"columns": list(columns), "unit": own} for name, columns, own in sensors},
    }
    return ColumnMapping.from_document(document | more, "test")


def german() -> str:
    """Return a table with German names, semicolons and decimal commas."""
    axes = [
        f"{name} {axis} ({unit})" for name, unit in (("Beschleunigung", "m/s^2"), ("Drehrate", "°/s")) for axis in "XYZ"
    ]
    return table(";".join(["Zeit (s)", *axes]), [TIME, ACC, np.degrees(GYRO)], ";").replace(".", ",")


def labelled(activity: str = "Walk", subject: int = 1, seconds: float = 12.0) -> str:
    """Return a table with a label and a subject, milliseconds, g and deg/s, in an order of its own."""
    time, values = signal(activity, subject, seconds, gravity="included")
    lines = ["sample,person,movement,millis,z_acc,y_acc,x_acc,gyro_x,gyro_y,gyro_z"]
    for i, (t, v) in enumerate(zip(time, values, strict=True)):
        cells = [*(v[2::-1] / G), *np.degrees(v[3:])]
        lines.append(f"{i},p{subject},{activity},{1000 * t:.0f}," + ",".join(f"{cell:.5f}" for cell in cells))
    return "\n".join(lines) + "\n"
