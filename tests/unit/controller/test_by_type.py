"""The status of each model type of a run of all three."""

from datetime import datetime
from typing import Any

import pytest
from trainyard_controller.objects import Document
from trainyard_controller.observation import Observation
from trainyard_controller.pods import Problem
from trainyard_controller.progress import Heard
from trainyard_controller.status import desired_status
from trainyard_schema import ModelType, Phase, Reason, Stage, TrainingJobSpec
from trainyard_schema.run import RunProgress

from .samples import (
    COMPLETE,
    FAILED,
    JOB_NAME,
    NOW,
    ended,
    job,
    running,
    succeeded,
    terminated,
    training_job,
    waiting,
)

XGBOOST, FOREST, NET = ModelType


def types_of(*, spec: dict[str, Any] | None = None, **seen: Any) -> dict[str, dict[str, Any]]:
    """What the status says by model type, without the model type itself."""
    status = seen.pop("status", None)
    one = training_job(status=status, **{"modelType": "all", **(spec or {})})
    observation = Observation(
        training_job=one,
        spec=TrainingJobSpec.from_stored(one.spec),
        **{"job": job(), "now": NOW, **seen},
    )
    found = desired_status(observation).to_dict().get("modelTypes", [])
    return {entry.pop("modelType"): entry for entry in found}


def test_a_run_of_one_model_type_has_none() -> None:
    assert types_of(spec={"modelType": "xgboost"}) == {}


def test_each_is_where_its_pods_are() -> None:
    report = RunProgress(
        model_type=FOREST,
        stage=Stage.TRAINING,
        stage_seconds={Stage.DOWNLOADING: 1.0, Stage.TRAINING: 8.0},
        share=0.5,
        total=100,
        stops_early=False,
        done=50,
    )
    seen = [succeeded(XGBOOST, "0.84"), running(1)]
    assert types_of(pods=seen, heard={FOREST: Heard(report=report, time=NOW)}) == {
        "xgboost": {"phase": "Succeeded", "attempts": 1, "percent": 100},
        "random-forest": {
            "phase": "Running",
            "stage": "Training",
            "attempts": 1,
            "percent": 50,
        },
        "neural-net": {"phase": "Pending", "attempts": 0},
    }


def test_what_one_waits_for_is_told_there() -> None:
    refusal = Problem(reason=Reason.QUOTA_EXCEEDED, message="no room")
    found = types_of(pods=[waiting("ErrImagePull", "no such image")], refusal=refusal)
    assert found["xgboost"]["phase"] == "Starting"
    assert found["xgboost"]["reason"] == "ImagePullFailed"
    assert found["neural-net"] == {
        "phase": "Pending",
        "reason": "QuotaExceeded",
        "message": "no room",
        "attempts": 0,
    }


def test_one_that_has_failed_for_good_says_so_while_others_run() -> None:
    seen = [terminated(66, "no such object", index=0), running(1), running(2)]
    found = types_of(job=job(failedIndexes="0"), pods=seen)
    assert (found["xgboost"]["phase"], found["xgboost"]["reason"]) == ("Failed", "DataNotFound")
    assert found["random-forest"]["phase"] == "Running"


def test_one_that_is_to_be_tried_again_has_not_failed() -> None:
    seen = [terminated(75, "503", index=0), running(1), running(2)]
    assert types_of(pods=seen)["xgboost"]["phase"] == "Pending"


@pytest.mark.parametrize(
    ("indexes", "failed"),
    [("", set()), ("1", {FOREST}), ("0,2", {XGBOOST, NET}), ("0-2", set(ModelType))],
)
def test_the_job_tells_which_have_failed(indexes: str, failed: set[ModelType]) -> None:
    found = types_of(job=job(failedIndexes=indexes), pods=[])
    assert {kind for kind, one in found.items() if one["phase"] == "Failed"} == failed


def test_a_cause_outlives_its_pod() -> None:
    seen = [terminated(66, "no such object", index=0), running(1), running(2)]
    first = types_of(job=job(failedIndexes="0"), pods=seen)["xgboost"]
    stored = {"phase": "Running", "modelTypes": [{"modelType": "xgboost", **first}]}
    done = [succeeded(FOREST, "0.8", index=1), succeeded(NET, "0.8", index=2)]
    last = types_of(status=stored, job=job(FAILED, failedIndexes="0"), pods=done)
    assert last["xgboost"] == first
    assert last["neural-net"]["phase"] == "Succeeded"


def test_a_deadline_is_the_cause_of_those_that_have_not_ended() -> None:
    over = job(ended("Failed", reason="DeadlineExceeded"), failedIndexes="1")
    seen = [
        succeeded(XGBOOST, "0.8"),
        terminated(66, "no such object", index=1),
        terminated(143, index=2, deleted=True),
    ]
    found = types_of(spec={"activeDeadlineSeconds": 30}, job=over, pods=seen)
    assert [found[kind].get("reason") for kind in ModelType] == [
        None,
        "DataNotFound",
        "DeadlineExceeded",
    ]


def test_cancelled_keeps_what_was_trained() -> None:
    stored = {"phase": "Running", "jobName": JOB_NAME}
    done = [succeeded(XGBOOST, "0.8")]
    found = types_of(status=stored, spec={"cancel": True}, job=None, gone_pods=done)
    assert [found[kind]["phase"] for kind in ModelType] == [
        Phase.SUCCEEDED,
        Phase.CANCELLED,
        Phase.CANCELLED,
    ]


def test_all_succeeded() -> None:
    seen = [succeeded(kind, "0.8", index=index) for index, kind in enumerate(ModelType)]
    found = types_of(job=job(COMPLETE), pods=seen)
    assert {one["phase"] for one in found.values()} == {"Succeeded"}


def test_one_of_several_that_gets_no_pod_is_told_of_by_the_run_as_well() -> None:
    one = training_job(modelType="all")
    refusal = Problem(reason=Reason.QUOTA_EXCEEDED, message="no room")
    seen = Observation(
        training_job=one,
        spec=TrainingJobSpec.from_stored(one.spec),
        job=job(failedIndexes="1"),
        pods=[running(0)],
        refusal=refusal,
        now=NOW,
    )
    status = desired_status(seen)
    assert (status.phase, status.reason) == ("Running", "QuotaExceeded")


@pytest.mark.parametrize(
    ("status", "lost", "pods", "since"),
    [
        ({}, [], [running(0), running(1), running(2)], None),
        ({}, [], [running(0)], "09:00:01"),
        ({"startTime": "2026-11-23T09:02:00Z"}, [], [running(0)], "09:02:00"),
        ({"failedIndexes": "2"}, [], [running(0), running(1)], None),
        ({}, [running(1), running(2)], [running(0)], "09:00:02"),
        ({}, [running(1)], [running(0)], "09:00:01"),
    ],
)
def test_since_when_one_of_several_has_no_pod(
    status: dict[str, Any], lost: list[Document], pods: list[Document], since: str | None
) -> None:
    one = training_job(modelType="all")
    spec = TrainingJobSpec.from_stored(one.spec)
    seen = Observation(
        training_job=one, spec=spec, job=job(**status), pods=pods, gone_pods=lost, now=NOW
    )
    expected = None if since is None else datetime.fromisoformat(f"2026-11-23T{since}Z")
    assert seen.podless_since == expected
