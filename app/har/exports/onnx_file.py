"""A model as ONNX: one file, from the samples of windows to the answer, in operations that every runtime has.

Weights that are stored coarser are brought back to float32 as they are used: only the file is smaller.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.har.exports.c_text import scales_of
from app.har.exports.device_model import DeviceModel
from app.har.exports.graph import Graph
from app.har.exports.types import Emulated
from app.har.types import FloatArray

if TYPE_CHECKING:
    import onnx

OPSET, IR_VERSION = 13, 8  # read by every runtime since 2021
FEWEST = 256  # numbers of a matrix from which on it is worth being stored coarser
BATCH = 256  # windows asked about at once


class OnnxOperations:
    """Collects nodes; tensors are known by name."""

    def __init__(self, weights: str) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._numpy = helper, numpy_helper
        self.kind = weights
        self.nodes: list[Any] = []
        self.constants: dict[bytes, str] = {}
        self.initialisers: list[Any] = []

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of one output, and return its name."""
        name = f"t{len(self.nodes)}"
        self.nodes.append(self._helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(self, values: NDArray[Any]) -> str:
        key = repr((values.dtype.str, values.shape)).encode() + values.tobytes()
        if key not in self.constants:
            self.constants[key] = f"c{len(self.constants)}"
            self.initialisers.append(self._numpy.from_array(np.ascontiguousarray(values), self.constants[key]))
        return self.constants[key]

    def weights(self, values: FloatArray) -> str:
        if self.kind == "float32" or values.size < FEWEST:
            return self.constant(values)
        if self.kind == "float16":
            return self.node("Cast", self.constant(values.astype(np.float16)), to=1)
        scale = scales_of(values, axis=0)
        rounded = self.constant(np.rint(values / scale).astype(np.int8))
        # DequantizeLinear would say the same, and ONNX Runtime then rounds what is multiplied with it, too
        return self.node("Mul", self.node("Cast", rounded, to=1), self.constant(scale))

    def add(self, a: str, b: str) -> str:
        return self.node("Add", a, b)

    def subtract(self, a: str, b: str) -> str:
        return self.node("Sub", a, b)

    def multiply(self, a: str, b: str) -> str:
        return self.node("Mul", a, b)

    def divide(self, a: str, b: str) -> str:
        return self.node("Div", a, b)

    def maximum(self, a: str, b: str) -> str:
        return self.node("Max", a, b)

    def minimum(self, a: str, b: str) -> str:
        return self.node("Min", a, b)

    def product(self, a: str, b: str) -> str:
        return self.node("MatMul", a, b)

    def unary(self, name: str, a: str) -> str:
        return self.node(name.capitalize(), a)

    def reduce(self, name: str, a: str, axis: int) -> str:
        if name == "sum":  # takes its axes otherwise since opset 13
            return self.node("ReduceSum", a, self._positions([axis]), keepdims=1)
        return self.node(f"Reduce{name.capitalize()}", a, axes=[axis], keepdims=1)

    def is_nan(self, a: str) -> str:
        return self.node("Cast", self.node("IsNaN", a), to=1)

    def at_most(self, a: str, limit: float) -> str:
        return self.node("Cast", self.node("LessOrEqual", a, self.constant(np.array([limit], np.float32))), to=1)

    def where(self, condition: str, a: str, b: str) -> str:
        return self.node("Where", self.node("Cast", condition, to=9), a, b)

    def cut(self, a: str, axis: int, start: int, stop: int, step: int = 1) -> str:
        return self.node("Slice", a, *(self._positions([i]) for i in (start, stop, axis, step)))

    def take(self, a: str, axis: int, positions: Sequence[int]) -> str:
        return self.node("Gather", a, self._positions(positions), axis=axis)

    def join(self, parts: Sequence[str], axis: int) -> str:
        return self.node("Concat", *parts, axis=axis)

    def transpose(self, a: str, *axes: int) -> str:
        return self.node("Transpose", a, perm=axes)

    def reshape(self, a: str, *shape: int) -> str:
        return self.node("Reshape", a, self._positions(shape))

    def _positions(self, values: Sequence[int]) -> str:
        return self.constant(np.array(values, np.int64))


def write_onnx(device: DeviceModel, name: str, weights: str) -> bytes:
    """Return the file: ``windows`` (n, n_timesteps, n_channels) in; probabilities, novelty and unfamiliar out."""
    from onnx import TensorProto, checker, helper

    operations, model = OnnxOperations(weights), device.model
    answer = Graph(device, operations).answer("windows")
    for key, tensor in answer.items():
        operations.nodes.append(helper.make_node("Identity", [tensor], [key]))
    shapes = {"probabilities": len(model.activities), "novelty": len(device.layout.sensors), "unfamiliar": 1}
    windows = helper.make_tensor_value_info("windows", TensorProto.FLOAT, ["n", model.n_timesteps, len(model.channels)])
    outputs = [helper.make_tensor_value_info(key, TensorProto.FLOAT, ["n", width]) for key, width in shapes.items()]
    graph = helper.make_graph(operations.nodes, name, [windows], outputs, operations.initialisers)
    made: onnx.ModelProto = helper.make_model(
        graph, producer_name="Kinelab", ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)]
    )
    checker.check_model(made, full_check=True)
    return bytes(made.SerializeToString())


def run_onnx(content: bytes, X: FloatArray) -> Emulated:
    """Return what the file answers of windows, in ONNX Runtime on one core."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = ["probabilities", "unfamiliar"]
    parts = [session.run(names, {"windows": X[start : start + BATCH]}) for start in range(0, len(X), BATCH)]
    probabilities, unfamiliar = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    alone = X[:1]
    began = time.perf_counter()
    for _ in range(50):
        session.run(names, {"windows": alone})
    ms = (time.perf_counter() - began) * 1e3 / 50
    return Emulated(np.asarray(probabilities, np.float32), np.asarray(unfamiliar[:, 0] > 0.5), ms)
