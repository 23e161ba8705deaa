"""Whole statuses for the typical moments of a run, and single facts for the rest."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from trainyard_controller.objects import TrainingJob
from trainyard_controller.observation import Observation
from trainyard_controller.pods import Problem
from trainyard_controller.progress import Heard
from trainyard_controller.status import desired_status, rejected_status
from trainyard_schema import (
    GUIDES,
    ModelType,
    Reason,
    RunResult,
    Stage,
    TrainingJobSpec,
    TrainingJobStatus,
)
from trainyard_schema.run import RunProgress

from .samples import (
    COMPLETE,
    FAILED,
    JOB_NAME,
    NOW,
    ended,
    job,
    metric_of,
    pod,
    running,
    saved,
    succeeded,
    terminated,
    training_job,
    version_of,
    waiting,
)

XGBOOST, FOREST, NET = ModelType
STAMP = "2026-11-23T09:05:00Z"
HEARD = NOW - timedelta(seconds=1)


def status_of(one: TrainingJob, **seen: Any) -> dict[str, Any]:
    observation = Observation(
        training_job=one,
        spec=TrainingJobSpec.from_stored(one.spec),
        **{"job": None, "now": NOW, **seen},
    )
    return desired_status(observation).to_dict()


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": STAMP,
        "observedGeneration": 1,
    }


def said(kind: ModelType, done: int, stage: str = "Training") -> Heard:
    """The word of a trainer that has done so much of 100."""
    return Heard(
        report=RunProgress(
            model_type=kind,
            stage=Stage(stage),
            stage_seconds={Stage.DOWNLOADING: 2.0, Stage(stage): 10.0},
            share=done / 100,
            total=100,
            stops_early=False,
            done=done,
            rate=5.0,
        ),
        time=HEARD,
    )


def failure(reason: str, message: str, exit_code: int, kind: str = "xgboost") -> dict[str, Any]:
    return {
        "attempt": 1,
        "modelType": kind,
        "reason": reason,
        "exitCode": exit_code,
        "message": message,
        "time": "2026-11-23T09:03:00Z",
    }


EMPTY: dict[str, Any] = {"metrics": [], "models": [], "model": "churn", "observedGeneration": 1}
STARTING = {
    **EMPTY,
    "phase": "Starting",
    "pendingSince": STAMP,
    "jobName": JOB_NAME,
    "attempts": 0,
    "conditions": [condition("Accepted", "True", "Accepted"),
                   condition("PodReady", "False", "Starting")],
}  # fmt: skip
RUNNING = {
    **EMPTY,
    "phase": "Running",
    "jobName": JOB_NAME,
    "attempts": 1,
    "startTime": "2026-11-23T09:00:05Z",
    "lastStartTime": "2026-11-23T09:00:05Z",
    "conditions": [condition("Accepted", "True", "Accepted"),
                   condition("PodReady", "True", "TrainerRunning")],
}  # fmt: skip
OOM = "xgboost was OOMKilled at its memory limit of 1Gi"


def advised(reason: Reason, message: str) -> str:
    return f"{message}; {GUIDES[reason].advice}"


OOM_ADVISED = advised(Reason.OOM_KILLED, OOM)

TABLE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "before its Job is there",
        {},
        {
            **EMPTY,
            "phase": "Pending",
            "pendingSince": STAMP,
            "attempts": 0,
            "conditions": [
                condition("Accepted", "True", "Accepted"),
                condition("PodReady", "False", "Pending"),
            ],
        },
    ),
    ("its Job is there", {"job": job()}, STARTING),
    ("its pod is there", {"job": job(), "pods": [pod()]}, STARTING),
    ("its trainer runs", {"job": job(), "pods": [running()]}, RUNNING),
    (
        "its trainer tells of progress",
        {"job": job(), "pods": [running()], "heard": {XGBOOST: said(XGBOOST, 40)}},
        {
            **RUNNING,
            "stage": "Training",
            "progress": {
                "percent": 50,
                "unit": "rounds",
                "done": 40,
                "total": 100,
                "etaSeconds": 12,
                "updatedAt": "2026-11-23T09:04:59Z",
            },
        },
    ),
    (
        "no node takes it",
        {
            "job": job(),
            "pods": [
                pod(
                    conditions=[
                        {
                            "type": "PodScheduled",
                            "status": "False",
                            "reason": "Unschedulable",
                            "message": "0/1 nodes are available: 1 Insufficient cpu. preemption: 0",
                        }
                    ]
                )
            ],
        },
        {
            **STARTING,
            "reason": "Unschedulable",
            "message": advised(
                Reason.UNSCHEDULABLE,
                "no node takes the pod: 0/1 nodes are available: 1 Insufficient cpu",
            ),
            "conditions": [
                condition("Accepted", "True", "Accepted"),
                condition("PodReady", "False", "Unschedulable"),
            ],
        },
    ),
    (
        "the namespace is full",
        {"job": job(), "refusal": Problem(reason=Reason.QUOTA_EXCEEDED, message="full")},
        {
            **STARTING,
            "phase": "Pending",
            "reason": "QuotaExceeded",
            "message": advised(Reason.QUOTA_EXCEEDED, "full"),
            "conditions": [
                condition("Accepted", "True", "Accepted"),
                condition("PodReady", "False", "QuotaExceeded"),
            ],
        },
    ),
    (
        "its Job is refused",
        {"refusal": Problem(reason=Reason.JOB_CREATION_FAILED, message="no")},
        {
            **EMPTY,
            "phase": "Pending",
            "pendingSince": STAMP,
            "reason": "JobCreationFailed",
            "message": advised(Reason.JOB_CREATION_FAILED, "no"),
            "attempts": 0,
            "conditions": [
                condition("Accepted", "False", "JobCreationFailed", "no"),
                condition("PodReady", "False", "JobCreationFailed"),
            ],
        },
    ),
    (
        "it succeeded",
        {
            "job": job(COMPLETE, completionTime="2026-11-23T09:04:00Z"),
            "pods": [succeeded(XGBOOST, "0.845312")],
        },
        {
            **RUNNING,
            "phase": "Succeeded",
            "message": "uploaded xgboost",
            "completionTime": "2026-11-23T09:03:00Z",
            "progress": {"percent": 100, "updatedAt": "2026-11-23T09:03:00Z"},
            "primaryMetric": "roc_auc=0.8453",
            "metrics": [metric_of(XGBOOST, "0.845312")],
            "models": [version_of(XGBOOST)],
            "conditions": [
                condition("Accepted", "True", "Accepted"),
                condition("PodReady", "False", "Finished"),
                condition("ModelUploaded", "True", "Uploaded", "uploaded xgboost"),
                condition("Complete", "True", "Succeeded"),
            ],
        },
    ),
    (
        "it was OOMKilled",
        {"job": job(FAILED), "pods": [terminated(137, reason="OOMKilled")]},
        {
            **RUNNING,
            "phase": "Failed",
            "reason": "OOMKilled",
            "message": OOM_ADVISED,
            "lastFailure": failure("OOMKilled", OOM, 137),
            "completionTime": "2026-11-23T09:04:00Z",
            "conditions": [
                condition("Accepted", "True", "Accepted"),
                condition("PodReady", "False", "Finished"),
                condition("ModelUploaded", "False", "OOMKilled", OOM_ADVISED),
                condition("Failed", "True", "OOMKilled", OOM_ADVISED),
            ],
        },
    ),
]


@pytest.mark.parametrize(("seen", "expected"), [row[1:] for row in TABLE],
                         ids=[row[0] for row in TABLE])  # fmt: skip
def test_the_whole_status_when(seen: dict[str, Any], expected: dict[str, Any]) -> None:
    assert status_of(training_job(), **seen) == expected


def test_a_run_that_has_what_it_should_have_is_left_as_it_is() -> None:
    again = training_job(status=RUNNING)
    assert status_of(again, job=job(), pods=[running()], now=datetime.fromtimestamp(
        NOW.timestamp() + 60, NOW.tzinfo)) == RUNNING  # fmt: skip


def test_a_run_whose_trainer_is_not_heard_is_stale_as_long_as_it_is_not() -> None:
    heard = {XGBOOST: said(XGBOOST, 40)}
    known = status_of(training_job(), job=job(), pods=[running()], heard=heard)
    one = training_job(status=known)
    stale = known["progress"] | {"stale": True}
    del stale["etaSeconds"]
    for words in (heard, {}):
        status = status_of(one, job=job(), pods=[running()], heard=words, silent=True)
        assert status["progress"] == stale
        assert (
            status_of(
                training_job(status=status), job=job(), pods=[running()], heard=words, silent=True
            )
            == status
        )
    again = status_of(training_job(status=status), job=job(), pods=[running()], heard=heard)
    assert again["progress"] == known["progress"]


def test_without_a_trainer_nobody_knows_when_the_run_ends() -> None:
    known = status_of(
        training_job(), job=job(), pods=[running()], heard={XGBOOST: said(XGBOOST, 40)}
    )
    status = status_of(training_job(status=known), job=job(), pods=[terminated(75, "503")])
    assert status["progress"]["percent"] == 50
    assert "etaSeconds" not in status["progress"]


def test_success_tells_the_units_that_were_trained() -> None:
    known = status_of(
        training_job(), job=job(), pods=[running()], heard={XGBOOST: said(XGBOOST, 40)}
    )
    left = RunResult.model_validate({"version": version_of(XGBOOST) | {"units": 57}})
    status = status_of(
        training_job(status=known), job=job(COMPLETE), pods=[terminated(0, left.to_json())]
    )
    assert status["progress"] == {
        "percent": 100,
        "unit": "rounds",
        "done": 57,
        "total": 57,
        "updatedAt": "2026-11-23T09:03:00Z",
    }


class TestAll:
    """modelType all: three pods of one Job."""

    PODS = (
        succeeded(XGBOOST, "0.84", index=0),
        succeeded(FOREST, "0.86", index=1),
        succeeded(NET, "0.85", index=2),
    )

    def test_success_takes_all_three_and_shows_the_best(self) -> None:
        status = status_of(training_job(modelType="all"), job=job(COMPLETE), pods=self.PODS)
        assert status["phase"] == "Succeeded"
        assert [model["modelType"] for model in status["models"]] == list(ModelType)
        assert status["primaryMetric"] == "roc_auc=0.8600"
        assert status["attempts"] == 3

    def test_two_of_three_fail_and_keep_their_models(self) -> None:
        bad = RunResult(reason=Reason.DATA_NOT_FOUND, message="s3://x: no such object")
        seen = [*self.PODS[:2], terminated(66, bad.to_json(), index=2)]
        status = status_of(training_job(modelType="all"), job=job(FAILED), pods=seen)
        assert (status["phase"], status["reason"]) == ("Failed", "PartialSuccess")
        assert status["message"] == advised(
            Reason.PARTIAL_SUCCESS,
            "2 of 3 model types trained (xgboost, random-forest); "
            "DataNotFound: neural-net: s3://x: no such object",
        )
        assert [model["modelType"] for model in status["models"]] == ["xgboost", "random-forest"]

    def test_a_version_of_before_is_told(self) -> None:
        one = training_job(modelType="all", status={"models": [
            version_of(XGBOOST), version_of(FOREST) | {"unchanged": True, "version": "v7"},
        ]})  # fmt: skip
        status = status_of(one, job=job(COMPLETE), pods=self.PODS[2:])
        assert status["phase"] == "Succeeded"
        assert status["message"] == (
            "uploaded xgboost, neural-net; unchanged since random-forest v7"
        )

    def test_a_result_outlives_its_pod(self) -> None:
        one = training_job(modelType="all")
        first = status_of(one, job=job(), pods=[self.PODS[0], running(1), running(2)])
        later = training_job(modelType="all", status=first)
        status = status_of(later, job=job(COMPLETE), pods=self.PODS[1:])
        assert status["phase"] == "Succeeded"
        assert len(status["models"]) == 3

    def test_progress_is_the_mean_and_the_units_of_the_slowest(self) -> None:
        seen = [self.PODS[0], running(1), running(2)]
        heard = {FOREST: said(FOREST, 50), NET: said(NET, 20, "Validating")}
        status = status_of(training_job(modelType="all"), job=job(), pods=seen, heard=heard)
        assert (status["progress"]["percent"], status["progress"]["done"]) == (53, 20)
        assert status["stage"] == "Validating"


class TestSuccess:
    def test_it_follows_from_the_pods_whose_job_may_be_late_to_say_so(self) -> None:
        status = status_of(training_job(), job=job(), pods=[succeeded(XGBOOST, "0.84")])
        assert (status["phase"], status["completionTime"]) == ("Succeeded", "2026-11-23T09:03:00Z")

    def test_it_ends_with_the_last_of_its_pods(self) -> None:
        seen = [
            succeeded(XGBOOST, "0.84", at="2026-11-23T09:04:30Z"),
            succeeded(FOREST, "0.85", index=1),
            succeeded(NET, "0.86", index=2),
        ]
        status = status_of(training_job(modelType="all"), job=job(), pods=seen)
        assert (status["phase"], status["completionTime"]) == ("Succeeded", "2026-11-23T09:04:30Z")

    def test_without_pods_it_ends_with_its_job(self) -> None:
        before = {**RUNNING, "models": [version_of(XGBOOST)]}
        assert "completionTime" not in status_of(training_job(status=before), job=job())
        status = status_of(training_job(status=before), job=job(COMPLETE))
        assert (status["phase"], status["completionTime"]) == ("Succeeded", "2026-11-23T09:04:00Z")


class TestNotYet:
    def test_a_trainer_that_has_ended_is_running_until_its_pod_has_ended(self) -> None:
        seen = [succeeded(XGBOOST, "0.84", phase="Running")]
        status = status_of(training_job(status=RUNNING), job=job(), pods=seen)
        assert status["phase"] == "Running"
        assert status["conditions"][:2] == RUNNING["conditions"]

    def test_a_pod_that_failed_after_all_has_another_try_follow(self) -> None:
        """As where its node is lost in the moment of its end."""
        seen = [succeeded(XGBOOST, "0.84", phase="Failed")]
        status = status_of(training_job(status=RUNNING), job=job(), pods=seen)
        assert "completionTime" not in status
        assert len(status["models"]) == 1

    def test_one_of_several_pods_that_has_succeeded_is_not_the_end(self) -> None:
        seen = [succeeded(XGBOOST, "0.84"), succeeded(FOREST, "0.85", index=1), running(2)]
        status = status_of(training_job(modelType="all"), job=job(), pods=seen)
        assert (status["phase"], "completionTime" in status) == ("Running", False)

    def test_between_two_attempts_the_last_failure_shows(self) -> None:
        seen = [terminated(75, "503")]
        status = status_of(training_job(status=RUNNING), job=job(), pods=seen)
        assert status["phase"] == "Running"
        assert status["lastFailure"]["reason"] == "UploadFailed"
        assert status["message"] == "after a failed attempt: xgboost ended with exit code 75: 503"

    def test_complete_without_a_result_is_no_success(self) -> None:
        status = status_of(training_job(), job=job(COMPLETE), pods=[terminated(0, "")])
        assert (status["phase"], status["reason"]) == ("Failed", "TrainerCrashed")
        assert "ended without a result" in status["message"]


class TestDeadline:
    JOB = job(ended("Failed", reason="DeadlineExceeded"))

    def test_it_names_the_field(self) -> None:
        stopped = terminated(143, deleted=True)
        status = status_of(training_job(activeDeadlineSeconds=30), job=self.JOB, pods=[stopped])
        assert status["reason"] == "DeadlineExceeded"
        assert "spec.activeDeadlineSeconds (30 s)" in status["message"]
        assert "lastFailure" not in status

    def test_it_says_what_the_time_went_on(self) -> None:
        before = {**STARTING, "reason": "ImagePullFailed", "message": "no such image"}
        one = training_job(activeDeadlineSeconds=30, status=before)
        status = status_of(one, job=self.JOB)
        assert "; last seen: ImagePullFailed: no such image; raise spec.a" in status["message"]


class TestCancel:
    def test_without_a_job_it_is_done_at_once(self) -> None:
        status = status_of(training_job(cancel=True))
        assert status["phase"] == "Cancelled"
        assert {"type": "Complete", "status": "False"}.items() <= status["conditions"][-1].items()

    def test_it_lasts_until_the_last_pod_is_gone(self) -> None:
        one = training_job(cancel=True, status=RUNNING)
        assert status_of(one, pods=[running(deleted=True)])["phase"] == "Cancelling"
        assert status_of(one, pods=[terminated(143, deleted=True)])["phase"] == "Cancelling"
        assert status_of(one)["phase"] == "Cancelled"

    def test_success_wins(self) -> None:
        one = training_job(cancel=True, status=RUNNING)
        done = [succeeded(XGBOOST, "0.84")]
        assert status_of(one, job=job(COMPLETE), pods=done)["phase"] == "Succeeded"
        assert status_of(one, gone_pods=done)["phase"] == "Succeeded"

    def test_a_pod_that_was_stopped_has_not_failed(self) -> None:
        one = training_job(cancel=True, status=RUNNING)
        assert "lastFailure" not in status_of(one, pods=[terminated(143, deleted=True)])


class TestSavedOnCancel:
    def one(self, **spec: Any) -> TrainingJob:
        return training_job(status=RUNNING, cancel=True, onCancel="save", **spec)

    def test_the_partial_version_is_named_and_is_no_success(self) -> None:
        left = terminated(143, saved(XGBOOST, "0.71"), deleted=True)
        status = status_of(self.one(), gone_pods=[left])
        assert status["phase"] == "Cancelled"
        assert status["message"] == (
            "cancelled by spec.cancel; saved partial version 20261123T090200Z-0badcafe of xgboost"
        )
        assert [(model["partial"], model["current"]) for model in status["models"]] == [
            (True, False)
        ]
        assert status["primaryMetric"] == "roc_auc=0.7100"
        assert "lastFailure" not in status
        conditions = {c["type"]: c["status"] for c in status["conditions"]}
        assert conditions["ModelUploaded"] == conditions["Complete"] == "False"

    def test_it_is_recorded_while_the_pod_is_still_there(self) -> None:
        left = terminated(143, saved(XGBOOST, "0.71"), deleted=True)
        status = status_of(self.one(), pods=[left])
        assert status["phase"] == "Cancelling"
        assert status["models"][0]["partial"] is True

    def test_a_whole_version_of_another_type_stays_beside_it(self) -> None:
        seen = [succeeded(XGBOOST, "0.8"), terminated(143, saved(NET, "0.7"), index=2)]
        status = status_of(self.one(modelType="all"), gone_pods=seen)
        assert status["phase"] == "Cancelled"
        assert [(m["modelType"], m.get("partial")) for m in status["models"]] == [
            ("xgboost", None),
            ("neural-net", True),
        ]

    def test_what_an_evicted_pod_saved_is_not_what_the_run_leaves(self) -> None:
        evicted = terminated(143, saved(XGBOOST, "0.71"), deleted=True)
        seen = {"job": job(), "gone_pods": [evicted], "pods": [running(uid="b")]}
        status = status_of(training_job(status=RUNNING, onCancel="save"), **seen)
        assert status["phase"] == "Running"
        assert status["models"] == []


class TestSuspend:
    def test_it_is_suspended_when_no_pod_is_active(self) -> None:
        one = training_job(suspend=True, status=RUNNING)
        still = status_of(one, job=job(suspend=True), pods=[running(deleted=True)])
        assert still["phase"] == "Running"
        status = status_of(one, job=job(suspend=True), gone_pods=[running()])
        assert (status["phase"], status["attempts"]) == ("Suspended", 1)
        assert status["conditions"][-1]["status"] == "True"

    def test_resumed_it_says_so(self) -> None:
        before = status_of(training_job(suspend=True), job=job(suspend=True))
        status = status_of(training_job(status=before), job=job())
        assert status["phase"] == "Starting"
        assert {"type": "Suspended", "status": "False"}.items() <= status["conditions"][-1].items()


class TestJobGone:
    def test_deleted_by_someone_else_is_the_end(self) -> None:
        status = status_of(training_job(status=RUNNING))
        assert (status["phase"], status["reason"]) == ("Failed", "JobDeleted")

    def test_but_not_before_its_pods_have_stopped(self) -> None:
        status = status_of(training_job(status=RUNNING), pods=[running()])
        assert (status["phase"], status["reason"]) == ("Running", "JobDeleted")

    def test_nor_where_it_went_without_them(self) -> None:
        orphan = running()
        orphan["metadata"]["ownerReferences"] = []
        status = status_of(training_job(status=RUNNING), pods=[orphan])
        assert (status["phase"], status["reason"]) == ("Running", "JobDeleted")

    def test_and_not_for_a_run_whose_models_are_all_there(self) -> None:
        status = status_of(training_job(status=RUNNING), gone_pods=[succeeded(XGBOOST, "0.8")])
        assert status["phase"] == "Succeeded"


class TestInterrupted:
    """Its pod was stopped, and is gone."""

    GONE = terminated(143, deleted=True, uid="a", at="2026-11-23T09:02:00Z")

    def test_it_is_no_failure_of_a_run_that_goes_on(self) -> None:
        status = status_of(
            training_job(), job=job(), pods=[running(uid="b")], gone_pods=[self.GONE]
        )
        assert "lastFailure" not in status

    def test_it_is_the_failure_of_a_run_that_must_not_be_retried(self) -> None:
        one = training_job(backoffLimit=0)
        status = status_of(one, job=job(FAILED), gone_pods=[self.GONE])
        assert (status["phase"], status["reason"]) == ("Failed", "Interrupted")
        assert status["message"] == advised(Reason.INTERRUPTED, "xgboost ended with exit code 143")

    def test_what_was_suspended_before_is_not_what_failed(self) -> None:
        one = training_job(backoffLimit=0)
        last = terminated(75, "503", uid="b")
        status = status_of(one, job=job(FAILED), pods=[last], gone_pods=[self.GONE])
        assert status["reason"] == "UploadFailed"


class TestAttempts:
    def test_pods_that_are_gone_count(self) -> None:
        gone = [terminated(75, uid="a"), terminated(75, uid="b")]
        status = status_of(training_job(), job=job(), pods=[running(uid="c")], gone_pods=gone)
        assert status["attempts"] == 3

    def test_pods_that_an_earlier_process_saw_go_count(self) -> None:
        seen = running()
        [container] = seen["status"]["containerStatuses"]
        start = container["state"]["running"]["startedAt"]
        before = {**RUNNING, "attempts": 1, "lastStartTime": "2026-11-23T00:00:00Z"}
        status = status_of(training_job(status=before), job=job(), pods=[seen])
        assert (status["attempts"], status["lastStartTime"]) == (2, start)
        again = status_of(training_job(status=status), job=job(), pods=[seen])
        assert again["attempts"] == 2

    def test_they_never_become_fewer(self) -> None:
        one = training_job(status={**RUNNING, "attempts": 4})
        assert status_of(one, job=job(), pods=[running()])["attempts"] == 4

    def test_the_last_failure_stays_when_a_later_attempt_succeeds(self) -> None:
        seen = [terminated(75, "503", uid="a"), succeeded(XGBOOST, "0.84", uid="b")]
        status = status_of(training_job(), job=job(COMPLETE), pods=seen)
        assert status["phase"] == "Succeeded"
        assert status["lastFailure"]["reason"] == "UploadFailed"


def test_waiting_for_an_image_shows_its_reason() -> None:
    seen = [waiting("ImagePullBackOff", 'Back-off pulling image "x": ErrImagePull: not found')]
    status = status_of(training_job(), job=job(), pods=seen)
    assert status["reason"] == "ImagePullFailed"
    assert status["message"] == advised(
        Reason.IMAGE_PULL_FAILED, "cannot pull image registry/trainer:1: not found"
    )


def test_rejected_is_final_and_not_accepted() -> None:
    problem = Problem(reason=Reason.INVALID_HYPERPARAMETER, message="max_dept: unknown")
    status = rejected_status(training_job(), problem, NOW).to_dict()
    told = advised(Reason.INVALID_HYPERPARAMETER, "max_dept: unknown")
    assert status == {
        "observedGeneration": 1,
        "phase": "Failed",
        "reason": "InvalidHyperparameter",
        "message": told,
        "completionTime": STAMP,
        "metrics": [],
        "models": [],
        "conditions": [
            condition("Accepted", "False", "InvalidHyperparameter", told),
            condition("Failed", "True", "InvalidHyperparameter", told),
        ],
    }


def test_every_status_can_be_stored_and_read_back() -> None:
    for _, seen, expected in TABLE:
        stored = status_of(training_job(), **seen)
        assert TrainingJobStatus.model_validate(stored).to_dict() == expected
