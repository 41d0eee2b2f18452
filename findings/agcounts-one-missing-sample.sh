#!/usr/bin/env bash
# agcounts (ActiGraph's own Python implementation of activity counts): one missing sample in ten minutes at 30 Hz.
#
# Expected: an error, or a missing count for the epoch that holds the missing sample.
# Seen: every epoch from that sample to the end of the recording counts -9223372036854775808 on that axis, an integer
# without a warning that a sum or a mean over the day takes in. The filter keeps the NaN in its state, and the cast to
# integers makes the smallest one of it. A recording with a hole has to be cut at the hole before it is counted.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check agcounts==0.2.6 numpy==2.2.6 pandas==2.2.3 scipy==1.15.3
"$folder/env/bin/python" -W error - <<'PY'
from importlib.metadata import version

import numpy as np
from agcounts.extract import get_counts

RATE_HZ, EPOCH_S, MISSING = 30, 10, 2000  # the missing sample is in the seventh epoch of sixty
t = np.arange(600 * RATE_HZ) / RATE_HZ
walk = np.stack([0.2 * np.sin(2 * np.pi * t), 0.1 * np.sin(4 * np.pi * t), 1 + 0.4 * np.sin(4 * np.pi * t)], axis=1)
whole = get_counts(walk.copy(), freq=RATE_HZ, epoch=EPOCH_S)
walk[MISSING, 2] = np.nan
with np.errstate(invalid="ignore"):
    holed = get_counts(walk.copy(), freq=RATE_HZ, epoch=EPOCH_S)
print("agcounts", version("agcounts"))
print("whole, third axis:", whole[4:9, 2], "… sum", whole[:, 2].sum())
print("one NaN,  the same:", holed[4:9, 2])
first = MISSING // (RATE_HZ * EPOCH_S)
assert (holed[:first] == whole[:first]).all(), "the epochs before the hole changed"
assert (holed[:, :2] == whole[:, :2]).all(), "another axis changed"
assert (holed[first:, 2] == np.iinfo(np.int64).min).all(), "the epochs after the hole are other than seen"
print(f"{len(holed) - first} of {len(holed)} epochs count {np.iinfo(np.int64).min}")
PY
