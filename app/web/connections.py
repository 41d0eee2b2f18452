"""Whose connection is closed when there are nearly as many as the server takes.

Otherwise one machine that opens connections and says nothing, or little, keeps everybody else out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any


def close_one(channels: Iterable[Any]) -> None:
    """Close a connection of the address that has most of those that wait for their client.

    It is the oldest; one by which somebody's file comes in is the last to go. A request that is being answered is
    never cut off.
    """
    waiting = [each for each in channels if not (each.requests or each.total_outbufs_len or each.will_close)]
    by_address = Counter(_address(each) for each in waiting)

    def order(channel: Any) -> tuple[int, bool, float]:
        return -by_address[_address(channel)], getattr(channel.request, "brings_file", False), channel.creation_time

    if waiting:
        min(waiting, key=order).will_close = True  # waitress does it when it comes by


def _address(channel: Any) -> str:
    return str(channel.addr[0])
