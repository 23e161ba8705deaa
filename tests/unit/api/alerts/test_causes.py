"""What leads to an alert, and what it says."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from trainyard_api.alerts.causes import AlertType, cause_of_retrain, cause_of_run
from trainyard_api.database.tables import RetrainLog, RetrainRun
from trainyard_schema import names

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
MODEL = {"apiVersion": names.API_VERSION, "kind": "Model", "name": "churn", "uid": "model-1"}


def job(*owners: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "churn-1",
            "uid": "uid-1",
            "creationTimestamp": "2026-11-23T09:00:00Z",
            "ownerReferences": list(owners),
        },
        "spec": {"mode": "full"},
        "status": {"phase": "Failed", "completionTime": "2026-11-23T10:00:00Z"} | status,
    }


def test_a_failed_run_of_a_model() -> None:
    cause = cause_of_run(job(MODEL, reason="OOMKilled", message="a\0b" + "x" * 5000))
    assert cause is not None
    assert (cause.key, cause.type, cause.occurred_at) == ("run/uid-1", AlertType.RUN_FAILED, NOW)
    assert cause.data["message"].startswith("abx")
    assert len(cause.data.pop("message")) == 2000
    assert cause.data == {
        "model": "churn",
        "run": "churn-1",
        "mode": "full",
        "reason": "OOMKilled",
    }


@pytest.mark.parametrize(
    "document",
    [
        job(),
        job(MODEL, phase="Succeeded"),
        job(MODEL, phase="Cancelled"),
        job(MODEL, phase="Running"),
        job({**MODEL, "apiVersion": "other.dev/v1"}),
        job({**MODEL, "kind": "CronJob"}),
        {"metadata": {"name": "new"}, "spec": {}},
    ],
)
def test_what_leads_to_no_alert(document: dict[str, Any]) -> None:
    assert cause_of_run(document) is None


def test_a_model_of_another_version_of_the_api() -> None:
    assert cause_of_run(job({**MODEL, "apiVersion": "trainyard.dev/v1"})) is not None


def log(model: str) -> RetrainLog:
    return RetrainLog(
        id=uuid.UUID(int=1),
        usuario_id=uuid.UUID(int=2),
        retrain_type=model,
        full_retrain=False,
        completed_at=NOW,
        error_message="why",
    )


def run(model: str, status: str = "failed") -> RetrainRun:
    return RetrainRun(
        model=model, run=f"{model}-1", mode="incremental", status=status, error_message="x" * 999
    )


def test_a_retraining_of_one_model() -> None:
    cause = cause_of_retrain(log("churn"), [run("churn")], {"churn-1": "OOMKilled"})
    assert (cause.key, cause.type) == (f"retrain/{uuid.UUID(int=1)}", AlertType.RETRAINING_FAILED)
    told = {name: cause.data[name] for name in ("model", "run", "mode", "reason", "message")}
    assert told == {
        "model": "churn",
        "run": "churn-1",
        "mode": "incremental",
        "reason": "OOMKilled",
        "message": "why",
    }
    assert cause.data["user_id"] == str(uuid.UUID(int=2))


def test_a_retraining_of_all_tells_which_have_failed() -> None:
    runs = [run("a"), run("b", "completed"), *(run(f"c{number}") for number in range(30))]
    cause = cause_of_retrain(log("all"), runs, {"a-1": "Interrupted"})
    assert (cause.data["model"], cause.data["run"], cause.data["reason"]) == ("all", None, None)
    assert [one["model"] for one in cause.data["runs"][:2]] == ["a", "c0"]
    assert cause.data["runs"][0]["reason"] == "Interrupted"
    # The specification asks for payloads of less than 20 kB.
    assert len(str(cause.data)) < 20_000
