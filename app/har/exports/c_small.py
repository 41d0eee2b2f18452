"""A small model as C: the features of whole windows as in a large one's source, and two layers of 8 bits."""

from __future__ import annotations

import numpy as np

from app.har.exports.c_text import CSource, Tables, assembled, fields, starts
from app.har.exports.device_model import DeviceModel
from app.har.exports.small import Small

PROGRAMS = ("window.c", "small.c")


def write_small_c(device: DeviceModel, small: Small, name: str, limit: float) -> CSource:
    """Return the source of a small model that a large one taught."""
    tables, whole, n = Tables(int8=True), device.whole, device.model.n_timesteps
    by_sensor, n_signals = list(device.layout.by_sensor.values()), device.n_signals
    n_scaled, n_bands, n_units = sum(map(len, small.columns)), len(whole.edges) - 1, len(small.hidden_bias)
    sizes = {
        "N_SIGNALS": n_signals,
        "N_PAIRS": len(device.pairs),
        "MOST_FACTOR": max(whole.factors),
        "UNITS": n_units,
    }
    for key, value in sizes.items():
        tables.define(key, value)
    tables.stretch("whole", device, whole)
    columns = np.concatenate(small.columns)
    tables.array("sensor_start", starts(by_sensor), "int")
    tables.array("sensor_channel", np.concatenate(by_sensor), "int")
    tables.array("pairs", device.pairs or [(0, 0)], "int")
    tables.array("block_start", starts(small.columns), "int")
    tables.array("column", columns, "int")
    tables.array("window_mean", small.scaler.mean[columns])
    tables.array("window_deviation", small.scaler.deviation[columns])
    tables.array("familiar_limit", small.limits)
    tables.structs("matrix", "hidden_layer", [tables.matrix(f"hidden_{i}", w) for i, w in enumerate(small.hidden)])
    tables.array("hidden_bias", small.hidden_bias)
    tables.struct("matrix", "output_layer", tables.matrix("output", small.output))
    tables.array("output_bias", small.output_bias)
    workspace = {
        "x": (len(device.model.channels), n),
        "signal": (n_signals, n),
        **dict.fromkeys(("in_re", "in_im", "re", "im"), (n,)),
        "power": (n_signals, n_bands + 1),
        "features": (device.n_features(whole),),
        "scaled": (n_scaled,),
        "hidden": (n_units,),
    }
    return assembled(device, name, limit, tables, fields(workspace), PROGRAMS)
