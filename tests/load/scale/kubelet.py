"""What a kubelet would say of a pod that runs for a moment, and how the run is meant to end.

No pod IP is told, so that the operator asks nobody for progress: writes of progress are a matter of
time, not of runs.
"""

from typing import Any

from trainyard_schema import EXIT_CODES, ModelType, Reason, RunResult

from .cases import FAILS, SUCCEEDS

RUN_SECONDS = 1.0
"""How long a trainer runs. One that is to be cancelled runs until it is deleted."""


def words(fate: str) -> tuple[int, str]:
    """Exit code and last words of a trainer with that fate."""
    if fate == FAILS:
        result = RunResult(reason=Reason.INVALID_DATA, message="the target has one value only")
        return EXIT_CODES[Reason.INVALID_DATA], result.to_json()
    version = {
        "modelType": ModelType.XGBOOST,
        "version": "20261124T090000Z-0badcafe",
        "uri": f"s3://trainyard/models/{SUCCEEDS}/xgboost/20261124T090000Z-0badcafe/",
        "sha256": "ab" * 32,
        "sizeBytes": 123_456,
        "current": True,
        "durationSeconds": RUN_SECONDS,
    }
    metrics = [
        {"modelType": ModelType.XGBOOST, "name": name, "value": "0.8471", "split": "holdout"}
        for name in ("roc_auc", "pr_auc", "log_loss", "brier", "f1", "balanced_accuracy")
    ]
    document = {"modelType": ModelType.XGBOOST, "version": version, "metrics": metrics}
    return 0, RunResult.model_validate(document).to_json()


def running(container: dict[str, Any], now: str) -> dict[str, Any]:
    """The status of a pod whose only container has just started."""
    return {
        "phase": "Running",
        "startTime": now,
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now}],
        "containerStatuses": [_container(container, {"running": {"startedAt": now}})],
    }


def ended(container: dict[str, Any], start: str, now: str, fate: str) -> dict[str, Any]:
    """The status of a pod whose only container started then and has just ended."""
    code, message = words(fate)
    state = {"exitCode": code, "message": message, "startedAt": start, "finishedAt": now}
    return {
        "phase": "Failed" if code else "Succeeded",
        "containerStatuses": [_container(container, {"terminated": state})],
    }


def _container(container: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": "running" in state,
        "started": "running" in state,
        "restartCount": 0,
        "state": state,
    }
