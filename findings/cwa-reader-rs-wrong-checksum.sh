#!/usr/bin/env bash
# cwa-reader-rs (reads .cwa of Axivity's monitors): a block whose bytes were changed, so that its checksum is wrong.
#
# Expected: the block is left out, or told: each of 512 bytes ends in a checksum that makes the sum of its words 0.
# Seen: its samples come with the others, without a word: 3 samples of the tenth block say 60 g on each axis, of a
# device that lay still.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check cwa-reader-rs==0.5.0 numpy==2.2.6
"$folder/env/bin/python" - "$folder" <<'PY'
import struct
import sys
from importlib.metadata import version

import cwa_reader_rs
import numpy as np

RATE_HZ, PER_BLOCK, N_BLOCKS = 100, 80, 20


def block(number: int, damaged: bool) -> bytes:
    """Return a block of Open Movement's cwa.h, stamped 12:00 and its seconds, to 1/32768 s."""
    at = number * PER_BLOCK / RATE_HZ
    fraction = round(at % 1 * 32768)
    stamp = 24 << 26 | 5 << 22 | 31 << 17 | 12 << 12 | int(at)
    moved = fraction * 2 * RATE_HZ >> 16
    head = struct.pack("<2sHHIIIHHBBBBhH", b"AX", 508, 0x8000 | fraction, 7, number, stamp, 200, 300, 0, 200, 0x4A, 0x32,
                       -moved, PER_BLOCK)
    data = head + np.tile([3, 5, 256], PER_BLOCK).astype("<i2").tobytes()
    total = int(np.frombuffer(data, "<u2").sum(dtype=np.uint32)) & 0xFFFF
    whole = bytearray(data + struct.pack("<H", -total & 0xFFFF))
    if damaged:
        whole[100:118] = b"\x00\x3c" * 9  # 3 samples of three axes
    return bytes(whole)


header = bytearray(1024)
header[:5], header[36] = b"MD" + struct.pack("<HB", 1020, 0x17), 0x4A
header[64:512] = b"_sc=1".ljust(448)
path = f"{sys.argv[1]}/walk.cwa"
with open(path, "wb") as file:
    file.write(bytes(header) + b"".join(block(number, number == 9) for number in range(N_BLOCKS)))
found = cwa_reader_rs.read_cwa_file(path)
values = np.stack([np.asarray(found[axis]) for axis in ("acc_x", "acc_y", "acc_z")], axis=1)
length = np.linalg.norm(values, axis=1)
print("cwa-reader-rs", version("cwa-reader-rs"))
print(f"{len(values):,} samples; the longest vector is {length.max():.1f} g, the usual one {np.median(length):.3f} g")
assert len(values) == N_BLOCKS * PER_BLOCK, len(values)
assert (length > 50).sum() >= 3, length.max()
PY
