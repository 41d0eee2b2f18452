"""What Prometheus reads: requests as they were answered, and the rest as it is when it asks. Nothing of a person."""

from __future__ import annotations

import time
from collections.abc import Iterator

from flask import Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.services import health
from app.web import event_streams

METRICS = "metrics"  # in `app.extensions`
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Requests:
    """The requests of one application, by the name of their page: an address could name a person's recording."""

    def __init__(self, app: Flask) -> None:
        self.registry = CollectorRegistry()
        self._count = Counter(
            "kinelab_requests", "Requests answered.", ("page", "method", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "kinelab_request_seconds",
            "Seconds in which requests were answered, without what the connection takes.",
            ("page",),
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self.registry.register(State())
        ProcessCollector(registry=self.registry)
        app.before_request(self._begin)
        app.after_request(self._end)

    def _begin(self) -> None:
        g.began_s = time.perf_counter()

    def _end(self, response: Response) -> Response:
        page = request.endpoint or "none"
        method = request.method if request.method in METHODS else "other"
        began_s = g.get("began_s")
        self.count(page, method, response.status_code, None if began_s is None else time.perf_counter() - began_s)
        return response

    def count(self, page: str, method: str, status: int, seconds: float | None) -> None:
        """Count an answer."""
        self._count.labels(page, method, str(status)).inc()
        if seconds is not None:
            self._seconds.labels(page).observe(seconds)


class State(Collector):
    """How things stand when they are asked for."""

    def describe(self) -> Iterator[Metric]:
        """Say nothing of it before: that would ask the database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        wrong = health.problems()
        ready = GaugeMetricFamily("kinelab_ready", "Whether it works: 1 or 0.", labels=["what"])
        for name in health.CHECKS:
            ready.add_metric([name], float(name not in wrong))
        yield ready
        if "database" not in wrong:
            yield _by("kinelab_messages", "Messages of alarms and events.", "state", health.messages())
            yield _by("kinelab_trainings", "Trainings.", "state", health.trainings())
            yield _one("kinelab_oldest_message_seconds", "Age of the oldest unsent message.", health.oldest_message_s())
        waits_s = health.live_waits_s()
        yield _one("kinelab_live_sessions", "Live sessions that run.", len(waits_s))
        yield _one("kinelab_live_wait_seconds", "The longest wait to be recognised.", max(waits_s, default=0.0))
        if (beat_s := health.engine_beat_s()) is not None:
            yield _one("kinelab_engine_beat_seconds", "Since the live engine was done with what there was.", beat_s)
        streams = len(current_app.extensions[event_streams.STREAMS])
        yield _one("kinelab_open_streams", "Live pages that are open.", streams)
        yield _by("kinelab_disk_free_bytes", "Free where a folder is.", "folder", health.free_bytes())
        yield _one("kinelab_disk_reserve_bytes", "What is to stay free.", current_app.config["DISK_RESERVE"])
        yield _one("kinelab_database_bytes", "Size of the database.", health.database_bytes())
        yield _one("kinelab_last_backup_timestamp_seconds", "When the newest backup was written.", health.last_backup())


def _one(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(name, says, value=value)


def _by(name: str, says: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, says, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def init_app(app: Flask) -> None:
    """Count an application's requests."""
    app.extensions[METRICS] = Requests(app)


def count(page: str, method: str, status: int, seconds: float) -> None:
    """Count an answer that Flask has not given."""
    requests: Requests = current_app.extensions[METRICS]
    requests.count(page, method, status, seconds)


def text() -> bytes:
    """Return the present application's metrics, in Prometheus' text format."""
    requests: Requests = current_app.extensions[METRICS]
    return generate_latest(requests.registry)
