#!/usr/bin/env bash
# Dask distributed: a LocalCluster of one worker, whose process ends twice, the second time shortly before 15 s have passed.
#
# Expected: the nanny starts the worker again after each death, as it does after any single one.
# Seen: 15 s (distributed.deploy.lost-worker-timeout) after the first death the cluster looks whether a worker of that
# name is there. If it is being restarted at that moment, its nanny is closed for good: no worker is left, nothing is
# said, and whatever was submitted waits for ever. Setting that time to years avoids it.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check distributed==2026.8.0 dask==2026.8.0
cat > "$folder/deaths.py" <<'PY'
import os
import signal
import sys
import time
from contextlib import suppress
from importlib.metadata import version

import dask
from distributed import Client, LocalCluster


def worker_pid(client: Client, before: int = 0) -> int:
    """Wait for a worker, for another one than there was before; return its process."""
    while True:
        with suppress(OSError):  # the one before, of whose death the scheduler has not heard
            for pid in client.run(os.getpid).values():
                if pid != before:
                    return pid
        time.sleep(0.1)


def lives_after_two_deaths(patience: str) -> bool:
    """End the worker, and again just before the cluster looks for it, 15 s later; tell whether one comes back."""
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": patience}),
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        os.kill(before := worker_pid(client), signal.SIGKILL)
        first = time.monotonic()
        second = worker_pid(client, before)
        time.sleep(max(first + 14.95 - time.monotonic(), 0.0))
        os.kill(second, signal.SIGKILL)
        time.sleep(20)
        return bool(client.nthreads())


if __name__ == "__main__":
    usual, patient = lives_after_two_deaths("15s"), lives_after_two_deaths("1000 days")
    print("distributed", version("distributed"))
    print("a worker is there 20 s after the second death:", usual, "with the usual time,", patient, "with years")
    sys.exit(usual or not patient)
PY
"$folder/env/bin/python" "$folder/deaths.py"
