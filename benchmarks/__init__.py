"""What produces each figure that docs/BENCHMARKS.md quotes."""

import os

# Homes of benchmarks are thrown away: their keys must not fill this account's file of keys
os.environ.setdefault("ENCRYPTION_KEY", "KINELAB-X45RL5-WQQMDY-OM625J-RZAYTK-K3YY7A-CSN2WT-OE7N6G-FGK4HQ-TCLEND-3X")
