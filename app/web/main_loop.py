"""The loop that reads and writes all connections: waitress's own, at a small part of its cost for each connection.

That one asks each connection two questions by methods, and tells the system of each, every time before it waits: with
phones that send each second, what it does grows with the square of their number.
"""

from __future__ import annotations

import select
from typing import Any

from waitress import wasyncore

READS, WRITES = (select.POLLIN | select.POLLPRI, select.POLLOUT) if hasattr(select, "poll") else (0, 0)


class MainLoop:
    """Stands in for `waitress.wasyncore` in a server."""

    @staticmethod
    def loop(timeout: float, map: dict[int, Any], use_poll: bool) -> None:
        """Serve until there is no connection any more, nor a socket that listens."""
        if not use_poll:
            wasyncore.loop(timeout=timeout, map=map, use_poll=False)
            return
        poll, known = select.poll(), dict[int, int]()
        while map:
            wanted = {fd: flags for fd, each in list(map.items()) if (flags := _wanted(each))}
            if wanted != known:
                for fd in known.keys() - wanted.keys():
                    poll.unregister(fd)
                for fd, flags in wanted.items():
                    if known.get(fd) != flags:
                        poll.register(fd, flags)
                known = wanted
            for fd, flags in poll.poll(int(timeout * 1000)):
                if (each := map.get(fd)) is not None:
                    wasyncore.readwrite(each, flags)


def _wanted(each: Any) -> int:
    """Return what is waited for: as `readable` and `writable` say, of an ordinary connection in one look."""
    if getattr(each, "is_ordinary", False):
        if each.total_outbufs_len or each.will_close or each.close_when_flushed:
            return WRITES
        return 0 if len(each.requests) > each.adj.channel_request_lookahead else READS
    flags = READS if each.readable() else 0
    return flags | WRITES if each.writable() and not each.accepting else flags
