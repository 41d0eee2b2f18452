#!/usr/bin/env bash
# A matrix stored in 8 bits, DequantizeLinear and MatMul, in ONNX Runtime: the same file with and without optimisation.
#
# Expected: the same products up to rounding in float32. DequantizeLinear is defined to give float32, and MatMul of float32
# keeps its inputs; an optimisation may be faster, not coarser.
# Seen: from the level "extended" on, which is the default, both become one node, MatMulNBits, that rounds the inputs to 8
# bits as well, in blocks: beside a large input, small ones are lost; here four fifths of what they give. The session
# option session.qdq_matmulnbits_accuracy_level = 1 keeps inputs whole, and so does Cast with Mul in place of the node.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.2.6
"$folder/env/bin/python" - <<'PY'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

random = np.random.default_rng(0)
rows, columns = 128, 64
stored = random.integers(-127, 128, (rows, columns)).astype(np.int8)
scale = np.full(columns, 0.01, np.float32)
x = random.normal(0, 1, (1, rows)).astype(np.float32)
x[0, ::32] = 300  # one large input in each 32
nodes = [
    helper.make_node("DequantizeLinear", ["stored", "scale", "zero"], ["weights"], axis=1),
    helper.make_node("MatMul", ["x", "weights"], ["y"]),
]
constants = {"stored": stored, "scale": scale, "zero": np.zeros(columns, np.int8)}
shapes = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, k]) for n, k in (("x", rows), ("y", columns))]
graph = helper.make_graph(
    nodes, "g", shapes[:1], shapes[1:], [numpy_helper.from_array(v, k) for k, v in constants.items()]
)
model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)]).SerializeToString()
exact = x.astype(np.float64) @ (stored * scale.astype(np.float64))
small = np.where(abs(x) < 100, x, 0).astype(np.float64) @ (stored * scale.astype(np.float64))  # what small inputs give


def lost(level, accuracy=None):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.log_severity_level = 3
    if accuracy:
        options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", accuracy)
    (y,) = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]).run(None, {"x": x})
    return float(np.median(abs(y - exact)) / np.median(abs(small)))


level = onnxruntime.GraphOptimizationLevel
plain, optimised, kept = lost(level.ORT_DISABLE_ALL), lost(level.ORT_ENABLE_ALL), lost(level.ORT_ENABLE_ALL, "1")
print("onnxruntime", onnxruntime.__version__)
print(f"error as a share of what the small inputs give: {plain:.1e} without optimisation, {optimised:.2f} with it,")
print(f"{kept:.1e} with it and accuracy level 1")
assert plain < 1e-4 and kept < 1e-4, "exact results are not exact any more"
assert optimised > 0.1, "optimisation no longer rounds the inputs"
PY
