"""What becomes of a row, by what is there."""

from datetime import UTC, datetime
from typing import Any

import pytest
from trainyard_api.database.tables import RetrainRun, RetrainStatus
from trainyard_api.retraining.following import Become, Keep, Patience, Step, Withdraw, follow
from trainyard_schema import names

VALUE = "retrain-1"
UID = "uid-1"
RUN = names.requested_run_name("churn", UID, VALUE)
PATIENCE = Patience(lost_seconds=60, start_seconds=3600)
STARTED, ENDED = datetime(2026, 11, 23, 10, tzinfo=UTC), datetime(2026, 11, 23, 10, 1, tzinfo=UTC)
DELETED = "its TrainingJob was deleted before it ended"


def model(*, asked: str | None = VALUE, uid: str = UID, **status: Any) -> dict[str, Any]:
    annotations = {} if asked is None else {names.RETRAIN_ANNOTATION: asked}
    metadata = {"name": "churn", "uid": uid, "annotations": annotations}
    return {"metadata": metadata, "spec": {}, "status": status}


def job(phase: str | None, **status: Any) -> dict[str, Any]:
    ended = {"completionTime": "2026-11-23T10:01:00Z"}
    return {
        "metadata": {"name": RUN, "creationTimestamp": "2026-11-23T10:00:00Z"},
        "status": {"phase": phase, **ended, **status} if phase else {},
    }


def remembered(phase: str, **more: Any) -> dict[str, Any]:
    times = {"startTime": "2026-11-23T10:00:00Z", "completionTime": "2026-11-23T10:01:00Z"}
    return {"name": RUN, "phase": phase, **times, **more}


def step(
    status: RetrainStatus = RetrainStatus.PROCESSING,
    *,
    age: float = 1,
    started: datetime | None = None,
    model: dict[str, Any] | None,
    job: dict[str, Any] | None = None,
) -> Step:
    run = RetrainRun(model="churn", run=RUN, mode="full", status=status.value, started_at=started)
    return follow(run, VALUE, age_seconds=age, model=model, job=job, patience=PATIENCE)


def lost(error: str) -> Become:
    return Become(status=RetrainStatus.FAILED, error=error, doubtful=True)


def failed(error: str) -> Become:
    return Become(status=RetrainStatus.FAILED, error=error, started_at=STARTED, completed_at=ENDED)


COMPLETED = Become(status=RetrainStatus.COMPLETED, started_at=STARTED, completed_at=ENDED)


@pytest.mark.parametrize(
    ("phase", "status", "expected"),
    [
        (None, {}, Become(status=RetrainStatus.PROCESSING, started_at=STARTED)),
        ("Running", {}, Become(status=RetrainStatus.PROCESSING, started_at=STARTED)),
        ("Cancelling", {}, Become(status=RetrainStatus.PROCESSING, started_at=STARTED)),
        ("Succeeded", {"message": "uploaded"}, COMPLETED),
        ("Failed", {"reason": "OOMKilled", "message": "of 1Gi"},
         failed("the run failed: OOMKilled: of 1Gi")),
        ("Failed", {}, failed("the run failed")),
        ("Cancelled", {}, failed("the run was cancelled")),
    ],
)  # fmt: skip
def test_a_run_that_is_there_decides(
    phase: str | None, status: dict[str, Any], expected: Step
) -> None:
    # Whatever the Model says, and whatever time has passed.
    for found in (model(), model(asked="another"), None):
        assert step(model=found, job=job(phase, **status), age=10**6) == expected


def test_what_is_known_is_not_said_again() -> None:
    assert step(model=model(), job=job("Running"), started=STARTED) == Keep()
    assert step(model=model()) == Keep()


@pytest.mark.parametrize(
    ("found", "error"),
    [
        (None, "the Model was deleted before its run ended"),
        (model(uid="uid-2"), "the Model was deleted before its run ended"),
        (model(lastHandledRetrain=VALUE), DELETED),
        (model(lastHandledRetrain=VALUE, lastRun=remembered("Running")), DELETED),
        (model(lastHandledRetrain=VALUE, lastRun={**remembered("Failed"), "name": "other"}),
         DELETED),
        (model(asked=None), "the request was replaced or taken back before it was answered"),
        (model(asked="other"), "the request was replaced or taken back before it was answered"),
    ],
)  # fmt: skip
def test_what_is_missing_is_doubted(found: dict[str, Any] | None, error: str) -> None:
    assert step(model=found) == lost(error)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"lastRun": remembered("Succeeded")}, COMPLETED),
        ({"lastSuccessfulRun": remembered("Succeeded"), "lastRun": remembered("Failed")},
         COMPLETED),
        ({"lastRun": remembered("Failed", reason="InvalidData", message="why")},
         failed("the run failed: InvalidData: why")),
        ({"lastRun": remembered("Cancelled", message="deleted before it ended")},
         failed("the run was cancelled: deleted before it ended")),
    ],
)  # fmt: skip
def test_a_run_that_is_gone_is_remembered_by_its_model(
    status: dict[str, Any], expected: Step
) -> None:
    assert step(model=model(lastHandledRetrain=VALUE, **status)) == expected


def test_a_model_that_was_asked_by_a_replica_that_died() -> None:
    found = step(RetrainStatus.INITIATED, model=model(), age=100)
    assert found == Become(status=RetrainStatus.PROCESSING)


def test_a_model_that_was_not_asked_in_time() -> None:
    assert step(RetrainStatus.INITIATED, model=model(asked=None), age=59) == Keep()
    interrupted = lost("the API was interrupted before it had asked the Model")
    assert step(RetrainStatus.INITIATED, model=model(asked=None), age=61) == interrupted


def test_a_model_that_never_answers_is_asked_no_longer() -> None:
    assert step(model=model(), age=3599) == Keep()
    assert step(model=model(), age=3601) == Withdraw()
    assert step(model=model(asked=None), age=3601) == lost("no run was started within 3600 s")
