"""What a kubelet tells of a trainer's pod, and its last words, where no container runs."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trainyard_schema import ModelType, Reason, RunResult, names

Document = dict[str, Any]
VERSION = "20261123T090000Z-0badcafe"


@dataclass(frozen=True)
class End:
    """How a trainer ends."""

    code: int
    message: str
    reason: str = ""
    """What the container runtime says of it, if not that it ended well or with an error."""


def uploaded(kind: ModelType = ModelType.XGBOOST, value: str = "0.84") -> End:
    """The end of a trainer that has filed a version."""
    version = {
        "modelType": kind,
        "version": VERSION,
        "uri": f"s3://trainyard/models/x/{kind}/{VERSION}/",
        "sha256": "ab" * 32,
        "sizeBytes": 1,
        "current": True,
        "durationSeconds": 1.5,
    }
    metric = {"modelType": kind, "name": "roc_auc", "value": value, "split": "holdout"}
    document = {"modelType": kind, "version": version, "metrics": [metric]}
    return End(0, RunResult.model_validate(document).to_json())


BAD_DATA = End(66, RunResult(reason=Reason.DATA_NOT_FOUND, message="no such key").to_json())
CRASHED = End(1, "Segmentation fault")
OUT_OF_MEMORY = End(137, "", "OOMKilled")
INTERRUPTED = End(143, RunResult(reason=Reason.INTERRUPTED, message="stopped").to_json())


def now() -> str:
    """The time as the API has it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def started() -> Document:
    """The status of a pod whose trainer has just started."""
    return pod_status("Running", {"running": {"startedAt": now()}})


def ended(pod: Document, end: End) -> Document:
    """The status of the pod when its trainer has just ended."""
    [before] = pod["status"].get("containerStatuses") or [{}]
    start = before.get("state", {}).get("running", {}).get("startedAt", now())
    state = {
        "exitCode": end.code,
        "reason": end.reason or ("Error" if end.code else "Completed"),
        "message": end.message,
        "startedAt": start,
        "finishedAt": now(),
    }
    return pod_status("Failed" if end.code else "Succeeded", {"terminated": state})


def waiting(reason: str, message: str) -> Document:
    """The status of a pod whose container cannot be started."""
    return pod_status("Pending", {"waiting": {"reason": reason, "message": message}})


def unschedulable(message: str) -> Document:
    """The status of a pod that no node takes."""
    return _condition("PodScheduled", "False", "Unschedulable", message)


def disrupted() -> Document:
    """The status of a pod that Kubernetes is about to take away."""
    return _condition("DisruptionTarget", "True", "EvictionByEvictionAPI", "evicted")


def _condition(kind: str, status: str, reason: str, message: str) -> Document:
    condition = {"type": kind, "status": status, "reason": reason, "message": message}
    return {"conditions": [{**condition, "lastTransitionTime": now()}]}


def pod_status(phase: str, state: dict[str, Any]) -> Document:
    """The status of a pod whose container is in this state."""
    container = {
        "name": names.TRAINER_CONTAINER,
        "image": "trainer:test",
        "imageID": "",
        "ready": "running" in state,
        "restartCount": 0,
        "state": state,
    }
    return {"phase": phase, "containerStatuses": [container]}
