"""What the service tells about itself: Prometheus metrics and one line of JSON per request."""

import json
import logging
import time
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily

LOG = logging.getLogger("course_lib.serving")
SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class JsonLines(logging.Formatter):
    """Log records as JSON, one object to a line."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "about", {}),
        }
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=True, default=str)


class Monitor:
    """The metrics of one app, in a registry of its own.

    Args:
        service: whose gauges are read when somebody asks.
    """

    def __init__(self, service: Any):
        self.service, self.registry = service, CollectorRegistry()
        self.requests = Counter("requests", "Answered requests.", ["route", "status"], registry=self.registry)
        self.latency = Histogram(
            "request_seconds", "Time to the answer.", ["route"], registry=self.registry, buckets=SECONDS
        )
        self.queue = Histogram(
            "queue_seconds", "Time in the queue.", ["model"], registry=self.registry, buckets=SECONDS
        )
        self.batches = Histogram(
            "batch_size", "Items computed together.", ["model"], registry=self.registry, buckets=(1, 2, 4, 8, 16, 32)
        )
        self.compute = Histogram(
            "compute_seconds", "Time of a batch.", ["model"], registry=self.registry, buckets=SECONDS
        )
        self.stream_final = Histogram(
            "stream_final_seconds", "From stop to the final text.", registry=self.registry, buckets=SECONDS
        )
        self.registry.register(self)

    def collect(self):
        """Gauges: how things stand now. Prometheus' own name for it."""
        service = self.service
        gauges = {
            "requests_in_flight": ("Requests without an answer yet.", service.num_requests),
            "streams": ("Open streams.", service.num_streams),
            "bytes_in_flight": ("Bytes of bodies held in memory.", service.bytes_in_flight),
            "draining": ("1 while shutting down.", int(service.draining)),
        }
        for name, (about, value) in gauges.items():
            yield GaugeMetricFamily(name, about, value=value)
        depth = GaugeMetricFamily("queue_length", "Items that wait.", labels=["model"])
        for name, batcher in service.batchers.items():
            depth.add_metric([name], len(batcher.queue))
        yield depth
        scores = GaugeMetricFamily("drift_score", "Of the last window.", labels=["model", "version", "statistic"])
        alarms = GaugeMetricFamily("drift_alarm", "1 where the inputs have changed.", labels=["model", "version"])
        for told in service.drift():
            where = [told["model"], told["version"]]
            alarms.add_metric(where, float(bool(told["alarm"])))
            for statistic, score in told["scores"].items():
                scores.add_metric([*where, statistic], float("nan") if score is None else score)
        yield from (scores, alarms)

    def on_batch(self, model: str) -> Callable[[int, float], None]:
        """What a batcher calls after each batch."""
        sizes, seconds = self.batches.labels(model), self.compute.labels(model)

        def note(size: int, took: float) -> None:
            sizes.observe(size)
            seconds.observe(took)

        return note

    def on_request(self, *, route: str, status: int, seconds: float, about: dict[str, Any]) -> None:
        """Count an answered request, and write its line."""
        self.requests.labels(route, str(status)).inc()
        self.latency.labels(route).observe(seconds)
        if LOG.isEnabledFor(logging.INFO):
            LOG.info("request", extra={"about": {**about, "status": status, "milliseconds": round(1000 * seconds, 2)}})

    def text(self) -> bytes:
        """All metrics, as Prometheus reads them."""
        return generate_latest(self.registry)
