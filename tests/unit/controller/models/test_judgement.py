"""Each run is decided about once, by its verdict, its Model, and the champion of today."""

from typing import Any

import pytest
from trainyard_controller.models.judgement import CANDIDATES, judge
from trainyard_controller.models.transition import Decision, roll_back, turn_down, unpublished
from trainyard_controller.objects import TrainingJob
from trainyard_schema import Champion, ModelStatus, ModelType, Outcome

from .samples import V1, V2, V3, V4, at, champion, model, run, spec_of, uri_of

NOW = at("24T04:00")
XGBOOST, FOREST, NET = ModelType


def version(name: str, kind: ModelType = XGBOOST, **more: Any) -> dict[str, Any]:
    return {
        "modelType": kind.value,
        "version": name,
        "uri": uri_of(name, kind),
        "sha256": "cd" * 32,
        "sizeBytes": 1,
        "current": False,
        "durationSeconds": 1.0,
        **more,
    }


def verdict(name: str, kind: ModelType = XGBOOST, **more: Any) -> dict[str, Any]:
    found = {"modelType": kind.value, "version": name, "passed": True, "champion": uri_of(V1)}
    return {key: value for key, value in {**found, **more}.items() if value is not None}


def metric(kind: ModelType, value: str, name: str = "roc_auc") -> dict[str, Any]:
    return {"modelType": kind.value, "name": name, "value": value, "split": "holdout"}


def ended(
    name: str = V2,
    *,
    phase: str = "Succeeded",
    versions: list[dict[str, Any]] | None = None,
    verdicts: list[dict[str, Any]] | None = None,
    metrics: list[dict[str, Any]] | None = None,
) -> TrainingJob:
    status = {
        "completionTime": "2026-11-24T03:10:00Z",
        "message": "what happened",
        "models": [version(name)] if versions is None else versions,
        "verdicts": [verdict(name)] if verdicts is None else verdicts,
        "metrics": [metric(XGBOOST, "0.85")] if metrics is None else metrics,
    }
    return run("churn-7", "2026-11-24T03:00:00Z", phase, status=status)


def with_champion(one: Champion | None = None, **more: Any) -> ModelStatus:
    return ModelStatus(champion=one or champion(), published=1, **more)


def decided(status: ModelStatus, training_job: TrainingJob, **promotion: Any) -> Decision:
    return judge(status, spec_of(model(promotion=promotion)), training_job, NOW)


def shown(decision: Decision) -> tuple[str, str, list[str]]:
    told = decision.status.last_verdict
    assert told is not None
    assert told.run == "churn-7"
    assert told.time == NOW
    assert decision.status.judged == ["churn-7"]
    [event] = decision.announced
    assert event.reason == told.outcome
    assert event.type == ("Warning" if told.outcome is Outcome.REJECTED else "Normal")
    return told.version, told.outcome.value, told.reasons


def test_the_first_version_that_passes_is_the_champion() -> None:
    training_job = ended(V1, verdicts=[verdict(V1, champion=None, metric="f1", value="0.61234")])
    decision = decided(ModelStatus(published=0), training_job)
    assert shown(decision) == (V1, "Promoted", [])
    status = decision.status
    assert status.champion is not None
    assert status.champion.to_dict() == {
        "modelType": "xgboost",
        "version": V1,
        "uri": uri_of(V1),
        "sha256": "cd" * 32,
        "run": "churn-7",
        "metric": "f1=0.6123",
        "since": "2026-11-24T04:00:00Z",
        "transition": 1,
    }
    assert status.previous is None
    [entry] = status.history
    assert (entry.number, entry.action, entry.by) == (1, "Promoted", "operator")
    assert (entry.from_, entry.to) == (None, status.champion)
    assert entry.verdict is not None
    assert entry.verdict.passed
    assert unpublished(status) == [entry]


def test_a_version_that_passes_takes_the_champions_place() -> None:
    decision = decided(with_champion(), ended())
    assert shown(decision) == (V2, "Promoted", [])
    status = decision.status
    assert status.champion is not None
    assert (status.champion.version, status.champion.transition) == (V2, 2)
    assert status.champion.metric == "roc_auc=0.8500"
    assert status.previous == champion()
    assert [one.number for one in unpublished(status)] == [2]


def test_one_that_does_not_pass_is_rejected_and_the_champion_stays() -> None:
    reasons = ["roc_auc 0.70 is worse than the champion's 0.84"]
    decision = decided(
        with_champion(), ended(verdicts=[verdict(V2, passed=False, reasons=reasons)])
    )
    assert shown(decision) == (V2, "Rejected", reasons)
    assert decision.status.champion == champion()
    assert decision.status.history == []
    assert decision.status.candidates == []


@pytest.mark.parametrize(
    ("status", "compared", "promotion", "reason"),
    [
        (with_champion(), uri_of(V1), {"approval": "manual"}, "spec.promotion.approval is manual"),
        (
            with_champion(champion(V3, 4)),
            uri_of(V1),
            {},
            f"it was compared with {uri_of(V1)}, but by now the champion is {V3}",
        ),
        (
            with_champion(),
            None,
            {},
            f"it was compared with no champion, but by now the champion is {V1}",
        ),
        (
            ModelStatus(published=0),
            uri_of(V1),
            {},
            f"it was compared with {uri_of(V1)}, but by now the champion is none",
        ),
    ],
)
def test_what_a_person_has_to_decide_awaits_approval(
    status: ModelStatus, compared: str | None, promotion: dict[str, Any], reason: str
) -> None:
    training_job = ended(verdicts=[verdict(V2, champion=compared)])
    decision = decided(status, training_job, **promotion)
    assert shown(decision) == (V2, "AwaitingApproval", [reason])
    assert decision.status.champion == status.champion
    [candidate] = decision.status.candidates
    assert (candidate.version, candidate.reasons) == (V2, [reason])
    assert candidate.verdict is not None


def test_a_verdict_that_is_undecided_is_left_to_a_person() -> None:
    undecided = verdict(V2, passed=False, undecided=True, reasons=["the champion is gone"])
    decision = decided(with_champion(), ended(verdicts=[undecided]))
    assert shown(decision) == (V2, "AwaitingApproval", ["the champion is gone"])


def test_a_version_that_failed_is_rejected_whatever_it_was_compared_with() -> None:
    failed = verdict(V2, passed=False, champion=uri_of(V3), reasons=["too big"])
    assert shown(decided(with_champion(), ended(verdicts=[failed])))[1] == "Rejected"


def test_a_run_without_a_verdict_promotes_nothing() -> None:
    decision = decided(with_champion(), ended(verdicts=[]))
    assert shown(decision) == (V2, "Rejected", ["the run has no verdict of the gate"])


def test_an_unchanged_version_that_is_the_champion_is_nothing_to_do() -> None:
    training_job = ended(versions=[version(V1, unchanged=True)], verdicts=[])
    decision = decided(with_champion(), training_job)
    reason = "it is the champion already: nothing has changed"
    assert shown(decision) == (V1, "Unchanged", [reason])
    assert decision.status.history == []


def test_what_was_rolled_back_does_not_come_back_by_itself() -> None:
    before = with_champion(champion(V2, 2), previous=champion())
    status = roll_back(before, champion(), by="me", why="bad", now=NOW)
    decision = decided(status, ended(versions=[version(V2, unchanged=True)]))
    assert shown(decision)[1:] == ("AwaitingApproval", ["it was rolled back or rejected before"])


def test_what_was_rejected_does_not_come_back_by_itself() -> None:
    waiting = decided(with_champion(), ended(), approval="manual").status
    status = turn_down(waiting, waiting.candidates[0], by="me", why="no", now=NOW)
    decision = decided(status.model_copy(update={"judged": []}), ended())
    assert shown(decision)[1:] == ("AwaitingApproval", ["it was rolled back or rejected before"])


@pytest.mark.parametrize("phase", ["Failed", "Cancelled"])
def test_a_run_without_a_version_is_only_noted(phase: str) -> None:
    before = with_champion()
    decision = decided(before, ended(phase=phase, versions=[], verdicts=[]))
    assert decision.announced == ()
    assert decision.status == before.model_copy(update={"judged": ["churn-7"]})


def test_a_partial_version_is_no_candidate() -> None:
    training_job = ended(phase="Cancelled", versions=[version(V2, partial=True)])
    assert decided(with_champion(), training_job).status.last_verdict is None


ALL = [version(V2), version(V3, FOREST), version(V4, NET)]
METRICS = [
    metric(XGBOOST, "0.80"),
    metric(XGBOOST, "0.99", "accuracy"),
    metric(FOREST, "0.86"),
    metric(NET, "0.85"),
]


@pytest.mark.parametrize(
    ("passed", "expected"),
    [
        ({V2, V3, V4}, (V3, "Promoted")),
        ({V2, V4}, (V4, "Promoted")),
        ({V2}, (V2, "Promoted")),
        (set(), (V3, "Rejected")),
    ],
)
def test_of_all_types_the_best_that_passed_is_the_candidate(
    passed: set[str], expected: tuple[str, str]
) -> None:
    verdicts = [
        verdict(one["version"], ModelType(one["modelType"]), passed=one["version"] in passed)
        for one in ALL
    ]
    training_job = ended(versions=ALL, verdicts=verdicts, metrics=METRICS)
    assert shown(decided(with_champion(), training_job))[:2] == expected


def test_of_errors_the_least_is_the_best() -> None:
    metrics = [metric(XGBOOST, "3.1", "rmse"), metric(FOREST, "2.9", "rmse")]
    verdicts = [verdict(V2), verdict(V3, FOREST)]
    training_job = ended(versions=ALL[:2], verdicts=verdicts, metrics=metrics)
    assert shown(decided(with_champion(), training_job))[0] == V3


def test_all_with_one_failed_type_has_not_ended_well() -> None:
    verdicts = [verdict(V2), verdict(V3, FOREST)]
    training_job = ended(phase="Failed", versions=ALL[:2], verdicts=verdicts, metrics=METRICS)
    reason = "the run ended as Failed: what happened"
    assert shown(decided(with_champion(), training_job)) == (V3, "Rejected", [reason])


def test_a_champion_that_is_the_best_of_all_types_stays() -> None:
    versions = [version(V1, unchanged=True), version(V3, FOREST)]
    metrics = [metric(XGBOOST, "0.90"), metric(FOREST, "0.86")]
    training_job = ended(versions=versions, verdicts=[verdict(V3, FOREST)], metrics=metrics)
    assert shown(decided(with_champion(), training_job))[:2] == (V1, "Unchanged")


def test_candidates_are_the_latest_few_and_each_once() -> None:
    status = with_champion()
    names = [f"202612{day:02}T030500Z-000000{day:02}" for day in range(1, CANDIDATES + 3)]
    for name in [*names, names[-1]]:
        training_job = ended(name, verdicts=[verdict(name)])
        status = decided(status, training_job, approval="manual").status
    assert [one.version for one in status.candidates] == names[-1 : -CANDIDATES - 1 : -1]


def test_a_candidate_that_is_promoted_later_waits_no_more() -> None:
    waiting = decided(with_champion(), ended(), approval="manual").status
    promoted = decided(waiting.model_copy(update={"judged": []}), ended()).status
    assert promoted.candidates == []
    assert promoted.champion is not None
    assert promoted.champion.version == V2


def test_reasons_fit_the_status_in_the_worst_case() -> None:
    long = verdict(V2, champion=f"s3://b/{'x' * 1000}/", reasons=["r" * 256] * 8)
    decision = decided(with_champion(), ended(verdicts=[long]), approval="manual")
    ModelStatus.model_validate(decision.status.to_dict())
