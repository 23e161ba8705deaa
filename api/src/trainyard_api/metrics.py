"""Prometheus metrics: what was asked for, by route template, and how long it took."""

from typing import Final

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
)

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The metrics of one app. Labels are route templates, never ids."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
            self.registry.register(collector)
        self._requests = Counter(
            "trainyard_api_requests_total",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._duration = Histogram(
            "trainyard_api_request_duration_seconds",
            "From the request's head to the end of the answer.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.alerts = Gauge(
            "trainyard_api_alerts",
            "Alerts that wait (pending) or were given up (dead). All replicas tell the same.",
            ("state",),
            registry=self.registry,
        )
        self.alert_failures = Counter(
            "trainyard_api_alert_delivery_failures_total",
            "Deliveries of alerts that the webhook's receiver did not take.",
            registry=self.registry,
        )
        self.retrains = Gauge(
            "trainyard_api_retrains",
            "Retrainings asked for so far, by status. All replicas tell the same.",
            ("status",),
            registry=self.registry,
        )

    def observe(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, status).inc()
        self._duration.labels(method, route).observe(seconds)
