"""The workers: a cluster of Dask, of this machine or one that exists already.

Dask repeats what a dead worker was busy with, and gives up after four deaths, whosever they were. Here a death is told
at once (no failures are allowed to the scheduler of our own), and counts for the recording that the worker was busy
with: it is tried once more, and then it is a failure. A worker of ours has the next recording already, so that it never
waits for one; when it dies, that one is handed out anew, as if nothing had been.
"""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from app.har.errors import HarError
from app.services.cohorts import recogniser
from app.services.cohorts.job import Job
from app.services.cohorts.recogniser import Answer, Limits

if TYPE_CHECKING:
    from distributed import Client

LOOPBACK = "127.0.0.1"
ATTEMPTS = 2  # of a recording whose worker dies
STARTING_S = 120.0
COUNT_EVERY_S = 0.5  # how many workers there are
GONE_S = 600.0  # without any worker there is no hope
REACHED_S = 20.0
TOGETHER_S = 0.2  # within which all is told that a dead worker had
AHEAD = 1
DIED = "WorkerDied"
OWN = {  # of a cluster of our own
    # 15 s after a death, Dask closes for good what restarts a worker, if that worker is dead again at that moment
    "distributed.deploy.lost-worker-timeout": "1000 days",
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.http.routes": [],  # nothing is served by HTTP
    "distributed.worker.http.routes": [],
    "distributed.worker.multiprocessing-method": "spawn",
    "distributed.worker.memory.target": False,  # answers are small, and go at once: there is nothing to spill
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    "distributed.nanny.pre-spawn-environ.POLARS_MAX_THREADS": 1,
    "distributed.admin.large-graph-warning-threshold": "1GB",
    "distributed.comm.timeouts.connect": "30s",
    # What Dask looks at all the time, here for nobody
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.tick.cycle": "10s",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.worker.memory.monitor-interval": "500ms",
}
PROGRAM_MIB = 1024  # that a worker may take besides what a recording needs


class ClusterFailed(HarError):
    """No worker can do what is asked."""


@dataclass(frozen=True)
class Where:
    """Which cluster: one of this machine, or that of a scheduler, with the certificates for it."""

    workers: int = 1
    scheduler: str = ""  # the address of one that exists already
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""


@dataclass(frozen=True)
class Cluster:
    """A connection to workers."""

    client: Client
    limits: Limits | None
    attempts: int
    ahead: int = 0  # recordings that a worker has besides the one that it is busy with

    def check(self, job: Job) -> None:
        """Look whether every worker has the program, the folder and the model.

        Raises
        ------
        ClusterFailed : one has not.
        """
        faults = self.client.run(recogniser.check, json.dumps(job.as_dict()), on_error="return")
        for address, fault in faults.items():
            if fault:
                raise ClusterFailed(f"The worker {address} cannot recognise these recordings: {fault}.")

    def answers(self, job: Job, names: Iterable[str], goes_on: Callable[[], bool]) -> Iterator[tuple[str, Answer]]:
        """Yield each recording with what came of it, as they come, as long as ``goes_on``."""
        from distributed import as_completed
        from distributed.scheduler import KilledWorker

        text, waiting, deaths = json.dumps(job.as_dict()), deque(names), Counter[str]()
        running: dict[Any, str] = {}  # by key of what was handed out, in the order of that
        dead = set[str]()  # addresses of workers whose death was counted
        done = as_completed(with_results=True, raise_errors=False, loop=self.client.loop)
        room, counted, seen = 0, 0.0, time.monotonic()
        while (waiting or running) and goes_on():
            if time.monotonic() - counted > COUNT_EVERY_S:
                room, counted = sum(self.client.nthreads().values()), time.monotonic()
                seen = counted if room else seen
                if counted - seen > GONE_S:
                    raise ClusterFailed("All workers are gone. What was recognised is kept: start the run again.")
            # Of the last recordings none waits behind another while a worker has nothing to do
            while waiting and len(running) < room * (1 + self.ahead * (len(waiting) > room)):
                name = waiting.popleft()
                future = self.client.submit(
                    recogniser.answer, text, name, self.limits, pure=False, key=f"recognise-{uuid4().hex}"
                )
                running[future.key] = name
                done.add(future)
            for future, result in self._come(done, running):
                name = running.pop(future.key)
                if future.status == "finished":
                    yield name, result
                    continue
                counted = 0.0  # whoever died is no worker at this moment
                error = result[1] if isinstance(result, tuple) else result
                died = isinstance(error, KilledWorker)
                if died and error.last_worker.address in dead:  # it waited behind the one that counts
                    waiting.appendleft(name)
                    continue
                if died:
                    dead.add(error.last_worker.address)
                deaths[name] += 1
                if died and deaths[name] < self.attempts:
                    waiting.append(name)
                    continue
                yield name, self._lost(name, error, died)

    def _come(self, done: Any, running: Iterable[Any]) -> list[tuple[Any, Any]]:
        """Return what has come, in the order in which it was handed out; of a death all that the worker had."""
        try:  # by its queue: its own iteration looks for nothing else, neither the end nor new workers
            found = [done.queue.get(timeout=COUNT_EVERY_S)]
        except Empty:
            return []
        if self.ahead and found[0][0].status != "finished":
            time.sleep(TOGETHER_S)
        with suppress(Empty):
            while True:
                found.append(done.queue.get_nowait())
        order = {key: number for number, key in enumerate(running)}
        return sorted(found, key=lambda each: order[each[0].key])

    def _lost(self, name: str, error: object, died: bool) -> Answer:
        if not died:  # it could not even be handed over
            reason, kind = f"{name}: {type(error).__name__} in the cluster.", recogniser.FAULT
        elif self.limits is None:
            reason, kind = f"{name}: the workers that read it died.", DIED
        else:
            reason = (
                f"{name}: the process that read it ended, {self.attempts} times: it took longer than "
                f"{self.limits.timeout_s:,.0f} s, needed more than {self.limits.memory_mib:,} MB of memory, is damaged "
                "so that it stops a program, or somebody ended it."
            )
            kind = DIED
        return {"failure": {"kind": kind, "reason": reason}, "cost": {}}


@contextmanager
def opened(where: Where, limits: Limits, scratch: Path) -> Iterator[Cluster]:
    """Start workers on this machine, or connect to those of a scheduler.

    Parameters
    ----------
    limits : of our own workers.
    scratch : a folder for what they write on the way.

    Raises
    ------
    ClusterFailed : no worker comes.
    """
    with _other(where) if where.scheduler else _own(where.workers, limits, scratch) as cluster:
        try:
            cluster.client.wait_for_workers(1, timeout=STARTING_S)
        except TimeoutError as error:
            raise ClusterFailed(f"No worker came within {STARTING_S:.0f} s.") from error
        yield cluster


@contextmanager
def _own(workers: int, limits: Limits, scratch: Path) -> Iterator[Cluster]:
    """Start processes that only this one can reach: by the loopback address, with a certificate made for this run."""
    import dask
    from distributed import Client, LocalCluster
    from distributed.security import Security

    security = Security.temporary()
    with (
        dask.config.set(OWN),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host=LOOPBACK,
            protocol="tls://",
            security=security,
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": f"{LOOPBACK}:0"},  # else it takes port 8787, to serve nothing there
            memory_limit=(limits.memory_mib + PROGRAM_MIB) * 2**20,
            local_directory=str(scratch),
            silence_logs=50,
        ) as cluster,
        Client(cluster, security=security) as client,
    ):
        client.wait_for_workers(workers, timeout=STARTING_S)
        yield Cluster(client, limits, ATTEMPTS, AHEAD)


@contextmanager
def _other(where: Where) -> Iterator[Cluster]:
    """Connect to a scheduler; without certificates in `where`, as Dask's own configuration says."""
    from distributed import Client
    from distributed.security import Security

    security = None
    if where.tls_ca or where.tls_cert:
        security = Security(
            tls_ca_file=where.tls_ca or None,
            tls_client_cert=where.tls_cert or None,
            tls_client_key=where.tls_key or where.tls_cert or None,
            require_encryption=True,
        )
    try:
        client = Client(where.scheduler, security=security, timeout=REACHED_S)
    except (OSError, ValueError, TypeError) as error:
        raise ClusterFailed(f"The scheduler {where.scheduler} cannot be reached: {error}.") from error
    with client:
        allowed = client.run_on_scheduler(_allowed_failures)
        yield Cluster(client, None, 1 if allowed else ATTEMPTS)


def _allowed_failures(dask_scheduler: Any) -> int:
    """Return how often a scheduler itself repeats what a dead worker was busy with."""
    return int(dask_scheduler.allowed_failures)
