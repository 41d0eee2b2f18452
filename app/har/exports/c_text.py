"""Text of C: tables of constants, names, and the files that are the same for every model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.exports.device_model import DeviceModel, Stretch
from app.har.types import FloatArray
from app.har.vocabulary import AnswerTree

PER_LINE, BYTES_PER_LINE = 12, 64
LITTLE_ENDIAN = """#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the tables below are written for processors whose lowest byte comes first"
#endif"""
AS_BYTES = 512  # numbers in an array from which on it is written as bytes

_CHARACTERS = [chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}" for b in range(256)]


@dataclass(frozen=True)
class CSource:
    """The files, and what they cost."""

    files: dict[str, str]
    constant_bytes: int  # of all tables: what the model takes of the flash besides its code
    multiply_adds: int  # of one window, all sensors present


@dataclass
class Tables:
    """C text of constants, as they are declared, and how large they are."""

    int8: bool
    lines: list[str] = field(default_factory=list)
    size: int = 0
    multiply_adds: int = 0

    def define(self, name: str, value: object) -> None:
        self.lines.append(f"#define {name} {value}")

    def array(self, name: str, values: Any, kind: str = "float") -> str:
        """Declare an array, return its name; a large one is written byte by byte, which compiles ten times as fast."""
        flat, small = np.asarray(values).ravel(), kind == "weight" and self.int8
        self.size += flat.size * (1 if small else 4)
        if small:
            self.lines.append(f"static const weight {name}[{flat.size} + 1] =\n    {_bytes(flat.astype(np.int8))};")
        elif flat.size >= AS_BYTES and kind != "int":
            self.lines += [
                f"static const union {{\n    unsigned char bytes[4 * {flat.size} + 4];",
                f"    float values[{flat.size} + 1];\n}} {name}_of = {{{_bytes(flat.astype('<f4'))}}};",
                f"#define {name} ({name}_of.values)",
            ]
        else:
            texts = map(str, flat.tolist()) if kind in ("int", "unsigned long") else floats(flat)
            self.lines.append(f"static const {kind} {name}[] = {{{_wrapped(texts)}}};")
        return name

    def matrix(self, name: str, weights: FloatArray, times: int = 1) -> str:
        """Declare a matrix (rows, columns), used so many times for a window; return its initialiser."""
        self.multiply_adds += weights.size * times
        scales = "NULL"
        stored: Any = weights
        if self.int8:
            scale = scales_of(weights, axis=0)
            stored, scales = np.rint(weights / scale).astype(np.int8), self.array(f"{name}_scales", scale)
        self.array(f"{name}_weights", stored, "weight")
        return f"{{{name}_weights, {scales}, {len(weights)}, {weights.shape[1]}}}"

    def stretch(self, name: str, device: DeviceModel, stretch: Stretch, times: int = 1) -> None:
        """Declare how a stretch is described, so many times for a window."""
        angle = 2 * np.pi * np.arange(stretch.length) / stretch.length
        parts = (
            stretch.length,
            len(stretch.lags),
            len(stretch.edges) - 1,
            int(stretch.relative),
            self.array(f"{name}_lags", stretch.lags or [0], "int"),
            self.array(f"{name}_edges", stretch.edges, "int"),
            self.array(f"{name}_factors", stretch.factors, "int"),
            self.array(f"{name}_hann", stretch.taper),
            self.array(f"{name}_ramp", stretch.ramp),
            self.array(f"{name}_cosine", np.cos(angle)),
            self.array(f"{name}_sine", np.sin(angle)),
        )
        self.struct("stretch", f"{name}_stretch", f"{{{', '.join(map(str, parts))}}}")
        of_signal = stretch.length * (5 + 2 * len(stretch.lags) + 2 * (sum(stretch.factors) + 1))
        self.multiply_adds += times * (device.n_signals * of_signal + len(device.pairs) * stretch.length)

    def structs(self, kind: str, name: str, initialisers: Iterable[str]) -> None:
        self.lines.append(f"static const {kind} {name}[] = {{\n    " + ",\n    ".join(initialisers) + "\n};")

    def struct(self, kind: str, name: str, initialiser: str) -> None:
        self.lines.append(f"static const {kind} {name} = {initialiser};")


def scales_of(weights: FloatArray, axis: int | tuple[int, ...]) -> FloatArray:
    """Return what one step of whole numbers of 8 bits stands for, along all but some axes."""
    largest = np.abs(weights).max(axis=axis)
    return np.asarray(np.where(largest > 0, largest, 1) / 127, np.float32)


def assembled(
    device: DeviceModel, name: str, limit: float, tables: Tables, workspace: str, programs: Sequence[str]
) -> CSource:
    """Return the source of a model from its tables, the fields of its workspace, and the files that read them."""
    prefix = re.sub(r"\W", "_", name, flags=re.ASCII)
    prefix = prefix if prefix[:1].isalpha() else f"model_{prefix}"
    kind = "signed char" if tables.int8 else "float"
    tree = AnswerTree(device.model.activities)
    head = (
        f'#include "{prefix}.h"\n\n#include <math.h>\n#include <string.h>\n\n{LITTLE_ENDIAN}\n\ntypedef {kind} weight;'
    )
    source = "\n".join([head, _template("types.h"), *tables.lines, _tree(tree), *map(_template, programs)])
    header = _header(device, tree, name, limit).replace("@WORKSPACE@", workspace)

    def named(text: str) -> str:
        return text.replace("kinelab", prefix).replace("KINELAB", prefix.upper())

    return CSource(
        {f"{prefix}.h": named(header), f"{prefix}.c": named(source), "check.c": named(_template("check.c"))},
        tables.size,
        tables.multiply_adds,
    )


def fields(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Return the fields of a workspace."""
    return "\n".join(f"    float {name}" + "".join(f"[{n}]" for n in shape) + ";" for name, shape in shapes.items())


def _template(name: str) -> str:
    return (files("app.har.exports") / "c" / name).read_text(encoding="utf-8")


def _tree(tree: AnswerTree) -> str:
    below = ",\n    ".join(
        "{" + ", ".join(str(int(name in tree.members(node))) for name in tree.activities) + "}" for node in tree.nodes
    )
    names = ", ".join(map(_quoted, tree.nodes))
    return (
        f"const unsigned char kinelab_below[KINELAB_NODES][KINELAB_ACTIVITIES] = {{\n    {below}\n}};\n"
        f"const char *const kinelab_names[KINELAB_NODES] = {{{names}}};\n"
        f"static const float node_depth[] = {{{', '.join(floats(tree.depth))}}};\n"
    )


def _header(device: DeviceModel, tree: AnswerTree, name: str, limit: float) -> str:
    model = device.model
    sizes = {
        "TIMESTEPS": model.n_timesteps,
        "CHANNELS": len(model.channels),
        "SENSORS": len(device.layout.sensors),
        "ACTIVITIES": len(model.activities),
        "NODES": len(tree.nodes),
        "RATE_HZ": floats([model.sampling_rate_hz])[0],
        "LIMIT": floats([limit])[0],
    }
    defines = "\n".join(f"#define KINELAB_{key} {value}" for key, value in sizes.items())
    about = (
        f"{name}: windows of {model.n_timesteps} samples at {model.sampling_rate_hz:g} Hz of the channels "
        f"{', '.join(model.channels)}; acceleration in m/s2, gravity {model.gravity}; rotation in rad/s."
    )
    return _template("model.h").replace("@ABOUT@", about.replace("*/", "")).replace("@SIZES@", defines)


def starts(groups: Iterable[Sequence[int] | Any]) -> list[int]:
    return [0, *accumulate(map(len, groups))]


def bits(flags: Iterable[bool]) -> int:
    return sum(1 << place for place, flag in enumerate(flags) if flag)


def floats(values: Iterable[Any]) -> list[str]:
    """Write numbers so that a compiler reads the same 32 bits again."""
    return ["INFINITY" if value == np.inf else f"{value:.8e}f" for value in map(float, values)]


def _wrapped(texts: Iterable[str]) -> str:
    texts = list(texts)
    lines = (", ".join(texts[start : start + PER_LINE]) for start in range(0, len(texts), PER_LINE))
    return ",\n    ".join(lines)


def _bytes(values: NDArray[Any]) -> str:
    """Write the bytes of numbers as strings of C."""
    content = values.tobytes()
    lines = (content[start : start + BYTES_PER_LINE] for start in range(0, len(content), BYTES_PER_LINE))
    return "\n    ".join('"' + "".join([_CHARACTERS[byte] for byte in line]) + '"' for line in lines)


def _quoted(text: str) -> str:
    """Write a name as a string of C, in ASCII: what else it holds, byte by byte."""
    return '"' + "".join(_CHARACTERS[byte] for byte in text.encode()) + '"'
