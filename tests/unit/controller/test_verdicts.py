from typing import Any

import pytest
from trainyard_controller.objects import TrainingJob
from trainyard_controller.observation import Observation
from trainyard_controller.status import desired_status
from trainyard_controller.verdicts import announcements, merge, summary
from trainyard_schema import (
    ModelType,
    ModelVersion,
    RunResult,
    TrainingJobSpec,
    TrainingJobStatus,
    Verdict,
)

from .samples import COMPLETE, NOW, job, pod, succeeded, training_job, verdict_of, version_of

XGBOOST, FOREST, NET = ModelType
WORSE: dict[str, Any] = {
    "passed": False,
    "reasons": ["roc_auc is 0.7, below the floor of 0.8", "too large"],
    "metric": "roc_auc",
    "value": "0.7",
    "champion": "s3://trainyard/models/churn/xgboost/1/",
    "championValue": "0.85",
    "lowerBound": "-0.16",
}


def verdict(kind: ModelType, **fields: Any) -> Verdict:
    return Verdict.model_validate(verdict_of(kind, **fields))


def model(kind: ModelType) -> ModelVersion:
    return ModelVersion.model_validate(version_of(kind))


def status_of(one: TrainingJob, **seen: Any) -> TrainingJobStatus:
    spec = TrainingJobSpec.from_stored(one.spec)
    return desired_status(Observation(training_job=one, spec=spec, now=NOW, **seen))


def test_a_verdict_goes_with_its_version() -> None:
    known = verdict(NET, passed=False, reasons=["too slow"])
    again = known.model_copy(update={"passed": True})
    stray = verdict(FOREST).model_copy(update={"version": "20260101T000000Z-00000000"})
    found = merge(
        [model(XGBOOST), model(FOREST), model(NET)],
        [known],
        [
            RunResult(verdict=stray),
            RunResult(verdict=again),
            RunResult(verdict=verdict(XGBOOST)),
            RunResult(message="no verdict"),
        ],
    )
    assert found == [verdict(XGBOOST), known]


def test_what_the_pods_left_is_in_the_status_and_in_its_message() -> None:
    one = training_job(modelType="all", gate={})
    pods = [
        succeeded(XGBOOST, "0.8", verdict=verdict_of(XGBOOST)),
        succeeded(FOREST, "0.7", index=1, verdict=verdict_of(FOREST, **WORSE)),
        succeeded(NET, "0.6", index=2, verdict=verdict_of(NET, passed=False, undecided=True)),
    ]
    status = status_of(one, job=job(COMPLETE), pods=pods)
    assert status.phase == "Succeeded"
    assert [found.passed for found in status.verdicts or []] == [True, False, False]
    assert status.message == (
        "uploaded xgboost, random-forest, neural-net; xgboost passed the gate; "
        "random-forest did not pass the gate: roc_auc is 0.7, below the floor of 0.8; "
        "neural-net awaits a decision: no reason given"
    )


def test_a_verdict_stays_when_its_pod_is_gone() -> None:
    left = succeeded(XGBOOST, "0.8", verdict=verdict_of(XGBOOST))
    first = status_of(training_job(modelType="all", gate={}), job=job(), pods=[left, pod(1)])
    assert first.phase != "Succeeded"
    later = training_job(modelType="all", gate={}, status=first.to_dict())
    assert status_of(later, job=job(), pods=[pod(1)]).verdicts == [verdict(XGBOOST)]


def test_without_a_gate_there_is_none() -> None:
    status = status_of(training_job(), job=job(COMPLETE), pods=[succeeded(XGBOOST, "0.8")])
    assert status.verdicts is None
    assert status.message == "uploaded xgboost"
    assert summary([]) == ""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"metric": "roc_auc", "value": "0.86", "championValue": "0.85"},
            ("Normal", "GatePassed", ": roc_auc=0.8600, champion 0.8500"),
        ),
        (
            {"reasons": ["there is no champion yet"]},
            ("Normal", "GatePassed", "; there is no champion yet"),
        ),
        (
            WORSE,
            (
                "Warning",
                "GateFailed",
                f": roc_auc=0.7000, champion 0.8500; {'; '.join(WORSE['reasons'])}",
            ),
        ),
    ],
)
def test_a_new_verdict_is_told_once(given: dict[str, Any], expected: tuple[str, str, str]) -> None:
    new = verdict(XGBOOST, **given)
    (said,) = announcements([verdict(NET)], [new, verdict(NET)])
    assert (said.type, said.reason) == expected[:2]
    assert said.message == f"xgboost {new.version}" + expected[2]
    assert announcements([new], [new]) == []
