#!/usr/bin/env bash
# TensorFlow's converter to LiteRT with float16 "weights", of a function that has no weights, only a small constant in a sum.
#
# Expected: log(x * x + 1e-8) stays what it was: the documentation says that float16 quantization stores the weights of a
# model in 16 bits, and a floor below a logarithm is no weight.
# Seen: every constant of floating point is stored so; 1e-8 is below the smallest float16, the floor becomes 0, and the
# converted file answers -inf where the function says -18.4. Nothing warns, neither the converter nor the interpreter.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check tensorflow==2.21.0 ai-edge-litert==2.3.0 numpy==2.2.6
TF_CPP_MIN_LOG_LEVEL=3 "$folder/env/bin/python" - "$folder/saved" 2>"$folder/log" <<'PY' || { cat "$folder/log"; exit 1; }
import sys
from importlib.metadata import version

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

module = tf.Module()
module.answer = tf.function(
    lambda x: {"y": tf.math.log(x * x + 1e-8)}, input_signature=[tf.TensorSpec((3,), tf.float32, "x")]
)
tf.saved_model.save(module, sys.argv[1], signatures=module.answer)
x = np.array([0, 0.5, 2], np.float32)
found = {"the function": module.answer(x)["y"].numpy()}
for title, coarser in (("float32", False), ("float16", True)):
    converter = tf.lite.TFLiteConverter.from_saved_model(sys.argv[1])
    if coarser:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    found[title] = Interpreter(model_content=converter.convert()).get_signature_runner()(x=x)["y"]
print("tensorflow", version("tensorflow"), "ai-edge-litert", version("ai-edge-litert"))
for title, y in found.items():
    print(f"{title}: {y}")
assert np.allclose(found["float32"], found["the function"]), "float32 differs, too"
assert np.isneginf(found["float16"][0]), "the small constant is kept now"
PY
