"""A model as C: one header and one source file, C99, no allocation.

The constants are the model's own; what reads them are `PROGRAMS` in `c/`, the same for every model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from app.har.classifiers.elm_gru_am.convolutions import TAPS
from app.har.classifiers.elm_gru_am.elm import NODE_SCALE
from app.har.exports.c_text import CSource, Tables, assembled, bits, fields, floats, scales_of, starts
from app.har.exports.device_model import DeviceModel

PROGRAMS = ("window.c", "recognise.c")
GATES, WAYS = 3, 2  # of a GRU: update, reset, candidate; forwards, backwards


def write_c(device: DeviceModel, name: str, limit: float, int8: bool = False) -> CSource:
    """Return the source of a model.

    Parameters
    ----------
    name : of the model; what C can't have in a name becomes an underscore.
    limit : how probable an answer must be.
    int8 : whether weights are whole numbers of 8 bits, with a scale for each column; default float32.
    """
    tables = Tables(int8)
    sizes = _sizes(device)
    _geometry(device, sizes, tables)
    _features(device, tables)
    _convolutions(device, tables)
    _network(device, tables)
    _head(device, tables)
    return assembled(device, name, limit, tables, _workspace(device, sizes), PROGRAMS)


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
    shapes: dict[str, tuple[int, ...]] = {
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
    return fields(shapes)


def _geometry(device: DeviceModel, sizes: Mapping[str, Any], tables: Tables) -> None:
    by_sensor, devices = list(device.layout.by_sensor.values()), device.layout.devices
    columns = device.model.window_columns_
    for name, value in sizes.items():
        tables.define(name, value)
    tables.array("sensor_start", starts(by_sensor), "int")
    tables.array("sensor_channel", np.concatenate(by_sensor), "int")
    tables.array("device_start", starts(devices), "int")
    tables.array("device_channel", np.concatenate(devices), "int")
    of_devices = [bits(channels[0] in on_device for channels in by_sensor) for on_device in devices]
    tables.array("sensors_of_device", of_devices, "unsigned long")
    tables.array("pairs", device.pairs or [(0, 0)], "int")
    tables.array("block_start", starts(columns), "int")
    tables.array("column", np.concatenate(columns), "int")
    tables.array("absolute", device.absolute, "int")
    tables.array("n_kernels", [len(kernels.biases) for kernels in device.kernels], "int")


def _features(device: DeviceModel, tables: Tables) -> None:
    model = device.model
    tables.stretch("frame", device, device.frame, device.described.frames.shape[1])
    tables.stretch("whole", device, device.whole)
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


def _convolutions(device: DeviceModel, tables: Tables) -> None:
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


def _network(device: DeviceModel, tables: Tables) -> None:
    arrays = device.model.network_.arrays
    frames, firsts = device.described.frames.shape[1], starts(device.selected)
    n_first = (device.n_raw_steps + 1) // 2
    uses = {"first": n_first, "second": (n_first + 1) // 2, "frames": frames, "shape": frames, "hidden": frames}
    encoders = []
    for sensor, first_selected in enumerate(firsts[:-1]):
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


def _head(device: DeviceModel, tables: Tables) -> None:
    model, elm = device.model, device.model.elm_
    familiar = [
        f"{{{tables.matrix(f'whitening_{number}', known.whitening)}, "
        f"{tables.array(f'centres_{number}', known.centres)}, {len(known.centres)}, {floats([known.limit])[0]}}}"
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
    tables.array("head_pattern", [bits(present) for present in elm.betas], "unsigned long")
    everything = (True,) * len(device.layout.sensors)
    combinations = sorted(model.combinations_.items(), key=lambda entry: entry[0] != everything)
    tables.array("combination_pattern", [bits(present) for present, _ in combinations], "unsigned long")
    tables.array("combination", [weights for _, weights in combinations])
