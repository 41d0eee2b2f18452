#!/usr/bin/env bash
# scikit-digital-health: moving statistics of a recording with one missing sample.
#
# Expected: the 50 windows of 50 samples that hold the missing sample are missing, as with pandas' rolling, and mean,
# standard deviation and median agree about which those are.
# Seen: the mean and the standard deviation are missing in every window from there to the end of the recording (a running
# sum never gets rid of the NaN); the median is a number in every window, also in those 50. What is built on them, as
# the wear detection is, loses the rest of a day after one NaN.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check scikit-digital-health==0.17.18 numpy==2.2.6 pandas==2.2.3 scipy==1.15.3
"$folder/env/bin/python" - <<'PY'
from importlib.metadata import version

import numpy as np
import pandas as pd
from skdh.utility import moving_mean, moving_median, moving_sd

WINDOW, MISSING = 50, 300
x = 1 + 0.1 * np.sin(np.arange(1000) / 5)
x[MISSING] = np.nan
missing = {
    "pandas, mean": int(pd.Series(x).rolling(WINDOW).mean()[WINDOW - 1 :].isna().sum()),
    "mean": int(np.isnan(moving_mean(x, WINDOW, 1)).sum()),
    "standard deviation": int(np.isnan(moving_sd(x, WINDOW, 1, return_previous=False)).sum()),
    "median": int(np.isnan(moving_median(x, WINDOW, 1)).sum()),
}
print("scikit-digital-health", version("scikit-digital-health"))
print(f"windows of {WINDOW} samples: {len(x) - WINDOW + 1}; missing of them:", missing)
after = len(x) - MISSING
assert missing == {"pandas, mean": WINDOW, "mean": after, "standard deviation": after, "median": 0}, missing
PY
