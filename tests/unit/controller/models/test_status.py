from datetime import timedelta
from typing import Any

import pytest
from trainyard_controller.models.announce import announcements
from trainyard_controller.models.history import beyond_limits
from trainyard_controller.models.objects import RetrainRequest
from trainyard_controller.models.plan import Plan, Start
from trainyard_controller.models.status import Problem, model_status
from trainyard_schema import HistoryLimits, ModelStatus, ModelType

from ..samples import metric_of, version_of
from .samples import V3, at, champion, model, run

NOW = at("23T05:00")
VERSION = version_of(ModelType.XGBOOST)
SUCCEEDED = run(
    "churn-1",
    "2026-11-22T03:00:00Z",
    "Succeeded",
    status={
        "completionTime": "2026-11-22T03:10:00Z",
        "primaryMetric": "roc_auc=0.84",
        "models": [VERSION],
        "metrics": [metric_of(ModelType.XGBOOST, "0.84")],
        "message": "xgboost uploaded",
    },
)
FAILED = run(
    "churn-2",
    "2026-11-23T03:00:00Z",
    "Failed",
    status={
        "completionTime": "2026-11-23T03:05:00Z",
        "reason": "OOMKilled",
        "message": "more than 1Gi",
    },
)
NEW = run("churn-3", "2026-11-23T04:00:00Z", None)


def test_a_model_without_runs_is_ready() -> None:
    status = model_status(model(), [], Plan(), NOW)
    assert status.to_dict() == {
        "observedGeneration": 1,
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "OnRequest",
                "message": "",
                "lastTransitionTime": "2026-11-23T05:00:00Z",
                "observedGeneration": 1,
            },
            {
                "type": "Gated",
                "status": "False",
                "reason": "NoGate",
                "message": "every version that is trained is promoted, if only it can be loaded: "
                "set spec.promotion.gate",
                "lastTransitionTime": "2026-11-23T05:00:00Z",
                "observedGeneration": 1,
            },
            {
                "type": "Published",
                "status": "False",
                "reason": "NoChampion",
                "message": "no version has been promoted yet",
                "lastTransitionTime": "2026-11-23T05:00:00Z",
                "observedGeneration": 1,
            },
        ],
        "active": [],
        "candidates": [],
        "history": [],
        "judged": [],
    }


@pytest.mark.parametrize(
    ("promotion", "shown"),
    [
        ({}, ("False", "NoGate")),
        ({"gate": {}}, ("True", "Gate")),
        ({"approval": "manual"}, ("True", "ManualApproval")),
    ],
)
def test_a_model_says_whether_it_has_a_gate(
    promotion: dict[str, Any], shown: tuple[str, str]
) -> None:
    status = model_status(model(promotion=promotion), [], Plan(), NOW)
    [gated] = [one for one in status.conditions if one.type == "Gated"]
    assert (gated.status, gated.reason) == shown


@pytest.mark.parametrize(
    ("published", "problem", "shown"),
    [
        (2, None, ("False", "Pending")),
        (3, None, ("True", "Published")),
        (2, Problem(reason="VersionMissing", message="gone"), ("False", "VersionMissing")),
    ],
)
def test_a_model_says_whether_its_champion_is_published(
    published: int, problem: Problem | None, shown: tuple[str, str]
) -> None:
    one = model(status={"champion": champion(V3, 3).to_dict(), "published": published})
    status = model_status(one, [], Plan(), NOW, unpublished=problem)
    [condition] = [one for one in status.conditions if one.type == "Published"]
    assert (condition.status, condition.reason) == shown
    expected = [] if problem is None else [("Warning", "VersionMissing", "gone")]
    assert told(ModelStatus(), status) == expected


def test_last_and_last_successful_run() -> None:
    status = model_status(model(), [FAILED, NEW, SUCCEEDED], Plan(), NOW).to_dict()
    assert status["active"] == ["churn-3"]
    assert status["lastRun"] == {
        "name": "churn-3",
        "phase": "Pending",
        "startTime": "2026-11-23T04:00:00Z",
    }
    assert status["lastSuccessfulRun"] == {
        "name": "churn-1",
        "startTime": "2026-11-22T03:00:00Z",
        "completionTime": "2026-11-22T03:10:00Z",
        "primaryMetric": "roc_auc=0.84",
        "models": [VERSION],
    }


def test_what_is_recorded_outlives_its_training_jobs() -> None:
    before = model_status(model(), [SUCCEEDED, FAILED], Plan(), NOW)
    one = model(status=before.to_dict())
    assert model_status(one, [], Plan(), NOW + timedelta(hours=1)) == before
    assert model_status(one, [SUCCEEDED], Plan(), NOW) == before


def test_a_training_job_that_vanishes_has_ended() -> None:
    before = model_status(model(), [NEW], Plan(), NOW)
    status = model_status(model(status=before.to_dict()), [], Plan(), NOW)
    assert status.active == []
    assert status.last_run is not None
    assert status.last_run.phase == "Cancelled"
    assert status.last_run.message == "the TrainingJob was deleted before it ended"


def test_of_two_created_within_a_second_the_one_that_goes_on_is_the_last() -> None:
    replaced = run(
        "churn-9",
        "2026-11-23T04:00:00Z",
        "Cancelled",
        status={"completionTime": "2026-11-23T04:00:00Z"},
    )
    for runs in ([NEW, replaced], [replaced, NEW]):
        status = model_status(model(), runs, Plan(), NOW)
        assert status.last_run is not None
        assert status.last_run.name == "churn-3"


def test_of_two_that_ended_within_a_second_the_one_that_ended_last_is_the_last() -> None:
    moment = "2026-11-23T04:00:00Z"
    end = {"completionTime": moment}
    first = run("churn-9", moment, "Succeeded", version=201, status=end)
    second = run("churn-2", moment, "Succeeded", version=1000, status=end)
    for runs in ([first, second], [second, first]):
        status = model_status(model(), runs, Plan(), NOW)
        assert status.last_run is not None
        assert status.last_successful_run is not None
        assert (status.last_run.name, status.last_successful_run.name) == ("churn-2", "churn-2")
        limits = HistoryLimits(succeeded=1)
        assert [one.name for one in beyond_limits(runs, limits)] == ["churn-9"]


def test_the_last_run_stays_the_last_when_it_is_deleted() -> None:
    moment = "2026-11-23T04:00:00Z"
    end = {"completionTime": moment}
    first = run("churn-9", moment, "Succeeded", version=201, status=end)
    second = run("churn-2", moment, "Failed", version=1000, status=end)
    before = model_status(model(), [first, second], Plan(), NOW)
    status = model_status(model(status=before.to_dict()), [first], Plan(), NOW)
    assert status.last_run == before.last_run
    assert status.last_run is not None
    assert status.last_run.name == "churn-2"


def test_conditions_turn_and_keep_the_time_of_their_turn() -> None:
    problem = Problem(reason="InvalidSpec", message="spec.schedule: Bad hour")
    first = model_status(model(schedule="x", suspend=True), [], Plan(), NOW, problem=problem)
    assert [(one.type, one.status, one.reason) for one in first.conditions[:2]] == [
        ("Ready", "False", "InvalidSpec"),
        ("Suspended", "True", "Suspended"),
    ]
    later = NOW + timedelta(hours=1)
    one = model(schedule="0 3 * * *", generation=2, status=first.to_dict())
    second = model_status(one, [], Plan(), later)
    assert [(one.type, one.status, one.reason) for one in second.conditions[:2]] == [
        ("Ready", "True", "Scheduled"),
        ("Suspended", "False", "Resumed"),
    ]
    again = model_status(
        model(schedule="0 3 * * *", generation=2, status=second.to_dict()),
        [],
        Plan(),
        later + timedelta(hours=1),
    )
    assert again == second


def test_history_beyond_its_limits_is_the_oldest() -> None:
    runs = [
        run(f"{phase}-{day}", f"2026-11-{day}T03:00:00Z", phase)
        for phase in ("Succeeded", "Failed", "Cancelled", "Running")
        for day in (10, 12, 11)
    ]

    def beyond(**limits: int) -> set[str]:
        return {one.name for one in beyond_limits(runs, HistoryLimits(**limits))}

    assert beyond() == {"Cancelled-10"}
    assert beyond(succeeded=2, failed=4) == {"Succeeded-10", "Cancelled-10", "Failed-10"}
    assert len(beyond(succeeded=0, failed=0)) == 9


def told(
    before: ModelStatus, after: ModelStatus, plan: Plan | None = None
) -> list[tuple[str, str, str]]:
    return [
        (one.type, one.reason, one.message) for one in announcements(before, after, plan or Plan())
    ]


def test_a_start_tells_what_it_answers() -> None:
    start = Start(
        name="churn-3", request=RetrainRequest(value="now"), scheduled_time=at("23T03:00")
    )
    status = model_status(model(), [NEW], Plan(start=start), NOW)
    message = "churn-3: requested by 'now', scheduled for 2026-11-23T03:00:00Z"
    assert told(ModelStatus(), status, Plan(start=start)) == [("Normal", "RunStarted", message)]


def test_a_failure_and_what_is_skipped_are_told_once() -> None:
    status = model_status(model(), [FAILED], Plan(), NOW)
    assert told(ModelStatus(), status) == [
        ("Warning", "RunFailed", "churn-2: OOMKilled: more than 1Gi")
    ]
    assert told(status, status) == []
    assert told(status, status, Plan(skipped="skipped …")) == [
        ("Warning", "RunSkipped", "skipped …")
    ]


def test_a_problem_is_told_when_it_is_new() -> None:
    problem = Problem(reason="RunRefused", message="no")
    status = model_status(model(), [], Plan(), NOW, problem=problem)
    assert told(ModelStatus(), status) == [("Warning", "RunRefused", "no")]
    assert told(status, status) == []
