"""What the operator counts about itself. No job names or uids as labels."""

from prometheus_client import Counter, Gauge, Histogram

API_WRITES = Counter(
    "trainyard_api_writes_total",
    "Requests to the API server that change something.",
    ["verb", "resource"],
)
RECONCILE_SECONDS = Histogram(
    "trainyard_reconcile_duration_seconds",
    "Duration of reconciliations by result.",
    ["result"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
QUEUE_DEPTH = Gauge("trainyard_queue_depth", "Keys that wait for a worker.")
QUEUE_OLDEST_SECONDS = Gauge(
    "trainyard_queue_oldest_key_age_seconds", "Age of the key that has waited longest for success."
)
WATCH_AGE_SECONDS = Gauge(
    "trainyard_watch_event_age_seconds", "Time since the last event of each watch.", ["kind"]
)
WATCH_MISSES = Counter(
    "trainyard_watch_missed_changes_total",
    "Changes that a resync found before the watch did.",
    ["kind"],
)
ETA_ERROR = Histogram(
    "trainyard_eta_error_ratio",
    "Error of the end predicted at a share of a run's time, in durations of the run.",
    ["share"],
    buckets=(0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2),
)
