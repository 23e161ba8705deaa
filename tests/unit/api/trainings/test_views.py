from typing import Any

import pytest
from trainyard_api.trainings.views import STATUS_OF_PHASE, JobView, Metric, Status, job_status
from trainyard_schema import Metric as StoredMetric
from trainyard_schema import Phase

METADATA = {"name": "train-1", "creationTimestamp": "2026-11-20T10:00:00Z"}


def job(spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    return {
        "metadata": METADATA,
        "spec": {"modelType": "xgboost", **(spec or {})},
        **({"status": status} if status else {}),
    }


@pytest.mark.parametrize(
    ("phase", "word"),
    [
        (None, "started"),
        ("Pending", "started"),
        ("Queued", "started"),
        ("Starting", "started"),
        ("Suspended", "started"),
        ("Running", "running"),
        ("Cancelling", "running"),
        ("Succeeded", "completed"),
        ("Failed", "failed"),
        ("Cancelled", "cancelled"),
    ],
)
def test_the_word_for_each_phase(phase: str | None, word: str) -> None:
    assert job_status(job(None, **({"phase": phase} if phase else {}))) == word


def test_each_phase_has_a_word() -> None:
    assert set(STATUS_OF_PHASE) == set(Phase)
    assert set(STATUS_OF_PHASE.values()) == set(Status)


def test_a_training_that_nobody_has_looked_at_yet() -> None:
    assert JobView.of(job()).model_dump(mode="json") == {
        "job_id": "train-1",
        "status": "started",
        "message": "Waits for the operator",
        "model_type": "xgboost",
        "model": "train-1",
        "phase": None,
        "stage": None,
        "reason": None,
        "queue": None,
        "progress": None,
        "attempts": None,
        "model_types": [],
        "oom_retries": [],
        "metrics": [],
        "models": [],
        "created_at": "2026-11-20T10:00:00Z",
        "start_time": None,
        "completion_time": None,
    }


def test_a_training_that_waits_for_its_turn() -> None:
    message = "position 3 of 17, estimated start 10:32 UTC"
    place = {"position": 3, "length": 17, "estimatedStartTime": "2026-11-20T10:32:00Z"}
    view = JobView.of(job(phase="Queued", reason="WaitingForSlot", message=message, queue=place))
    assert (view.status, view.message) == ("started", message)
    assert view.model_dump(mode="json")["queue"] == {
        "position": 3,
        "length": 17,
        "estimated_start_time": "2026-11-20T10:32:00Z",
    }


def test_a_training_that_has_succeeded() -> None:
    view = JobView.of(
        job(
            {"model": "churn"},
            phase="Succeeded",
            message="1 model trained",
            attempts=1,
            startTime="2026-11-20T10:00:02Z",
            completionTime="2026-11-20T10:00:30Z",
            progress={
                "percent": 100,
                "unit": "rounds",
                "done": 312,
                "total": 312,
                "updatedAt": "2026-11-20T10:00:29Z",
            },
            metrics=[
                {
                    "modelType": "xgboost",
                    "name": "roc_auc",
                    "value": "0.8453",
                    "split": "holdout",
                }
            ],
            models=[
                {
                    "modelType": "xgboost",
                    "version": "20261120T100028Z-0a1b2c3d",
                    "uri": "s3://trainyard/models/churn/xgboost/20261120T100028Z-0a1b2c3d/",
                    "sha256": "ab" * 32,
                    "sizeBytes": 12345,
                    "current": True,
                    "durationSeconds": 20.5,
                }
            ],
            aFieldOfALaterVersion=1,
        )
    )
    assert view.model_dump(mode="json") == {
        "job_id": "train-1",
        "status": "completed",
        "message": "1 model trained",
        "model_type": "xgboost",
        "model": "churn",
        "phase": "Succeeded",
        "stage": None,
        "reason": None,
        "queue": None,
        "progress": {
            "percent": 100,
            "unit": "rounds",
            "done": 312,
            "total": 312,
            "eta_seconds": None,
            "stale": False,
            "updated_at": "2026-11-20T10:00:29Z",
        },
        "attempts": 1,
        "model_types": [],
        "oom_retries": [],
        "metrics": [
            {"model_type": "xgboost", "name": "roc_auc", "value": 0.8453, "split": "holdout"}
        ],
        "models": [
            {
                "model_type": "xgboost",
                "version": "20261120T100028Z-0a1b2c3d",
                "uri": "s3://trainyard/models/churn/xgboost/20261120T100028Z-0a1b2c3d/",
                "sha256": "ab" * 32,
                "size_bytes": 12345,
                "current": True,
                "duration_seconds": 20.5,
            }
        ],
        "created_at": "2026-11-20T10:00:00Z",
        "start_time": "2026-11-20T10:00:02Z",
        "completion_time": "2026-11-20T10:00:30Z",
    }


@pytest.mark.parametrize(
    ("spec", "status", "message"),
    [
        ({"cancel": True}, {}, "Cancellation has been asked for"),
        ({}, {"phase": "Running", "stage": "Uploading"}, "Uploading"),
        ({}, {"phase": "Queued"}, "Queued"),
        ({}, {"phase": "Failed", "message": "no such column"}, "no such column"),
    ],
)
def test_there_is_always_a_message(
    spec: dict[str, Any], status: dict[str, Any], message: str
) -> None:
    assert JobView.of(job(spec, **status)).message == message


def test_a_status_of_another_version_keeps_its_phase() -> None:
    view = JobView.of(job(phase="Failed", reason="AReasonOfALaterVersion"))
    assert (view.status, view.reason) == ("failed", None)
    assert JobView.of(job(phase="APhaseOfALaterVersion")).status == "started"


@pytest.mark.parametrize(
    ("text", "value"), [("0.5", 0.5), ("-1e-3", -0.001), ("nan", None), ("inf", None), ("?", None)]
)
def test_a_metric_is_a_finite_number_or_null(text: str, value: float | None) -> None:
    stored = StoredMetric(model_type="xgboost", name="r2", value=text, split="holdout")
    assert Metric.of(stored).value == value


def test_each_model_type_and_its_memory_are_told() -> None:
    view = JobView.of(
        job(
            {"modelType": "all"},
            phase="Starting",
            modelTypes=[
                {"modelType": "xgboost", "phase": "Succeeded", "attempts": 1, "percent": 100},
                {"modelType": "neural-net", "phase": "Failed", "reason": "OOMKilled"},
            ],
            oomRetries=[
                {
                    "modelTypes": ["neural-net"],
                    "memory": "1536Mi",
                    "attempts": 3,
                    "time": "2026-11-20T10:00:20Z",
                }
            ],
        )
    ).model_dump(mode="json")
    assert view["model_types"][1] == {
        "model_type": "neural-net",
        "phase": "Failed",
        "stage": None,
        "reason": "OOMKilled",
        "message": None,
        "attempts": None,
        "percent": None,
    }
    assert view["oom_retries"] == [
        {"model_types": ["neural-net"], "memory": "1536Mi", "time": "2026-11-20T10:00:20Z"}
    ]
