"""A model as LiteRT (TensorFlow Lite): one file of built-in operations, from the samples of windows to the answer.

Weights that are stored coarser are brought back to float32 when the file is loaded: only the file is smaller.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.keras_training import tensorflow_quietly
from app.har.exports.c_text import scales_of
from app.har.exports.device_model import DeviceModel
from app.har.exports.graph import Graph
from app.har.exports.types import Emulated
from app.har.types import FloatArray

FEWEST = 256  # numbers of a matrix from which on it is worth being stored coarser
BATCH = 256  # windows asked about at once


class LiteRtOperations:
    """TensorFlow's operations, as far as LiteRT has them built in."""

    def __init__(self) -> None:
        tensorflow_quietly()
        import tensorflow as tf

        self.tf = tf
        self.matrices: list[FloatArray] = []  # that may be stored coarser

    def constant(self, values: NDArray[Any]) -> Any:
        return self.tf.constant(values)

    def weights(self, values: FloatArray) -> Any:
        values = np.asarray(values, np.float32)
        if values.size >= FEWEST:
            self.matrices.append(values)
        return self.tf.constant(values)

    def add(self, a: Any, b: Any) -> Any:
        return self.tf.add(a, b)

    def subtract(self, a: Any, b: Any) -> Any:
        return self.tf.subtract(a, b)

    def multiply(self, a: Any, b: Any) -> Any:
        return self.tf.multiply(a, b)

    def divide(self, a: Any, b: Any) -> Any:
        return self.tf.divide(a, b)

    def maximum(self, a: Any, b: Any) -> Any:
        return self.tf.maximum(a, b)

    def minimum(self, a: Any, b: Any) -> Any:
        return self.tf.minimum(a, b)

    def product(self, a: Any, b: Any) -> Any:
        return self.tf.matmul(a, b)

    def unary(self, name: str, a: Any) -> Any:
        return getattr(self.tf.math, name)(a)

    def reduce(self, name: str, a: Any, axis: int) -> Any:
        return getattr(self.tf, f"reduce_{name}")(a, axis=axis, keepdims=True)

    def is_nan(self, a: Any) -> Any:
        return 1 - self.at_most(self.tf.abs(a), np.inf)  # there is no such operation built in

    def at_most(self, a: Any, limit: float) -> Any:
        return self.tf.cast(self.tf.less_equal(a, np.float32(limit)), self.tf.float32)

    def where(self, condition: Any, a: Any, b: Any) -> Any:
        return self.tf.where(condition > 0.5, a, b)

    def cut(self, a: Any, axis: int, start: int, stop: int, step: int = 1) -> Any:
        return a[tuple([slice(None)] * axis + [slice(start, stop, step)])]

    def take(self, a: Any, axis: int, positions: Sequence[int]) -> Any:
        return self.tf.gather(a, np.asarray(positions, np.int32), axis=axis)

    def join(self, parts: Sequence[Any], axis: int) -> Any:
        return self.tf.concat(parts, axis)

    def transpose(self, a: Any, *axes: int) -> Any:
        return self.tf.transpose(a, axes)

    def reshape(self, a: Any, *shape: int) -> Any:
        return self.tf.reshape(a, shape)


def write_litert(device: DeviceModel, weights: str) -> bytes:
    """Return the file: ``windows`` (n, n_timesteps, n_channels) in; probabilities, novelty and unfamiliar out."""
    content, matrices = converted(device)
    return content if weights == "float32" else coarser(content, matrices, weights)


def converted(device: DeviceModel) -> tuple[bytes, list[FloatArray]]:
    """Return the file with float32 weights, and the matrices in it that may be stored coarser."""
    operations, model = LiteRtOperations(), device.model
    tf = operations.tf
    shape = (None, model.n_timesteps, len(model.channels))
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, "windows")], autograph=False)
    def answer(windows: Any) -> dict[str, Any]:
        return Graph(device, operations).answer(windows)

    module.answer = answer
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "saved"
        tf.saved_model.save(module, str(saved), signatures=answer)
        converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
        return bytes(converter.convert()), operations.matrices


def coarser(content: bytes, matrices: Sequence[FloatArray], weights: str) -> bytes:
    """Return a file with matrices stored as float16 or int8.

    The converter's own way rounds what is no matrix as well: float16 makes a floor of 1e-8 nothing, and answers NaN.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    made = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = made.subgraphs[0]
    columns_at = {matrix.T.tobytes(): 0 for matrix in matrices} | {matrix.tobytes(): 1 for matrix in matrices}
    made.operatorCodes.append(schema.OperatorCodeT())
    made.operatorCodes[-1].builtinCode = made.operatorCodes[-1].deprecatedBuiltinCode = (
        schema.BuiltinOperator.DEQUANTIZE
    )
    for number, tensor in enumerate(list(graph.tensors)):
        tensor.name = None  # of what lies between, nobody asks; windows and answers are named by the signature
        body = made.buffers[tensor.buffer].data
        if body is None or (axis := columns_at.get(bytes(body))) is None:
            continue
        values = np.frombuffer(bytes(body), np.float32).reshape(tensor.shape)
        stored = schema.TensorT()
        stored.shape, stored.buffer = tensor.shape, tensor.buffer
        if weights == "float16":
            stored.type, rounded = schema.TensorType.FLOAT16, values.astype(np.float16)
        else:
            stored.type, stored.quantization = schema.TensorType.INT8, schema.QuantizationParametersT()
            scale = scales_of(values, axis=1 - axis)
            stored.quantization.scale, stored.quantization.zeroPoint = scale, np.zeros(len(scale), np.int64)
            stored.quantization.quantizedDimension = axis
            rounded = np.rint(values / np.expand_dims(scale, 1 - axis)).astype(np.int8)
        made.buffers[tensor.buffer].data = np.frombuffer(rounded.tobytes(), np.uint8)
        tensor.buffer = 0  # which is empty: it is computed now
        restored = schema.OperatorT()
        restored.opcodeIndex = len(made.operatorCodes) - 1
        restored.inputs, restored.outputs = [len(graph.tensors)], [number]
        graph.operators.insert(0, restored)
        graph.tensors.append(stored)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(made.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def run_litert(content: bytes, X: FloatArray) -> Emulated:
    """Return what the file answers of windows, in LiteRT's interpreter on one core."""
    from ai_edge_litert.interpreter import Interpreter

    answer = Interpreter(
        model_content=content, num_threads=1
    ).get_signature_runner()  # by names: their order may be any
    parts = [answer(windows=X[start : start + BATCH]) for start in range(0, len(X), BATCH)]
    probabilities, unfamiliar = (
        np.concatenate([part[name] for part in parts]) for name in ("probabilities", "unfamiliar")
    )
    alone = X[:1]
    answer(windows=alone)
    began = time.perf_counter()
    for _ in range(50):
        answer(windows=alone)
    ms = (time.perf_counter() - began) * 1e3 / 50
    return Emulated(np.asarray(probabilities, np.float32), np.asarray(unfamiliar[:, 0] > 0.5), ms)
