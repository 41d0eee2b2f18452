"""The recognition core: no web framework, no database, no global state but the allocators' manners."""

import contextlib
import ctypes
import os

# polars' allocator keeps for ten seconds what it was given back, which of a day's recording doubles the memory; from
# one part of a file to the next, it pays
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:100,muzzy_decay_ms:0")

# glibc's, at numpy's arrays of some MB, gives the pages back at each step and fetches them again at the next: a third
# of the time of describing windows. See mallopt(3): it now keeps up to 64 MiB, and maps only what is over 32 MiB.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
with contextlib.suppress(OSError, AttributeError):  # another C library
    mallopt = ctypes.CDLL("libc.so.6").mallopt
    mallopt(M_TRIM_THRESHOLD, 64 << 20)
    mallopt(M_MMAP_THRESHOLD, 32 << 20)
