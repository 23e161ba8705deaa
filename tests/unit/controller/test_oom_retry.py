"""spec.oomRetry: which Job follows, what it has, and what of the Job before still counts."""

from typing import Any

import pytest
from trainyard_controller.job import build_job
from trainyard_controller.objects import TrainingJob
from trainyard_controller.observation import Observation
from trainyard_controller.oom_retry import larger_limit
from trainyard_controller.status import desired_status
from trainyard_schema import ModelType, RunResult, TrainingJobSpec, names, run_config
from trainyard_schema.spec import OomRetry
from trainyard_schema.status import MOST_MEMORY_RAISES

from .samples import (
    COMPLETE,
    FAILED,
    JOB_NAME,
    NOW,
    SETTINGS,
    UID,
    ended,
    job,
    running,
    succeeded,
    terminated,
    training_job,
)

XGBOOST, FOREST, NET = ModelType
POLICY = {"factor": 1.5, "maxMemory": "4Gi"}
STAMP = "2026-11-23T09:05:00Z"
SECOND = names.job_name("churn", UID, 1)
OOM = terminated(137, reason="OOMKilled")


def of_job(pod: dict[str, Any], name: str, types: str = "xgboost") -> dict[str, Any]:
    """The same pod, of another Job."""
    metadata = pod["metadata"]
    index = metadata["annotations"][names.COMPLETION_INDEX_ANNOTATION]
    annotations = {
        names.COMPLETION_INDEX_ANNOTATION: index,
        names.MODEL_TYPES_ANNOTATION: types,
    }
    owner = {"kind": "Job", "name": name, "uid": name}
    changed = {
        "uid": f"{name}-{metadata['uid']}",
        "annotations": annotations,
        "ownerReferences": [owner],
    }
    return {**pod, "metadata": {**metadata, **changed}}


def status_of(one: TrainingJob, **seen: Any) -> dict[str, Any]:
    observation = Observation(
        training_job=one,
        spec=TrainingJobSpec.from_stored(one.spec),
        **{"job": job(FAILED), "now": NOW, **seen},
    )
    return desired_status(observation).to_dict()


@pytest.mark.parametrize(
    ("memory", "factor", "most", "larger"),
    [
        ("1Gi", 1.5, "4Gi", "1536Mi"),
        ("3Gi", 1.5, "4Gi", "4Gi"),
        ("64Mi", 1.25, "65Mi", "65Mi"),
        ("100M", 2.0, "4Gi", "191Mi"),
        ("1500000", 2.0, "1Gi", "3Mi"),
        ("4Gi", 1.5, "4Gi", None),
        ("4096Mi", 1.5, "4Gi", None),
    ],
)
def test_the_limit_grows_up_to_the_most(
    memory: str, factor: float, most: str, larger: str | None
) -> None:
    assert larger_limit(memory, OomRetry(factor=factor, max_memory=most)) == larger


def test_that_there_is_another_job_is_put_on_record_with_all_that_is_known() -> None:
    before = {"phase": "Running", "jobName": JOB_NAME, "attempts": 1}
    status = status_of(training_job(status=before, oomRetry=POLICY), pods=[OOM])
    assert status["oomRetries"] == [
        {"modelTypes": ["xgboost"], "memory": "1536Mi", "attempts": 1, "time": STAMP}
    ]
    assert "jobName" not in status
    assert "completionTime" not in status
    assert (status["phase"], status["pendingSince"]) == ("Starting", STAMP)
    assert status["message"] == "xgboost ran out of memory and is tried again with 1536Mi"
    assert status["lastFailure"]["reason"] == "OOMKilled"
    assert [one["type"] for one in status["conditions"]] == ["Accepted", "PodReady"]


def test_what_was_refused_before_training_is_tried_again_too() -> None:
    refused = RunResult(reason="InsufficientMemory", message="takes about 3Gi")
    seen = terminated(69, refused.to_json())
    assert "oomRetries" in status_of(training_job(oomRetry=POLICY), pods=[seen])


@pytest.mark.parametrize(
    ("spec", "seen"),
    [
        ({}, {"pods": [OOM]}),
        ({"oomRetry": POLICY, "cancel": True}, {"pods": [OOM]}),
        ({"oomRetry": POLICY}, {"pods": [terminated(66, "no such object")]}),
        ({"oomRetry": POLICY}, {"pods": [OOM], "job": job()}),
        ({"oomRetry": POLICY}, {"pods": [OOM], "job": None}),
        ({"oomRetry": POLICY}, {"pods": [succeeded(XGBOOST, "0.8")], "job": job(COMPLETE)}),
        (
            {"oomRetry": POLICY, "activeDeadlineSeconds": 9},
            {"pods": [OOM], "job": job(ended("Failed", reason="DeadlineExceeded"))},
        ),
    ],
    ids=["not asked for", "cancelled", "bad data", "running", "no Job", "succeeded", "deadline"],
)
def test_else_there_is_none(spec: dict[str, Any], seen: dict[str, Any]) -> None:
    assert "oomRetries" not in status_of(training_job(**spec), **seen)


def retried(memory: str = "1536Mi", **more: Any) -> dict[str, Any]:
    return {"modelTypes": ["xgboost"], "memory": memory, "attempts": 1, "time": STAMP, **more}


def second(status: dict[str, Any] | None = None, **spec: Any) -> TrainingJob:
    stored = {"phase": "Starting", "oomRetries": [retried()], "attempts": 1, **(status or {})}
    return training_job(status=stored, **{"oomRetry": POLICY, **spec})


def test_pods_of_the_job_before_no_longer_count() -> None:
    status = status_of(second(), job=None, pods=[OOM])
    assert status["phase"] == "Pending"
    assert (status["attempts"], status["oomRetries"]) == (1, [retried()])
    assert "lastFailure" not in status


def test_but_a_cancelled_run_waits_for_them() -> None:
    one = second(cancel=True)
    assert status_of(one, job=None, pods=[OOM])["phase"] == "Cancelling"
    assert status_of(one, job=None)["phase"] == "Cancelled"


def test_attempts_go_on_and_the_limit_is_that_of_the_pod() -> None:
    again = of_job(terminated(137, reason="OOMKilled", at="2026-11-23T09:06:00Z"), SECOND)
    status = status_of(second({"jobName": SECOND}), pods=[OOM, again])
    assert status["attempts"] == 2
    assert status["lastFailure"]["attempt"] == 2
    assert status["lastFailure"]["message"] == "xgboost was OOMKilled at its memory limit of 1536Mi"
    assert [one["memory"] for one in status["oomRetries"]] == ["1536Mi", "2304Mi"]


def test_a_failure_of_the_job_before_is_none_of_the_present_one() -> None:
    old = {
        "attempt": 1,
        "modelType": "xgboost",
        "reason": "OOMKilled",
        "message": "xgboost was OOMKilled at its memory limit of 1Gi",
        "time": "2026-11-23T09:03:00Z",
    }
    status = status_of(second({"jobName": SECOND, "lastFailure": old}))
    assert (status["phase"], status["reason"]) == ("Failed", "TrainerCrashed")
    assert status["oomRetries"] == [retried()]


def test_at_the_most_it_fails() -> None:
    one = second({"jobName": SECOND, "oomRetries": [retried("4Gi")]})
    last = of_job(terminated(137, reason="OOMKilled"), SECOND)
    status = status_of(one, pods=[last])
    assert (status["phase"], status["reason"]) == ("Failed", "OOMKilled")
    assert "memory limit of 4Gi; raise spec.resources.limits.memory" in status["message"]


def test_it_comes_to_an_end_in_any_case() -> None:
    many = [retried(f"{2000 + step}Mi") for step in range(MOST_MEMORY_RAISES)]
    one = second({"jobName": names.job_name("churn", UID, len(many)), "oomRetries": many})
    last = of_job(terminated(137, reason="OOMKilled"), one.job_name)
    assert status_of(one, pods=[last])["phase"] == "Failed"


class TestAll:
    """Only what ran out of memory is tried again."""

    PODS = (
        succeeded(XGBOOST, "0.84", index=0),
        terminated(66, "no such object", index=1),
        terminated(137, reason="OOMKilled", index=2),
    )

    def first(self) -> dict[str, Any]:
        one = training_job(modelType="all", oomRetry=POLICY)
        return status_of(one, job=job(FAILED, failedIndexes="1,2"), pods=self.PODS)

    def test_of_several_only_those_without_memory_are_tried_again(self) -> None:
        status = self.first()
        assert status["oomRetries"][0]["modelTypes"] == ["neural-net"]
        assert [one["phase"] for one in status["modelTypes"]] == [
            "Succeeded",
            "Failed",
            "Starting",
        ]
        assert [model["modelType"] for model in status["models"]] == ["xgboost"]

    def test_index_0_of_the_next_job_is_what_it_trains(self) -> None:
        one = training_job(modelType="all", oomRetry=POLICY, status=self.first())
        pod = of_job(running(0), SECOND, "neural-net")
        status = status_of(one, job=job(), pods=[*self.PODS, pod])
        assert [entry["phase"] for entry in status["modelTypes"]] == [
            "Succeeded",
            "Failed",
            "Running",
        ]
        assert status["modelTypes"][1]["reason"] == "DataNotFound"

    def test_the_end_has_the_causes_of_every_job(self) -> None:
        one = training_job(modelType="all", oomRetry=POLICY, status=self.first())
        pod = of_job(succeeded(NET, "0.9"), SECOND, "neural-net")
        status = status_of(one, job=job(COMPLETE), pods=[pod])
        assert (status["phase"], status["reason"]) == ("Failed", "PartialSuccess")
        assert status["message"].startswith(
            "2 of 3 model types trained (xgboost, neural-net); DataNotFound: random-forest ended"
        )


class TestJob:
    def built(self, one: TrainingJob) -> dict[str, Any]:
        spec = TrainingJobSpec.from_stored(one.spec)
        run = run_config(
            spec,
            namespace=one.namespace,
            name=one.name,
            uid=one.uid,
            storage=SETTINGS.storage,
            image="trainer",
        )
        return build_job(one, spec, run, SETTINGS)

    def test_it_has_the_memory_the_types_and_the_time_that_is_left(self) -> None:
        entry = retried(modelTypes=["neural-net"], activeDeadlineSeconds=7)
        one = second({"oomRetries": [entry]}, modelType="all", activeDeadlineSeconds=60)
        job = self.built(one)
        assert job["metadata"]["name"] == SECOND == f"{JOB_NAME}-r1"
        spec = job["spec"]
        assert (spec["completions"], spec["activeDeadlineSeconds"]) == (1, 7)
        annotations = spec["template"]["metadata"]["annotations"]
        assert annotations == {names.MODEL_TYPES_ANNOTATION: "neural-net"}
        [container] = spec["template"]["spec"]["containers"]
        assert container["resources"] == {
            "requests": {"cpu": "500m", "memory": "768Mi"},
            "limits": {"cpu": "1", "memory": "1536Mi"},
        }

    def test_a_request_as_large_as_the_limit_stays_so(self) -> None:
        even = {"cpu": "1", "memory": "1Gi"}
        one = second(resources={"requests": even, "limits": even})
        [container] = self.built(one)["spec"]["template"]["spec"]["containers"]
        assert container["resources"]["requests"]["memory"] == "1536Mi"

    def test_the_time_is_what_all_jobs_before_have_left(self) -> None:
        failed = job(FAILED, startTime="2026-11-23T09:00:00Z")
        one = training_job(oomRetry=POLICY, activeDeadlineSeconds=600)
        [entry] = status_of(one, job=failed, pods=[OOM])["oomRetries"]
        assert entry["activeDeadlineSeconds"] == 360
        one = second({"jobName": SECOND, "oomRetries": [retried(activeDeadlineSeconds=300)]},
                     activeDeadlineSeconds=600)  # fmt: skip
        last = of_job(terminated(137, reason="OOMKilled"), SECOND)
        [_, entry] = status_of(one, job=failed, pods=[last])["oomRetries"]
        assert entry["activeDeadlineSeconds"] == 60


def test_what_is_kept_of_a_finished_run_still_names_its_job() -> None:
    one = second({"phase": "Failed"})
    assert (one.job_name, one.previous_job_name) == (SECOND, JOB_NAME)
    assert one.status.oom_retries is None
