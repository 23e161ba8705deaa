"""TrainingJobs in numbers, and what happens to them; the load stands in for the operator."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from trainyard_schema import names

from ...component.control_plane import Rest
from .environment import JOBS, NAMESPACE

JOBS_COUNT = 10_000
_THREADS = 16
_DATA = {"uri": "s3://trainyard/datasets/churn.csv", "target": "churned"}


def _status(number: int) -> dict[str, Any]:
    """As the operator leaves that of a finished run, and of one in ten that goes on."""
    if number % 10 == 0:
        return {"phase": "Running", "stage": "Training", "attempts": 1, "message": "Training"}
    version = f"20260101T{number // 60 % 24:02}{number % 60:02}00Z-{number:08x}"
    model = {
        "modelType": "xgboost",
        "version": version,
        "uri": f"s3://trainyard/models/bench/xgboost/{version}/",
        "sha256": f"{number:064x}",
        "sizeBytes": 123_456,
        "current": False,
        "durationSeconds": 12.5,
    }
    metrics = [
        {"modelType": "xgboost", "name": name, "value": "0.8471", "split": "holdout"}
        for name in ("roc_auc", "pr_auc", "log_loss", "brier", "f1", "balanced_accuracy")
    ]
    return {
        "phase": "Succeeded",
        "attempts": 1,
        "message": "1 model trained",
        "startTime": "2026-01-01T00:00:00Z",
        "completionTime": "2026-01-01T00:01:00Z",
        "metrics": metrics,
        "models": [model],
        "primaryMetric": "roc_auc=0.8471",
    }


def fill(rest: Rest, count: int = JOBS_COUNT) -> list[str]:
    """Create that many TrainingJobs with a status each; their names."""

    def create(number: int) -> str:
        name = f"bench-{number:05}"
        rest.post(
            JOBS,
            {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": {"model": "bench", "modelType": "xgboost", "data": _DATA},
            },
        )
        rest.patch(f"{JOBS}/{name}/status", {"status": _status(number)})
        return name

    with ThreadPoolExecutor(_THREADS) as threads:
        return list(threads.map(create, range(count)))
