"""The recognition core: no web framework, no database, no global state."""

import os

# polars' allocator keeps for half a second what it was given back; of a day's recording that doubles the memory
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0")
