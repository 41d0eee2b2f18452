#!/usr/bin/env bash
# TSFEL: spectral features of an axis of an accelerometer, with and without the gravity that lies on it.
#
# Expected: either all spectral features leave the constant part out or none does. A walk at 2 Hz is a walk at 2 Hz,
# whichever way the phone hangs.
# Seen: fundamental frequency, maximum of the power spectrum and power bandwidth leave it out; median frequency, spectral
# centroid and "human range energy" keep it, and then speak of gravity: 0 Hz, under 0.2 Hz and about 1 % in place of 2 Hz,
# 2 Hz and 100 %. The same walk on an axis that hangs down and on one that lies flat gets other features.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check tsfel==0.2.0 numpy==2.2.6 pandas==2.2.3 scipy==1.15.3
"$folder/env/bin/python" -W ignore - <<'PY'
from importlib.metadata import version

import numpy as np
from tsfel.feature_extraction import features

RATE_HZ = 50
NAMES = ("fundamental_frequency", "max_power_spectrum", "power_bandwidth", "median_frequency", "spectral_centroid", "human_range_energy")
t = np.arange(10 * RATE_HZ) / RATE_HZ
walk = 2 * np.sin(2 * np.pi * 2 * t)
found = {name: [float(getattr(features, name)(x, RATE_HZ)) for x in (walk, walk + 9.81)] for name in NAMES}
print("tsfel", version("tsfel"))
for name, (without, with_gravity) in found.items():
    print(f"{name:24} without gravity {without:8.3f}   with gravity {with_gravity:8.3f}")
for name in NAMES[:3]:
    assert np.isclose(*found[name]), name
for name, below in zip(NAMES[3:], (0.1, 0.2, 0.02), strict=True):
    without, with_gravity = found[name]
    assert without > 0.9 and with_gravity < below, name
PY
