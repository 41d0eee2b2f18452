#!/usr/bin/env bash
# actfast (reads files of activity monitors): the times of an Axivity's samples, whose device runs at 98.8 Hz.
#
# Expected: each block of 80 samples says when it begins, so that its samples are 10.12 ms apart, the last of a block and
# the first of the next one as well.
# Seen: the samples of a block are 10 ms apart, as of a device of exactly 100 Hz, and what is left until the next block
# lies behind the last of them: 19.7 ms in place of 10.1. Speeds and spectra of such a clock jump in every block.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check actfast==1.3.0 numpy==2.2.6
"$folder/env/bin/python" - "$folder" <<'PY'
import struct
import sys
from importlib.metadata import version

import actfast
import numpy as np

RATE_HZ, PER_BLOCK, N_BLOCKS = 98.8, 80, 20


def block(number: int) -> bytes:
    """Return a block of Open Movement's cwa.h, stamped 12:00 and its seconds, to 1/32768 s."""
    at = number * PER_BLOCK / RATE_HZ
    fraction = round(at % 1 * 32768)
    stamp = 24 << 26 | 5 << 22 | 31 << 17 | 12 << 12 | int(at)
    moved = fraction * 2 * 100 >> 16
    head = struct.pack("<2sHHIIIHHBBBBhH", b"AX", 508, 0x8000 | fraction, 7, number, stamp, 200, 300, 0, 200, 0x4A, 0x32,
                       -moved, PER_BLOCK)
    data = head + np.tile([3, 5, 256], PER_BLOCK).astype("<i2").tobytes()
    total = int(np.frombuffer(data, "<u2").sum(dtype=np.uint32)) & 0xFFFF
    return data + struct.pack("<H", -total & 0xFFFF)


header = bytearray(1024)
header[:5], header[36] = b"MD" + struct.pack("<HB", 1020, 0x17), 0x4A
header[64:512] = b"_sc=1".ljust(448)
path = f"{sys.argv[1]}/walk.cwa"
with open(path, "wb") as file:
    file.write(bytes(header) + b"".join(map(block, range(N_BLOCKS))))
time_ns = np.asarray(actfast.read(path)["timeseries"]["high_frequency"]["datetime"]).astype(np.int64)
steps_ms = np.diff(time_ns)[: (N_BLOCKS - 2) * PER_BLOCK] / 1e6
between = np.arange(len(steps_ms)) % PER_BLOCK == PER_BLOCK - 1
print("actfast", version("actfast"))
print(f"steps within blocks {np.median(steps_ms[~between]):.2f} ms, between them {np.median(steps_ms[between]):.2f} ms")
print(f"a device of {RATE_HZ} Hz takes {1000 / RATE_HZ:.2f} ms a sample")
assert abs(np.median(steps_ms[~between]) - 10.0) < 0.01, steps_ms
assert np.median(steps_ms[between]) > 15, steps_ms
PY
