"""Settings that were renamed, as files written before still call them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RENAMED = {"any_way_round": "rotation_augmentation", "slow_share": "low_rate_augmentation"}  # in 1.0


def with_current_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored settings under the names of today."""
    return {RENAMED.get(name, name): value for name, value in settings.items()}
