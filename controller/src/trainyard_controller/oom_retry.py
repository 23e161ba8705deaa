"""spec.oomRetry: whether another Job with more memory follows one that has ended, and what it has.

A Job's template cannot be changed, so there is another Job, whose name follows from how often the
limit was raised. That is put on record first, in one write; then the Job before it is deleted, and
then the new one is created. Whoever is killed in between, the next one goes on from the record.
"""

from decimal import Decimal
from math import ceil

from trainyard_schema import (
    MemoryRaise,
    ModelType,
    Reason,
    Resources,
    RunConfig,
    TrainingJobSpec,
)
from trainyard_schema.spec import OomRetry, ResourceLimits, ResourceRequests, parse_quantity
from trainyard_schema.status import MOST_MEMORY_RAISES

from trainyard_controller.objects import Document, parse_time
from trainyard_controller.observation import Observation
from trainyard_controller.outcome import finished_condition

OUT_OF_MEMORY = frozenset({Reason.OOM_KILLED, Reason.INSUFFICIENT_MEMORY})
_MI = 2**20


def larger_limit(memory: str, policy: OomRetry) -> str | None:
    """The limit after `memory`, in whole Mi; None where that is the most already."""
    now, most = parse_quantity(memory), parse_quantity(policy.max_memory)
    if now >= most:
        return None
    larger = _up_to_mi(now * Decimal(str(policy.factor)))
    return policy.max_memory if parse_quantity(larger) >= most else larger


def _up_to_mi(size: Decimal) -> str:
    return f"{ceil(size / _MI)}Mi"


def next_raise(seen: Observation) -> MemoryRaise | None:
    """What follows a Job that has ended because its memory was too small; None: the run's end.

    Of several model types only those are tried again. Others that failed have failed for good.
    """
    policy, before = seen.spec.oom_retry, seen.training_job.status.oom_retries or []
    if policy is None or seen.job is None or seen.spec.cancel or len(before) >= MOST_MEMORY_RAISES:
        return None
    end = finished_condition(seen.job)
    if end is None or end.get("reason") == "DeadlineExceeded":
        return None
    failed = [kind for kind in seen.model_types if _ran_out_of_memory(seen, kind)]
    memory = larger_limit(seen.memory_limit, policy)
    if not failed or memory is None:
        return None
    return MemoryRaise(
        model_types=failed,
        memory=memory,
        attempts=seen.attempts,
        active_deadline_seconds=_seconds_left(seen, seen.job, end),
        time=seen.now,
    )


def _ran_out_of_memory(seen: Observation, kind: ModelType) -> bool:
    cause = seen.causes.get(kind)
    return cause is not None and cause.reason in OUT_OF_MEMORY


def _seconds_left(seen: Observation, job: Document, end: Document) -> int | None:
    """What is left of the run's deadline, of which its Jobs each have what the last one left."""
    if seen.deadline_seconds is None:
        return None
    started = job["status"].get("startTime") or job["metadata"]["creationTimestamp"]
    taken = parse_time(end["lastTransitionTime"]) - parse_time(started)
    return max(1, seen.deadline_seconds - int(taken.total_seconds()))


def raised(
    spec: TrainingJobSpec, run: RunConfig, last: MemoryRaise | None
) -> tuple[TrainingJobSpec, RunConfig]:
    """What a Job is built from after the limit was raised: memory, deadline and model types.

    The request grows with the limit, so that the pod's quality of service stays what it was.
    """
    if last is None:
        return spec, run
    requests, limits = spec.resources.requests, spec.resources.limits
    growth = parse_quantity(last.memory) / parse_quantity(limits.memory)
    request = _up_to_mi(parse_quantity(requests.memory) * growth)
    if parse_quantity(request) > parse_quantity(last.memory):
        request = last.memory
    resources = Resources(
        requests=ResourceRequests(cpu=requests.cpu, memory=request),
        limits=ResourceLimits(cpu=limits.cpu, memory=last.memory),
    )
    changed = {"resources": resources, "active_deadline_seconds": last.active_deadline_seconds}
    return (
        spec.model_copy(update=changed),
        run.model_copy(update={"model_types": last.model_types}),
    )
