"""What a trainer pod tells: whether it runs, what it left, why it failed or does not start."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from trainyard_schema import (
    EXIT_CODES,
    GUIDES,
    ModelType,
    Reason,
    RunResult,
    TrainingJobSpec,
    names,
)
from trainyard_schema.run import OOM_EXIT_CODE, model_type_of_pod

from trainyard_controller.objects import Document, parse_time

_REASONS: Mapping[int, Reason] = {code: reason for reason, code in EXIT_CODES.items()}
_IMAGE_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
    }
)
_CONFIG_REASONS = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
)


def _advice(reason: Reason) -> str:
    return f"; {GUIDES[reason].advice}"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why a run does not get on, or did not."""

    reason: Reason
    message: str

    @property
    def advised(self) -> str:
        """The message, and what to do."""
        return f"{self.message}{_advice(self.reason)}"

    @classmethod
    def told(cls, reason: Reason | None, message: str | None) -> "Problem | None":
        """The problem that a status tells of in the words of `advised`, if it does."""
        if reason is None:
            return None
        return cls(reason=reason, message=(message or "").removesuffix(_advice(reason)))


@dataclass(frozen=True, kw_only=True)
class PodFailure:
    """One attempt that failed."""

    model_type: ModelType
    problem: Problem
    exit_code: int | None
    time: datetime


def model_type(pod: Document, spec: TrainingJobSpec) -> ModelType | None:
    """Which of the run's model types the pod trains; None for a pod that is no trainer."""
    return model_type_of_pod(pod["metadata"]["annotations"], spec.model_types)


def job_name(pod: Document) -> str | None:
    """The name of the Job that the pod belongs to; None where the Job went without its pods."""
    for owner in pod["metadata"].get("ownerReferences") or []:
        if owner["kind"] == "Job":
            return str(owner["name"])
    return None


def _container_status(pod: Document) -> Document:
    for status in pod["status"].get("containerStatuses", []):
        if status["name"] == names.TRAINER_CONTAINER:
            return dict(status)
    return {}


def _state(pod: Document, name: str) -> Document | None:
    state: Document | None = _container_status(pod).get("state", {}).get(name)
    return state


def _condition(pod: Document, name: str, status: str) -> Document | None:
    for condition in pod["status"].get("conditions", []):
        if condition["type"] == name and condition["status"] == status:
            return dict(condition)
    return None


def is_active(pod: Document) -> bool:
    """Whether the pod's trainer has yet to end. The pod's phase follows a moment later."""
    ended = pod["status"].get("phase") in ("Succeeded", "Failed")
    return not ended and _state(pod, "terminated") is None


def is_running(pod: Document) -> bool:
    """Whether its trainer runs."""
    return _state(pod, "running") is not None


def has_succeeded(pod: Document) -> bool:
    """Whether it counts as a success of its Job."""
    return bool(pod["status"].get("phase") == "Succeeded")


def started_at(pod: Document) -> datetime | None:
    """When its trainer started; None if it has not."""
    state = _state(pod, "running") or _state(pod, "terminated")
    text = state.get("startedAt") if state else None
    return parse_time(text) if text else None


def ended_at(pod: Document) -> datetime | None:
    """When its trainer ended; None if it has not, or never started."""
    text = (_state(pod, "terminated") or {}).get("finishedAt")
    return parse_time(text) if text else None


def result(pod: Document) -> RunResult | None:
    """What the trainer left as termination message; None if it left nothing that can be read."""
    terminated = _state(pod, "terminated")
    if terminated is None:
        return None
    try:
        return RunResult.model_validate_json(terminated.get("message", ""), extra="ignore")
    except ValidationError:
        return None


def published(pod: Document) -> RunResult | None:
    """The result of a trainer that ended well; None for all others."""
    terminated = _state(pod, "terminated")
    if terminated is None or terminated.get("exitCode") != 0:
        return None
    found = result(pod)
    return found if found is not None and found.version is not None else None


def saved(pod: Document) -> RunResult | None:
    """The result of a trainer that was stopped and left a partial version; None for all others."""
    found = result(pod)
    partial = found is not None and found.version is not None and found.version.partial
    return found if partial else None


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip()[:500] if lines else ""


def _terminated_problem(
    pod: Document, terminated: Document, kind: ModelType, memory_limit: str
) -> Problem:
    code = terminated.get("exitCode", 0)
    # Container runtimes can miss why the kernel killed a container (seen with containerd 1.6 on
    # cgroup v1). Nothing else sends SIGKILL to a pod that nobody has deleted.
    killed = code == OOM_EXIT_CODE and "deletionTimestamp" not in pod["metadata"]
    if killed or terminated.get("reason") == "OOMKilled":
        return Problem(
            reason=Reason.OOM_KILLED,
            message=f"{kind} was OOMKilled at its memory limit of {memory_limit}",
        )
    if terminated.get("reason") in ("StartError", "ContainerCannotRun"):
        return Problem(
            reason=Reason.CONTAINER_CONFIG_ERROR,
            message=f"{kind} could not start: {_last_line(terminated.get('message', ''))}",
        )
    left = result(pod)
    if left is not None and left.reason is not None:
        return Problem(reason=left.reason, message=f"{kind}: {left.message}")
    last = _last_line(terminated.get("message", ""))
    if code == OOM_EXIT_CODE:
        return Problem(
            reason=Reason.INTERRUPTED, message=f"{kind} did not stop in time and was killed"
        )
    if code == 0:
        return Problem(
            reason=Reason.TRAINER_CRASHED,
            message=f"{kind} ended without a result (exit code 0): is it the right trainer image?",
        )
    reason = _REASONS.get(code, Reason.TRAINER_CRASHED)
    return Problem(
        reason=reason,
        message=f"{kind} ended with exit code {code}" + (f": {last}" if last else ""),
    )


def failure(pod: Document, spec: TrainingJobSpec, *, memory_limit: str) -> PodFailure | None:
    """Why the pod failed; None if it has not, or is none of ours. `memory_limit` is the pod's."""
    kind = model_type(pod, spec)
    if kind is None or pod["status"].get("phase") not in ("Failed", "Succeeded"):
        return None
    if published(pod) is not None:
        return None
    terminated = _state(pod, "terminated")
    disruption = _condition(pod, "DisruptionTarget", "True")
    exit_code: int | None = terminated.get("exitCode") if terminated else None
    finished = (terminated or {}).get("finishedAt") or pod["metadata"].get("deletionTimestamp")
    if disruption is not None:
        problem = Problem(
            reason=Reason.PREEMPTED,
            message=f"{kind}: Kubernetes took the pod away: {disruption.get('message', '')}",
        )
        finished = finished or disruption.get("lastTransitionTime")
    elif terminated is not None:
        problem = _terminated_problem(pod, terminated, kind, memory_limit)
    else:
        why = pod["status"].get("message") or pod["status"].get("reason") or "no container started"
        problem = Problem(reason=Reason.TRAINER_CRASHED, message=f"{kind}: the pod failed: {why}")
    return PodFailure(
        model_type=kind,
        problem=problem,
        exit_code=exit_code,
        time=parse_time(finished or pod["metadata"]["creationTimestamp"]),
    )


def _image_message(waiting: dict[str, Any], image: str) -> str:
    # The kubelet alternates between the error and "Back-off pulling image ...: the error".
    message = waiting.get("message", "").rpartition("ErrImagePull: ")[2]
    return f"cannot pull image {image}: {message or waiting['reason']}"


def waiting_problem(pod: Document) -> Problem | None:
    """Why an active pod's trainer does not start; None while there is nothing wrong."""
    if not is_active(pod):
        return None
    waiting = _state(pod, "waiting")
    if waiting is not None:
        reason = waiting.get("reason")
        if reason in _IMAGE_REASONS:
            image = _container_status(pod).get("image", "")
            return Problem(reason=Reason.IMAGE_PULL_FAILED, message=_image_message(waiting, image))
        if reason in _CONFIG_REASONS:
            return Problem(
                reason=Reason.CONTAINER_CONFIG_ERROR,
                message=f"cannot create the container: {waiting.get('message', reason)}",
            )
    unscheduled = _condition(pod, "PodScheduled", "False")
    if unscheduled is not None and unscheduled.get("reason") == "Unschedulable":
        # What follows the first sentence is about preemption, and changes from try to try.
        why = unscheduled.get("message", "").partition(". ")[0].rstrip(".")
        return Problem(
            reason=Reason.UNSCHEDULABLE,
            message=f"no node takes the pod: {why}",
        )
    return None
