"""What an ingest process counts, for Prometheus: on loopback, where ``[ingest] metrics_port`` is set.

Each process has a port of its own: the one configured or the next that is free.
"""

import errno
from collections.abc import Callable
from http.server import HTTPServer

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from cloud_hub.errors import ConfigError
from cloud_hub.ingest.group import Outcome

log = structlog.get_logger()

LOOPBACK = "127.0.0.1"
PORTS = 64  # tried one after the other
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Written by the thread that stores; read by whoever asks."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        of = self.registry
        self._batches = Counter("andon_ingest_batches", "Batches settled.", ["came"], registry=of)
        self._samples = Counter("andon_ingest_samples", "Samples stored.", registry=of)
        self._captures = Counter("andon_ingest_captures", "Raw windows stored.", registry=of)
        self._rejected = Counter(
            "andon_ingest_rejected",
            "Messages, series and rows that were not stored.",
            ["reason"],
            registry=of,
        )
        self._seconds = Histogram(
            "andon_ingest_transaction_seconds", "From a group's first statement to its commit.",
            buckets=SECONDS, registry=of,
        )  # fmt: skip
        self._held = Gauge("andon_ingest_held_bytes", "Payloads received and not acknowledged.", registry=of)
        self._let_go = Gauge("andon_ingest_let_go", "Messages left to be sent again.", registry=of)

    def note(self, outcome: Outcome, *, batches: int, seconds: float) -> None:
        """One transaction that was committed."""
        self._batches.labels("again").inc(outcome.again)
        self._batches.labels("new").inc(batches - outcome.again)
        self._samples.inc(outcome.samples)
        self._captures.inc(outcome.captures)
        for (_, reason), count in outcome.rejected.items():
            self._rejected.labels(reason).inc(count)
        self._seconds.observe(seconds)

    def watch(self, held_bytes: Callable[[], int], let_go: Callable[[], int]) -> None:
        """Ask for the bytes that are held, and how many messages were let go, whenever someone looks."""
        self._held.set_function(held_bytes)
        self._let_go.set_function(let_go)

    def serve(self, port: int) -> HTTPServer:
        """Answer on loopback, from ``port`` on; ``ConfigError`` where none is free."""
        for candidate in range(port, port + PORTS if port else 1):
            try:
                server, _ = start_http_server(candidate, addr=LOOPBACK, registry=self.registry)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                log.info("metrics", url=f"http://{LOOPBACK}:{server.server_port}/metrics")
                return server
        raise ConfigError(f"expected a free port from ingest.metrics_port {port} on, got none of {PORTS}")
