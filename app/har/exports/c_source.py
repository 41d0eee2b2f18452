"""A model as C: one header and one source file, C99, no allocation.

The constants are the model's own; what reads them is `c/recognise.c`, the same for every model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.elm_gru_am.convolutions import TAPS
from app.har.classifiers.elm_gru_am.elm import NODE_SCALE
from app.har.exports.device_model import DeviceModel, Stretch
from app.har.types import FloatArray
from app.har.vocabulary import AnswerTree

PER_LINE, BYTES_PER_LINE = 12, 64
LITTLE_ENDIAN = """#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the tables below are written for processors whose lowest byte comes first"
#endif"""
AS_BYTES = 512  # numbers in an array from which on it is written as bytes
GATES, WAYS = 3, 2  # of a GRU: update, reset, candidate; forwards, backwards

_CHARACTERS = [chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}" for b in range(256)]


@dataclass(frozen=True)
class CSource:
    """The files, and what they cost."""

    files: dict[str, str]
    constant_bytes: int  # of all tables: what the model takes of the flash besides its code
    multiply_adds: int  # of one window, all sensors present


@dataclass
class _Tables:
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
            texts = map(str, flat.tolist()) if kind in ("int", "unsigned long") else _floats(flat)
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

    def structs(self, kind: str, name: str, initialisers: Iterable[str]) -> None:
        self.lines.append(f"static const {kind} {name}[] = {{\n    " + ",\n    ".join(initialisers) + "\n};")

    def struct(self, kind: str, name: str, initialiser: str) -> None:
        self.lines.append(f"static const {kind} {name} = {initialiser};")


def scales_of(weights: FloatArray, axis: int | tuple[int, ...]) -> FloatArray:
    """Return what one step of whole numbers of 8 bits stands for, along all but some axes."""
    largest = np.abs(weights).max(axis=axis)
    return np.asarray(np.where(largest > 0, largest, 1) / 127, np.float32)


def write_c(device: DeviceModel, name: str, limit: float, int8: bool = False) -> CSource:
    """Return the source of a model.

    Parameters
    ----------
    name : of the model; what C can't have in a name becomes an underscore.
    limit : how probable an answer must be.
    int8 : whether weights are whole numbers of 8 bits, with a scale for each column; default float32.
    """
    prefix = re.sub(r"\W", "_", name, flags=re.ASCII)
    prefix = prefix if prefix[:1].isalpha() else f"model_{prefix}"
    tables = _Tables(int8)
    sizes = _sizes(device)
    _geometry(device, sizes, tables)
    _features(device, tables)
    _convolutions(device, tables)
    _network(device, tables)
    _head(device, tables)
    kind = "signed char" if int8 else "float"
    tree = AnswerTree(device.model.activities)
    head = (
        f'#include "{prefix}.h"\n\n#include <math.h>\n#include <string.h>\n\n{LITTLE_ENDIAN}\n\ntypedef {kind} weight;'
    )
    source = "\n".join([head, _template("types.h"), *tables.lines, _tree(tree), _template("recognise.c")])
    header = _header(device, tree, name, limit).replace("@WORKSPACE@", _workspace(device, sizes))

    def named(text: str) -> str:
        return text.replace("kinelab", prefix).replace("KINELAB", prefix.upper())

    return CSource(
        {f"{prefix}.h": named(header), f"{prefix}.c": named(source), "check.c": named(_template("check.c"))},
        tables.size,
        tables.multiply_adds,
    )


def _template(name: str) -> str:
    return (files("app.har.exports") / "c" / name).read_text(encoding="utf-8")


def _sizes(device: DeviceModel) -> dict[str, Any]:
    """Return the numbers that the source knows by name."""
    model, layout = device.model, device.layout
    by_sensor, devices = list(layout.by_sensor.values()), layout.devices
    arrays, described, columns = model.network_.arrays, device.described, model.window_columns_
    n_raw, n_first = device.n_raw_steps, (device.n_raw_steps + 1) // 2
    n_second, filters = (n_first + 1) // 2, arrays["0 first"].shape[1]
    taps = len(arrays["0 first"]) // len(by_sensor[0]), len(arrays["0 second"]) // filters
    around = max(2 * (n_first - 1) + taps[0] - n_raw, 0), max(2 * (n_second - 1) + taps[1] - n_first, 0)
    n_absolute, n_kernels = len(device.absolute), sum(len(kernels.biases) for kernels in device.kernels)
    return {
        "N_SIGNALS": device.n_signals,
        "N_PAIRS": len(device.pairs),
        "FRAMES": described.frames.shape[1],
        "FRAME_STEP": device.frame_step,
        "FRAME_FEATURES": described.frames.shape[2],
        "WHOLE_FEATURES": described.whole.shape[1] - n_absolute - n_kernels,
        "ABSOLUTE_FEATURES": n_absolute,
        "ALL_FEATURES": described.whole.shape[1],
        "SCALED": sum(map(len, columns)),
        "SELECTED": sum(map(len, device.selected)),
        "MOST_FACTOR": max(device.frame.factors + device.whole.factors),
        "MOST_BANDS": max(len(device.frame.edges), len(device.whole.edges)) - 1,
        "DEVICES": len(devices),
        "BLOCKS": len(columns),
        "MOST_BLOCK": max(map(len, columns)),
        "MOST_NODES": max(model.elm_.sizes[: len(by_sensor)]),
        "MOST_ON_DEVICE": max(map(len, devices)),
        "MOST_AXES": max(map(len, by_sensor)),
        "AVERAGED": model.describer_.averaged,
        "RAW_STEPS": n_raw,
        "TAPS": min(TAPS, n_raw),
        "N_DILATIONS": len(device.kernels[0].counts),
        "NODE_SCALE": f"{NODE_SCALE}f",
        "FIRST_STEPS": n_first,
        "SECOND_STEPS": n_second,
        "FILTERS": filters,
        "SECOND_FILTERS": arrays["0 second"].shape[1],
        "AROUND": around[0],
        "AROUND_AGAIN": around[1],
        "PADDING": around[0] // 2,
        "PADDING_AGAIN": around[1] // 2,
        "WIDTH": arrays["0 frames"].shape[1],
        "UNITS": arrays["gru recurrent"].shape[2],
        "EMBEDDING": arrays["embedding"].shape[1],
        "MOST_HIDDEN": max(array.shape[1] for key, array in arrays.items() if key.endswith("hidden")),
        "HEAD_PATTERNS": len(model.elm_.betas),
        "COMBINATIONS": len(model.combinations_),
    }


def _workspace(device: DeviceModel, sizes: Mapping[str, Any]) -> str:
    """Return the fields of the workspace."""
    n = device.model.n_timesteps
    channels, sensors, frames, units = (
        len(device.model.channels),
        len(device.layout.sensors),
        sizes["FRAMES"],
        sizes["UNITS"],
    )
    fields: dict[str, tuple[int, ...]] = {
        "x": (channels, n),
        "raw": (channels, sizes["RAW_STEPS"]),
        "signal": (sizes["N_SIGNALS"], n),
        "in_re": (n,),
        "in_im": (n,),
        "re": (n,),
        "im": (n,),
        "power": (sizes["N_SIGNALS"], sizes["MOST_BANDS"] + 1),
        "features": (sizes["FRAME_FEATURES"],),
        "selected": (frames, sizes["SELECTED"]),
        "whole": (sizes["ALL_FEATURES"],),
        "scaled": (sizes["SCALED"],),
        "shape": (sizes["MOST_ON_DEVICE"], sizes["RAW_STEPS"]),
        "output": (sizes["RAW_STEPS"],),
        "padded": ((sizes["RAW_STEPS"] + sizes["AROUND"]) * sizes["MOST_AXES"],),
        "padded_again": ((sizes["FIRST_STEPS"] + sizes["AROUND_AGAIN"]) * sizes["FILTERS"],),
        "convolved": (sizes["SECOND_STEPS"] * sizes["SECOND_FILTERS"],),
        "pooled": (sizes["SECOND_FILTERS"],),
        "encoded": (sensors, frames, sizes["WIDTH"]),
        "score": (frames, sensors),
        "step": (sizes["WIDTH"],),
        "read": (frames, GATES * WAYS * units),
        "states": (frames, WAYS * units),
        "block": (sizes["MOST_BLOCK"],),
        "whitened": (sizes["MOST_BLOCK"],),
        "hidden": (sizes["MOST_NODES"],),
    }
    return "\n".join(f"    float {name}" + "".join(f"[{n}]" for n in shape) + ";" for name, shape in fields.items())


def _geometry(device: DeviceModel, sizes: Mapping[str, Any], tables: _Tables) -> None:
    by_sensor, devices = list(device.layout.by_sensor.values()), device.layout.devices
    columns = device.model.window_columns_
    for name, value in sizes.items():
        tables.define(name, value)
    tables.array("sensor_start", _starts(by_sensor), "int")
    tables.array("sensor_channel", np.concatenate(by_sensor), "int")
    tables.array("device_start", _starts(devices), "int")
    tables.array("device_channel", np.concatenate(devices), "int")
    of_devices = [_bits(channels[0] in on_device for channels in by_sensor) for on_device in devices]
    tables.array("sensors_of_device", of_devices, "unsigned long")
    tables.array("pairs", device.pairs or [(0, 0)], "int")
    tables.array("block_start", _starts(columns), "int")
    tables.array("column", np.concatenate(columns), "int")
    tables.array("absolute", device.absolute, "int")
    tables.array("n_kernels", [len(kernels.biases) for kernels in device.kernels], "int")


def _features(device: DeviceModel, tables: _Tables) -> None:
    model = device.model
    for name, stretch in (("frame", device.frame), ("whole", device.whole)):
        tables.struct("stretch", f"{name}_stretch", _stretch(name, stretch, tables))
        times = device.described.frames.shape[1] if name == "frame" else 1
        of_signal = stretch.length * (5 + 2 * len(stretch.lags) + 2 * (sum(stretch.factors) + 1))
        tables.multiply_adds += times * (device.n_signals * of_signal + len(device.pairs) * stretch.length)
    order = np.concatenate(device.selected)
    tables.array("selected", model.selected_[order], "int")
    tables.array("frame_mean", model.frame_scaler_.mean[order])
    tables.array("frame_deviation", model.frame_scaler_.deviation[order])
    columns = np.concatenate(model.window_columns_)
    tables.array("window_mean", model.window_scaler_.mean[columns])
    tables.array("window_deviation", model.window_scaler_.deviation[columns])
    compander = model.compander_
    for part in ("centre", "quiet", "scale"):
        tables.array(f"raw_{part}", getattr(compander, part))


def _stretch(name: str, stretch: Stretch, tables: _Tables) -> str:
    angle = 2 * np.pi * np.arange(stretch.length) / stretch.length
    parts = (
        stretch.length,
        len(stretch.lags),
        len(stretch.edges) - 1,
        int(stretch.relative),
        tables.array(f"{name}_lags", stretch.lags or [0], "int"),
        tables.array(f"{name}_edges", stretch.edges, "int"),
        tables.array(f"{name}_factors", stretch.factors, "int"),
        tables.array(f"{name}_hann", stretch.taper),
        tables.array(f"{name}_ramp", stretch.ramp),
        tables.array(f"{name}_cosine", np.cos(angle)),
        tables.array(f"{name}_sine", np.sin(angle)),
    )
    return f"{{{', '.join(map(str, parts))}}}"


def _convolutions(device: DeviceModel, tables: _Tables) -> None:
    names = []
    for number, kernels in enumerate(device.kernels):
        heard = kernels.heard
        parts = [kernel[channels] for kernel, channels in zip(kernels.weights, heard, strict=True)]
        scales = "NULL"
        if tables.int8:
            scale = scales_of(kernels.weights, axis=(1, 2))
            scales = tables.array(f"kernel_scales_{number}", scale)
            parts = [np.rint(part / one).astype(np.int8) for part, one in zip(parts, scale, strict=True)]
        of_dilations = [len(range(0, device.n_raw_steps - 8 * 2**d, 2)) for d in range(len(kernels.counts))]
        steps = np.repeat(of_dilations, kernels.counts)
        tables.multiply_adds += int(sum(part.size * n for part, n in zip(parts, steps.tolist(), strict=True)))
        names.append(
            (
                tables.array(f"kernel_weights_{number}", np.concatenate([part.ravel() for part in parts]), "weight"),
                scales,
                tables.array(f"kernel_biases_{number}", kernels.biases),
                tables.array(f"kernel_channels_{number}", [sum(1 << c for c in own) for own in heard], "unsigned long"),
                tables.array(f"kernels_of_dilation_{number}", kernels.counts, "int"),
            )
        )
    kinds = {
        "kernel_weights": "weight *const",
        "kernel_scales": "float *const",
        "kernel_biases": "float *const",
        "kernel_channels": "unsigned long *const",
        "kernels_of_dilation": "int *const",
    }
    for (name, kind), column in zip(kinds.items(), zip(*names, strict=True), strict=True):
        tables.structs(kind, name, column)


def _network(device: DeviceModel, tables: _Tables) -> None:
    arrays = device.model.network_.arrays
    frames, starts = device.described.frames.shape[1], _starts(device.selected)
    n_first = (device.n_raw_steps + 1) // 2
    uses = {"first": n_first, "second": (n_first + 1) // 2, "frames": frames, "shape": frames, "hidden": frames}
    encoders = []
    for sensor, first_selected in enumerate(starts[:-1]):
        matrices = (
            tables.matrix(f"encoder_{sensor}_{part}", arrays[f"{sensor} {part}"], times) for part, times in uses.items()
        )
        others = (
            tables.array(f"encoder_{sensor}_{part.replace(' ', '_')}", arrays[f"{sensor} {part}"])
            for part in ("first shift", "second shift", "pooling", "bias", "hidden bias", "score")
        )
        encoders.append("{" + ", ".join([str(first_selected), *matrices, *others]) + "}")
    tables.structs("encoder", "encoders", encoders)
    recurrent, bias = arrays["gru recurrent"], arrays["gru recurrent bias"]
    gates = [(gate, way) for gate in range(GATES) for way in range(WAYS)]
    tables.structs(
        "matrix",
        "gru_recurrent",
        [tables.matrix(f"gru_recurrent_{gate}_{way}", recurrent[gate, way], frames) for gate, way in gates],
    )
    tables.structs(
        "float *const",
        "gru_recurrent_bias",
        [tables.array(f"gru_recurrent_bias_{gate}_{way}", bias[gate, way]) for gate, way in gates],
    )
    for name, key, times in (
        ("gru_input", "gru input", frames),
        ("time_hidden", "hidden", frames),
        ("embedding_weights", "embedding", 1),
        ("activity_weights", "activity", 1),
    ):
        tables.struct("matrix", name, tables.matrix(f"{name}_of", arrays[key], times))
    for name, key in (
        ("gru_input_bias", "gru input bias"),
        ("time_hidden_bias", "hidden bias"),
        ("time_score", "score"),
        ("embedding_bias", "embedding bias"),
        ("activity_bias", "activity bias"),
        ("score_bias", "score bias"),
    ):
        tables.array(name, arrays[key])


def _head(device: DeviceModel, tables: _Tables) -> None:
    model, elm = device.model, device.model.elm_
    familiar = [
        f"{{{tables.matrix(f'whitening_{number}', known.whitening)}, "
        f"{tables.array(f'centres_{number}', known.centres)}, {len(known.centres)}, {_floats([known.limit])[0]}}}"
        for number, known in enumerate(model.familiarity_)
    ]
    tables.structs("familiarity", "familiar_features", familiar)
    layer = [
        (tables.matrix(f"head_hidden_{number}", weights), tables.array(f"head_bias_{number}", bias))
        for number, (weights, bias) in enumerate(device.hidden_layer)
    ]
    tables.structs("matrix", "head_hidden", [weights for weights, _ in layer])
    tables.structs("float *const", "head_bias", [bias for _, bias in layer])
    outputs = []
    for pattern, (present, parts) in enumerate(device.outputs()):
        for block, part in enumerate(parts):
            if part is None or not len(part):
                outputs.append("{NULL, NULL, 0, 0}")
            else:
                outputs.append(tables.matrix(f"head_{pattern}_{block}", part, int(all(present))))
    tables.structs("matrix", "head_output", outputs)
    tables.array("head_pattern", [_bits(present) for present in elm.betas], "unsigned long")
    everything = (True,) * len(device.layout.sensors)
    combinations = sorted(model.combinations_.items(), key=lambda entry: entry[0] != everything)
    tables.array("combination_pattern", [_bits(present) for present, _ in combinations], "unsigned long")
    tables.array("combination", [weights for _, weights in combinations])


def _tree(tree: AnswerTree) -> str:
    below = ",\n    ".join(
        "{" + ", ".join(str(int(name in tree.members(node))) for name in tree.activities) + "}" for node in tree.nodes
    )
    names = ", ".join(map(_quoted, tree.nodes))
    return (
        f"const unsigned char kinelab_below[KINELAB_NODES][KINELAB_ACTIVITIES] = {{\n    {below}\n}};\n"
        f"const char *const kinelab_names[KINELAB_NODES] = {{{names}}};\n"
        f"static const float node_depth[] = {{{', '.join(_floats(tree.depth))}}};\n"
    )


def _header(device: DeviceModel, tree: AnswerTree, name: str, limit: float) -> str:
    model = device.model
    sizes = {
        "TIMESTEPS": model.n_timesteps,
        "CHANNELS": len(model.channels),
        "SENSORS": len(device.layout.sensors),
        "ACTIVITIES": len(model.activities),
        "NODES": len(tree.nodes),
        "RATE_HZ": _floats([model.sampling_rate_hz])[0],
        "LIMIT": _floats([limit])[0],
    }
    defines = "\n".join(f"#define KINELAB_{key} {value}" for key, value in sizes.items())
    about = (
        f"{name}: windows of {model.n_timesteps} samples at {model.sampling_rate_hz:g} Hz of the channels "
        f"{', '.join(model.channels)}; acceleration in m/s2, gravity {model.gravity}; rotation in rad/s."
    )
    return _template("model.h").replace("@ABOUT@", about.replace("*/", "")).replace("@SIZES@", defines)


def _starts(groups: Iterable[Sequence[int] | Any]) -> list[int]:
    return [0, *accumulate(map(len, groups))]


def _bits(flags: Iterable[bool]) -> int:
    return sum(1 << place for place, flag in enumerate(flags) if flag)


def _floats(values: Iterable[Any]) -> list[str]:
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
