from typing import Any

import pytest
from trainyard_controller import pods
from trainyard_schema import Reason, RunResult, TrainingJobSpec

from .samples import pod, running, succeeded, terminated, training_job, waiting

SPEC = TrainingJobSpec.from_stored(training_job(modelType="all").spec)
XGBOOST = SPEC.model_types[0]
DISRUPTED = [
    {
        "type": "DisruptionTarget",
        "status": "True",
        "message": "preempting to make room",
        "lastTransitionTime": "2026-11-23T09:03:00Z",
    }
]


def left(reason: Reason, message: str) -> str:
    return RunResult(reason=reason, message=message).to_json()


@pytest.mark.parametrize(
    ("seen", "reason", "message"),
    [
        (
            terminated(66, left(Reason.DATA_NOT_FOUND, "s3://a: no such object")),
            Reason.DATA_NOT_FOUND,
            "xgboost: s3://a: no such object",
        ),
        (
            terminated(67, "Traceback\nValueError: bad column\n"),
            Reason.INVALID_DATA,
            "xgboost ended with exit code 67: ValueError: bad column",
        ),
        (
            terminated(1, "Traceback\nSegmentation fault\n"),
            Reason.TRAINER_CRASHED,
            "xgboost ended with exit code 1: Segmentation fault",
        ),
        (terminated(1), Reason.TRAINER_CRASHED, "xgboost ended with exit code 1"),
        (
            terminated(0, "hello"),
            Reason.TRAINER_CRASHED,
            "xgboost ended without a result (exit code 0): is it the right trainer image?",
        ),
        (
            terminated(128, "exec: no such file", reason="StartError"),
            Reason.CONTAINER_CONFIG_ERROR,
            "xgboost could not start: exec: no such file",
        ),
        (
            terminated(137, deleted=True),
            Reason.INTERRUPTED,
            "xgboost did not stop in time and was killed",
        ),
        (
            terminated(143, conditions=DISRUPTED),
            Reason.PREEMPTED,
            "xgboost: Kubernetes took the pod away: preempting to make room",
        ),
        (
            pod(phase="Failed", reason="UnexpectedAdmissionError", message="no room"),
            Reason.TRAINER_CRASHED,
            "xgboost: the pod failed: no room",
        ),
    ],
)
def test_why_a_pod_failed(seen: dict[str, Any], reason: Reason, message: str) -> None:
    failure = pods.failure(seen, SPEC, memory_limit="1Gi")
    assert failure is not None
    assert (failure.problem.reason, failure.problem.message) == (reason, message)


@pytest.mark.parametrize("said", ["OOMKilled", "Error"])
def test_an_oom_kill_is_told_with_its_limit_even_where_the_runtime_missed_it(said: str) -> None:
    failure = pods.failure(terminated(137, reason=said), SPEC, memory_limit="1Gi")
    assert failure is not None
    assert failure.problem.reason is Reason.OOM_KILLED
    assert failure.problem.message == "xgboost was OOMKilled at its memory limit of 1Gi"
    assert "raise spec.resources.limits.memory" in failure.problem.advised


@pytest.mark.parametrize("seen", [pod(), running(), succeeded(XGBOOST, "0.8")])
def test_what_has_not_failed(seen: dict[str, Any]) -> None:
    assert pods.failure(seen, SPEC, memory_limit="1Gi") is None


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("ErrImagePull", Reason.IMAGE_PULL_FAILED),
        ("ImagePullBackOff", Reason.IMAGE_PULL_FAILED),
        ("InvalidImageName", Reason.IMAGE_PULL_FAILED),
        ("CreateContainerConfigError", Reason.CONTAINER_CONFIG_ERROR),
        ("ContainerCreating", None),
        ("PodInitializing", None),
    ],
)
def test_why_a_pod_does_not_start(reason: str, expected: Reason | None) -> None:
    problem = pods.waiting_problem(waiting(reason, "details"))
    assert (problem.reason if problem else None) is expected


def test_back_off_and_the_error_before_it_read_the_same() -> None:
    error = 'rpc error: code = NotFound desc = "x" not found'
    first = pods.waiting_problem(waiting("ErrImagePull", error))
    backing_off = f'Back-off pulling image "x": ErrImagePull: {error}'
    assert pods.waiting_problem(waiting("ImagePullBackOff", backing_off)) == first


@pytest.mark.parametrize("reason", list(Reason))
def test_a_problem_can_be_read_from_what_is_told_of_it(reason: Reason) -> None:
    problem = pods.Problem(reason=reason, message="0/1 nodes; none")
    assert problem.advised.startswith("0/1 nodes; none; ")
    assert pods.Problem.told(reason, problem.advised) == problem
    assert pods.Problem.told(None, "all is well") is None


def test_a_pod_of_no_index_of_ours_is_no_trainer() -> None:
    assert pods.model_type(pod(7), SPEC) is None
    stranger = pod()
    stranger["metadata"]["annotations"] = {}
    assert pods.model_type(stranger, SPEC) is None


def test_a_pod_whose_trainer_has_ended_is_not_active_even_before_its_phase_says_so() -> None:
    ended = terminated(0)
    ended["status"]["phase"] = "Running"
    assert not pods.is_active(ended)


@pytest.mark.parametrize("message", ["", "no json", "[]", '{"unknown": 1}', '{"reason": "Nope"}'])
def test_a_result_that_cannot_be_read_is_none_of_success(message: str) -> None:
    assert pods.published(terminated(0, message)) is None
