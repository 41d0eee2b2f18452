"""Matrices of MATLAB (`.mat`) and HDF5 (`.h5`), as the tables that they are columns of.

MATLAB's formats 4 to 7 are read by SciPy, 7.3 and other HDF5 by h5py. Arrays of as many samples are the columns of one
table, called as in the file: a matrix ``acc`` of three columns is ``acc_x``, ``acc_y``, ``acc_z``; a structure with a
time of its own is a table of its own. What the columns then are is decided as of any table. A timetable, as MATLAB
Mobile saves one, is an object that MATLAB alone opens.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.errors import HarError, UnreadableData, quote
from app.har.recordings.files import Member, in_memory, shown

MATLAB, HDF5 = re.compile(rb"MATLAB (5|7)"), b"\x89HDF\r\n\x1a\n"
MATLAB_73 = b"MATLAB 7.3"
MAX_BYTES = 512 * 2**20
MAX_VALUES = 100_000_000  # of all arrays: a day of nine columns at 100 Hz has 78 million
MAX_COLUMNS, MAX_TABLES, MAX_DEPTH = 60, 20, 6
FEWEST = 10  # samples; shorter arrays are settings
RATE = re.compile(r"(.*[._])?(fs|rate|freq\w*|sampl\w*(rate|freq)\w*)(_?hz)?", re.I)
DATENUM = (693_962.0, 767_011.0)  # days of the years 1900 to 2099, as MATLAB counts them
DAY_S, UNIX_DATENUM = 86_400.0, 719_529.0
TIMETABLE = (
    "Its tables are timetables, which MATLAB alone opens: load it there and call writetimetable(Acceleration, "
    "'Acceleration.csv') and writetimetable(AngularVelocity, 'AngularVelocity.csv'), then upload both in one zip."
)
# What SciPy and h5py raise on damaged files
DAMAGED = (
    ValueError, TypeError, LookupError, OSError, EOFError, AttributeError, NotImplementedError, OverflowError,
    RuntimeError, struct.error, zlib.error,
)  # fmt: skip
Column = NDArray[np.floating[Any]]


def holds_matrices(head: bytes) -> bool:
    """Tell by its first bytes whether a file is one of these."""
    return MATLAB.match(head) is not None or head.startswith(HDF5)


def tables_of_matrices(member: Member) -> list[Member]:
    """Return the tables in a file, as CSV.

    Raises
    ------
    UnreadableData : damaged, too large, or without arrays of numbers; the message says what it holds.
    """
    if member.size > MAX_BYTES:
        raise UnreadableData(
            f"{member.name}: is a file of {member.size:,} bytes with matrices; at most {MAX_BYTES:,} are read."
        )
    data = member.read()
    is_hdf5 = data.startswith((HDF5, MATLAB_73))
    try:
        arrays = dict(_of_hdf5(member.name, data) if is_hdf5 else _of_matlab(member.name, data))
    except HarError:
        raise
    except DAMAGED as error:
        kind = "HDF5" if is_hdf5 else "MATLAB's format"
        raise UnreadableData(
            f"{member.name}: expected {kind} to its end; it is damaged or cut off ({quote(str(error)[:120])})."
        ) from error
    tables = list(_tables(member.name, arrays))
    if not tables:
        opaque = "object" in [array for array in arrays.values() if isinstance(array, str)] or b"MCOS" in data
        said = [f"{name} ({own})" if isinstance(own, str) else name for name, own in list(arrays.items())[:10]]
        names = quote(", ".join(said)) or "nothing"
        raise UnreadableData(
            f"{member.name}: expected arrays of numbers of {FEWEST} samples at least; found {names}."
            + (f" {TIMETABLE}" if opaque else "")
        )
    return tables


def _of_matlab(source: str, data: bytes) -> Iterator[tuple[str, Any]]:
    from scipy.io import loadmat, whosmat

    file: Any = io.BytesIO(data)  # which SciPy reads, whatever its types say
    names = whosmat(file)
    n = sum(math.prod(shape) for _, shape, _ in names)
    if n > MAX_VALUES:
        raise UnreadableData(f"{source}: holds {n:,} values; at most {MAX_VALUES:,} are read.")
    for name, value in loadmat(file, struct_as_record=True, squeeze_me=False).items():
        if not name.startswith("__"):
            yield from _fields(name, value, MAX_DEPTH)


def _fields(name: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield the arrays in a variable, those in structures by the names of their fields."""
    if isinstance(value, np.ndarray) and value.dtype.names and value.size == 1 and depth:
        if "s2" in value.dtype.names and "arr" in value.dtype.names:  # an object of MATLAB
            yield name, "object"
            return
        for field in value.dtype.names:
            yield from _fields(f"{name}.{field}", value[field].ravel()[0], depth - 1)
    elif isinstance(value, np.ndarray) and value.dtype.kind in "fiub" and value.ndim <= 2:
        yield name, value
    elif isinstance(value, np.ndarray) and (value.dtype.names or value.dtype.kind == "O"):
        yield name, "structures" if value.dtype.names else "cells"  # which are named, not read


def _of_hdf5(source: str, data: bytes) -> Iterator[tuple[str, Any]]:
    import h5py

    total = 0
    with h5py.File(io.BytesIO(data), "r") as file:
        waiting: list[tuple[str, Any, int]] = [("", file, MAX_DEPTH)]
        while waiting:
            path, node, depth = waiting.pop(0)
            for name in node:
                if name.startswith("#") or not isinstance(node.get(name, getlink=True), h5py.HardLink):
                    continue  # MATLAB's own, and links, which may lead in a circle or out of the file
                own, child = f"{path}{name}", node[name]
                if isinstance(child, h5py.Group) and depth:
                    waiting.append((f"{own}.", child, depth - 1))
                elif isinstance(child, h5py.Dataset) and (child.is_virtual or child.external):
                    raise UnreadableData(
                        f"{source}: {shown(own)} says that its values lie in other files, which are not read. Store "
                        "the values in the file itself."
                    )
                elif isinstance(child, h5py.Dataset) and child.dtype.kind in "fiub" and child.ndim in (1, 2):
                    if "MATLAB_object_decode" in child.attrs:
                        yield own, "object"
                        continue
                    total += child.size
                    if total > MAX_VALUES:
                        raise UnreadableData(
                            f"{source}: holds more than {MAX_VALUES:,} values; at most these are read."
                        )
                    yield own, np.asarray(child).T if "MATLAB_class" in child.attrs else np.asarray(child)


def _tables(source: str, arrays: Mapping[str, Any]) -> Iterator[Member]:
    """Yield a table for the arrays of each length, those of a structure by themselves where lengths are shared."""
    tables: dict[tuple[str, int], dict[str, Column]] = {}
    lengths: dict[int, set[str]] = {}
    found: list[tuple[str, str, NDArray[Any]]] = []
    for name, array in arrays.items():
        if isinstance(array, str) or array.size < FEWEST:
            continue
        rows = np.atleast_2d(array)
        rows = rows.T if rows.shape[0] < rows.shape[1] else rows
        if rows.shape[0] >= FEWEST and rows.shape[1] <= MAX_COLUMNS:
            structure = name.rpartition(".")[0]
            found.append((structure, name, rows))
            lengths.setdefault(len(rows), set()).add(structure)
    for structure, name, rows in found:
        alone = "time" in "".join(own.rpartition(".")[2].lower() for group, own, _ in found if group == structure)
        key = (structure if alone else "", len(rows))
        columns = tables.setdefault(key, {})
        prefix = name.rpartition(".")[2] if alone and structure else name
        for heading, column in zip(_headings(prefix, rows.shape[1]), rows.T, strict=True):
            if len(columns) < MAX_COLUMNS:
                columns[heading] = _dated(column.astype(np.float64))
    rates = [float(array.ravel()[0]) for name, array in arrays.items() if _is_rate(name, array)]
    for (structure, _), columns in list(tables.items())[:MAX_TABLES]:
        lead = f"# Sampling rate: {rates[0]:g} Hz\n" if rates else ""
        name = "/".join(filter(None, [source, shown(structure)])) if len(tables) > 1 else source
        yield in_memory(name, lead.encode() + _as_csv(columns))


def _is_rate(name: str, array: Any) -> bool:
    return (
        not isinstance(array, str)
        and array.size == 1
        and RATE.fullmatch(name) is not None
        and 0.5 <= float(array.ravel()[0]) <= 10_000
    )


def _headings(name: str, n: int) -> list[str]:
    name = shown(name)
    return [name] if n == 1 else [f"{name}_{axis}" for axis in ("xyz" if n == 3 else range(1, n + 1))]


def _dated(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return MATLAB's days as Unix seconds, anything else as it is."""
    low, high = (float(column.min()), float(column.max())) if len(column) else (0.0, 0.0)
    days = DATENUM[0] < low <= high < DATENUM[1] and 0 < high - low < 400 and bool((np.diff(column) >= 0).all())
    return (column - UNIX_DATENUM) * DAY_S if days else column


def _as_csv(columns: Mapping[str, Column]) -> bytes:
    import polars as pl

    return pl.DataFrame(dict(columns)).write_csv().encode()
