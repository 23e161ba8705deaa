"""The Event of a failed retraining."""

from datetime import UTC, datetime

from trainyard_api.alerts.events import build_event
from trainyard_api.database.tables import Alert

MODEL = {"metadata": {"name": "churn", "namespace": "trainyard", "uid": "model-1"}}
RETRAIN = "8a4f0c9e-6f0e-4f0e-9a55-0d3a4f6f7c11"


def test_the_whole_event() -> None:
    alert = Alert(data={"retrain_id": RETRAIN, "message": "the run failed: OOMKilled: x"})
    run = {
        "model": "churn",
        "run": "churn-1",
        "reason": "OOMKilled",
        "message": "the run failed: OOMKilled",
    }
    now = datetime(2026, 11, 23, 10, 0, 5, 123456, tzinfo=UTC)
    assert build_event(alert, MODEL, run, now) == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "churn.8a4f0c9e6f0e4f0e", "namespace": "trainyard"},
        "involvedObject": {
            "apiVersion": "trainyard.dev/v1alpha1",
            "kind": "Model",
            "namespace": "trainyard",
            "name": "churn",
            "uid": "model-1",
        },
        "type": "Warning",
        "reason": "RetrainFailed",
        "message": f"retraining {RETRAIN}, run churn-1: the run failed: OOMKilled",
        "source": {"component": "trainyard-api"},
        "reportingComponent": "trainyard-api",
        "reportingInstance": "trainyard-api",
        "firstTimestamp": "2026-11-23T10:00:05Z",
        "lastTimestamp": "2026-11-23T10:00:05Z",
        "count": 1,
    }


def test_a_message_that_is_long_or_none() -> None:
    alert = Alert(data={"retrain_id": RETRAIN, "message": None})
    run = {"model": "churn", "run": "churn-1", "reason": None, "message": None}
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert build_event(alert, MODEL, run, now)["message"].endswith("churn-1: no reason is known")
    run["message"] = "x" * 5000
    assert len(build_event(alert, MODEL, run, now)["message"]) == 1024
