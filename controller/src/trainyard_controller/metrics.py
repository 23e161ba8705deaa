"""What the operator counts about itself. No job names or uids as labels."""

from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram
from trainyard_schema import Phase

from trainyard_controller.objects import TrainingJob

API_WRITES = Counter(
    "trainyard_api_writes_total",
    "Requests to the API server that change something.",
    ["verb", "resource"],
)
API_ERRORS = Counter(
    "trainyard_api_errors_total",
    "Requests to the API server that failed, by HTTP status; no_answer where there was none.",
    ["verb", "resource", "code"],
)
LEADER = Gauge(
    "trainyard_leader", "1 where this process reconciles, 0 where it is a standby or starts."
)
QUEUE_DEPTH = Gauge("trainyard_queue_depth", "Keys that wait for a worker.", ["kind"])
QUEUE_OLDEST_SECONDS = Gauge(
    "trainyard_queue_oldest_key_age_seconds",
    "Time for which the oldest key has waited for a worker, or been held by one.",
    ["kind"],
)
RECONCILE_SECONDS = Histogram(
    "trainyard_reconcile_duration_seconds",
    "Duration of reconciliations by result.",
    ["kind", "result"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
TRAINING_JOBS = Gauge(
    "trainyard_training_jobs",
    "TrainingJobs there are by phase and reason, as the leader knows them.",
    ["phase", "reason"],
)
TRAINING_JOBS_FINISHED = Counter(
    "trainyard_training_jobs_finished_total",
    "TrainingJobs that came to their end.",
    ["phase", "reason"],
)
WATCH_EVENT_AGE_SECONDS = Gauge(
    "trainyard_watch_event_age_seconds",
    "Time since the last event of each watch; grows while the cluster is quiet.",
    ["kind"],
)
WATCH_REQUEST_AGE_SECONDS = Gauge(
    "trainyard_watch_request_age_seconds",
    "Time since each watch last asked the API server; stays small while the watch lives.",
    ["kind"],
)
WATCH_MISSES = Counter(
    "trainyard_watch_missed_changes_total",
    "Changes that a resync found before the watch did.",
    ["kind"],
)


def count_training_jobs(training_jobs: Iterable[TrainingJob]) -> None:
    """Bring the gauge of TrainingJobs up to date. Each phase has a value, also where it is 0."""
    tally: Tally[tuple[str, str]] = Tally(
        (one.status.phase or Phase.PENDING, one.status.reason or "") for one in training_jobs
    )
    TRAINING_JOBS.clear()
    for phase in Phase:
        TRAINING_JOBS.labels(phase, "")
    for labels, number in tally.items():
        TRAINING_JOBS.labels(*labels).set(number)
