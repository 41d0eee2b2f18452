"""Be killed at every state of an alarm's life: ``python -m tests.services.killed_alarms SCENARIO…``.

Each scenario is done in a child of its own, which kills itself while the last event is being kept, or just after.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

T0 = 1_800_000_000.0
EVENTS = {  # name: when, after T0
    "notice": 0.0,
    "due": 90.0,
    "told": 91.0,
    "acknowledge": 95.0,
    "again": 100.0,
    "due again": 190.0,
    "close": 200.0,
}


def do(event: str, user_id: int) -> None:
    from app.services.alarms import alarms

    now, live = T0 + EVENTS[event], alarms.live_of(user_id)
    if event in ("notice", "again"):
        alarms.notice(user_id, "fall", {"time_s": now - 4, "score": 0.8}, now=now)
    elif event in ("due", "due again"):
        alarms._pass_time(live[0].id, now, 1.0)  # of all, it would move other scenarios'
    elif event == "told":
        alarms.told(live[0].steps[-1].id, now)
    elif event == "acknowledge":
        alarms.acknowledge(user_id, live[0].id, now)
    else:
        alarms.close(user_id, live[0].id, "true", now=now)


def kill(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def child(app: Any, user_id: int, events: list[str], when: str) -> None:
    from sqlalchemy import event

    from app.extensions import db
    from app.services.alarms import alarms

    with app.app_context():
        for each in events[:-1]:
            do(each, user_id)
        if when == "before":
            event.listen(db.session, "before_commit", kill)
        else:
            alarms.listen(kill)
        do(events[-1], user_id)


def main() -> None:
    from sqlalchemy.orm import configure_mappers

    from app import create_app
    from app.services.alarms import alarms  # noqa: F401  once, not in each child

    app = create_app()
    configure_mappers()
    for argument in sys.argv[1:]:  # 3:notice,due:before
        user_id, events, when = argument.split(":")
        process = os.fork()
        if not process:
            child(app, int(user_id), events.split(","), when)
            os._exit(0)
        _, status = os.waitpid(process, 0)
        assert os.WIFSIGNALED(status), argument
        assert os.WTERMSIG(status) == signal.SIGKILL, argument


if __name__ == "__main__":
    main()
