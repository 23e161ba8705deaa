"""Small TrainingJobs, Jobs and pods as the API server has them, for the tables of the tests."""

from datetime import UTC, datetime
from typing import Any

from trainyard_controller.objects import TrainingJob
from trainyard_controller.settings import Settings
from trainyard_controller.slim import slim_job, slim_pod
from trainyard_schema import ModelType, RunResult, names

UID = "7a3c9b1e-0000-4000-8000-000000000001"
JOB_NAME = names.job_name("churn", UID)
CREATED = "2026-11-23T09:00:00Z"
NOW = datetime(2026, 11, 23, 9, 5, 0, tzinfo=UTC)
RESOURCES = {
    "requests": {"cpu": "500m", "memory": "512Mi"},
    "limits": {"cpu": "1", "memory": "1Gi"},
}

SETTINGS = Settings(
    namespaces=("lab",),
    trainer_image="registry/trainer:1",
    trainer_service_account="trainer",
    s3_secret="s3-keys",
    bucket="trainyard",
    s3_endpoint_url="http://s3:7070",
)


def training_job(
    *, status: dict[str, Any] | None = None, generation: int = 1, **spec: Any
) -> TrainingJob:
    return TrainingJob.from_document(training_job_document(status, generation, **spec))


def training_job_document(
    status: dict[str, Any] | None = None, generation: int = 1, **spec: Any
) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "lab",
            "name": "churn",
            "uid": UID,
            "resourceVersion": "100",
            "generation": generation,
            "creationTimestamp": CREATED,
        },
        "spec": {
            "modelType": "xgboost",
            "data": {"uri": "s3://trainyard/churn.csv", "target": "churned"},
            "resources": RESOURCES,
            **spec,
        },
        **({"status": status} if status is not None else {}),
    }


def job(
    *conditions: dict[str, str], suspend: bool = False, version: int = 200, **status: Any
) -> dict[str, Any]:
    return slim_job(
        {
            "metadata": {
                "name": JOB_NAME,
                "uid": "job-uid",
                "resourceVersion": str(version),
                "creationTimestamp": "2026-11-23T09:00:01Z",
                "labels": {names.UID_LABEL: UID, names.MANAGED_BY_LABEL: names.MANAGED_BY},
            },
            "spec": {"suspend": suspend, "template": {}},
            "status": {"conditions": list(conditions), **status},
        }
    )


def ended(kind: str, *, reason: str = "", message: str = "") -> dict[str, str]:
    return {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-11-23T09:04:00Z",
    }


COMPLETE = ended("Complete", reason="CompletionsReached")
FAILED = ended("Failed", reason="FailedIndexes", message="Job has failed indexes")


def pod(
    index: int = 0,
    *,
    phase: str = "Pending",
    state: dict[str, Any] | None = None,
    conditions: list[dict[str, str]] | None = None,
    uid: str = "",
    deleted: bool = False,
    version: int = 300,
    **status: Any,
) -> dict[str, Any]:
    containers = [{"name": "trainer", "image": "registry/trainer:1", "state": state}]
    return slim_pod(
        {
            "metadata": {
                "name": f"{JOB_NAME}-{index}-{uid or 'abcde'}",
                "uid": uid or f"pod-{index}",
                "resourceVersion": str(version),
                "creationTimestamp": "2026-11-23T09:00:02Z",
                "labels": {names.UID_LABEL: UID, names.MANAGED_BY_LABEL: names.MANAGED_BY},
                "annotations": {names.COMPLETION_INDEX_ANNOTATION: str(index)},
                "ownerReferences": [{"kind": "Job", "name": JOB_NAME, "uid": "job-uid"}],
                **({"deletionTimestamp": "2026-11-23T09:03:00Z"} if deleted else {}),
            },
            "spec": {},
            "status": {
                "phase": phase,
                "podIP": "10.0.0.9",
                "conditions": conditions or [],
                "containerStatuses": containers if state else [],
                **status,
            },
        }
    )


def running(index: int = 0, **more: Any) -> dict[str, Any]:
    return pod(
        index,
        phase="Running",
        state={"running": {"startedAt": "2026-11-23T09:00:05Z"}},
        **more,
    )


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return pod(state={"waiting": {"reason": reason, "message": message}})


def terminated(
    code: int,
    message: str = "",
    *,
    index: int = 0,
    reason: str = "Error",
    at: str = "2026-11-23T09:03:00Z",
    **more: Any,
) -> dict[str, Any]:
    state = {
        "exitCode": code,
        "reason": reason,
        "message": message,
        "startedAt": "2026-11-23T09:00:05Z",
        "finishedAt": at,
    }
    phase = "Failed" if code else "Succeeded"
    return pod(index, state={"terminated": state}, **{"phase": phase, **more})


def version_of(kind: ModelType) -> dict[str, Any]:
    return {
        "modelType": kind.value,
        "version": "20261123T090300Z-0badcafe",
        "uri": f"s3://trainyard/models/churn/{kind}/20261123T090300Z-0badcafe/",
        "sha256": "ab" * 32,
        "sizeBytes": 1234,
        "current": True,
        "durationSeconds": 170.5,
    }


def metric_of(kind: ModelType, value: str, name: str = "roc_auc") -> dict[str, Any]:
    return {"modelType": kind.value, "name": name, "value": value, "split": "holdout"}


def saved(kind: ModelType, value: str, version: str = "20261123T090200Z-0badcafe") -> str:
    """The termination message of a trainer that was stopped and left a partial version."""
    return RunResult.model_validate(
        {
            "modelType": kind,
            "version": version_of(kind) | {"version": version, "partial": True, "current": False},
            "metrics": [metric_of(kind, value)],
            "reason": "Interrupted",
            "message": f"stopped; saved partial version {version}",
        }
    ).to_json()


def verdict_of(kind: ModelType, **fields: Any) -> dict[str, Any]:
    version = version_of(kind)["version"]
    return {"modelType": kind.value, "version": version, "passed": True, "reasons": [], **fields}


def succeeded(
    kind: ModelType,
    value: str,
    *,
    index: int = 0,
    verdict: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    result = RunResult.model_validate(
        {
            "modelType": kind,
            "version": version_of(kind),
            "metrics": [metric_of(kind, value)],
            "verdict": verdict,
        }
    )
    return terminated(0, result.to_json(), index=index, reason="Completed", **more)
