"""`/progress` and `/metrics` on the pod's port, from a thread of their own."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from trainyard_schema import Stage
from trainyard_schema.names import METRICS_PATH, PROGRESS_PATH

from trainyard_trainer.progress import ProgressTracker

_log = structlog.get_logger()


class _ProgressCollector(Collector):
    def __init__(self, tracker: ProgressTracker) -> None:
        self._tracker = tracker
        self._since = time.monotonic()

    def collect(self) -> Iterator[Metric]:
        document = self._tracker.document()

        def gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
            return GaugeMetricFamily(f"trainyard_trainer_{name}", text, value=value)

        yield gauge("stage_progress_ratio", "Share of the stage that is done.", document.share)
        yield gauge("uptime_seconds", "Since the trainer started.", time.monotonic() - self._since)
        yield gauge("units_planned", "Rounds, trees or epochs at most.", document.total)
        if document.done is not None:
            yield gauge("units_done", "Rounds, trees or epochs done.", document.done)
        if document.rate is not None:
            yield gauge("units_per_second", "Rounds, trees or epochs, smoothed.", document.rate)
        stages = GaugeMetricFamily(
            "trainyard_trainer_stage", "1 for the stage that the run is in.", labels=["stage"]
        )
        for stage in Stage:
            stages.add_metric([stage.value], float(stage == document.stage))
        yield stages
        seconds = GaugeMetricFamily(
            "trainyard_trainer_stage_duration_seconds",
            "How long each stage took; the present one, so far.",
            labels=["stage"],
        )
        for stage, value in document.stage_seconds.items():
            seconds.add_metric([stage.value], value)
        yield seconds


def serve(tracker: ProgressTracker, port: int) -> ThreadingHTTPServer | None:
    """Start to answer. None if the port is taken: a run is worth more than a view of it."""
    registry = CollectorRegistry()
    registry.register(_ProgressCollector(tracker))
    ProcessCollector(registry=registry)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == PROGRESS_PATH:
                self._answer(200, "application/json", tracker.document().to_json().encode())
            elif path == METRICS_PATH:
                self._answer(200, "text/plain; version=0.0.4", generate_latest(registry))
            else:
                self._answer(404, "text/plain", b"not found\n")

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Polls every few seconds are no news."""

    try:
        server = ThreadingHTTPServer(("", port), Handler)
    except OSError as error:
        _log.warning("progress is not served", port=port, error=str(error))
        return None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
    return server
