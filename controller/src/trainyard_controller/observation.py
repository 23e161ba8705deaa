"""Everything that the status of a TrainingJob follows from, at one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from trainyard_schema import (
    MemoryRaise,
    Metric,
    ModelType,
    ModelTypeStatus,
    ModelVersion,
    Phase,
    Reason,
    RunResult,
    TrainingJobSpec,
    Verdict,
)

from trainyard_controller import leaderboard, pods, progress, verdicts
from trainyard_controller.estimate import Estimate
from trainyard_controller.objects import Document, TrainingJob, parse_time
from trainyard_controller.past import PastRun
from trainyard_controller.pods import PodFailure, Problem
from trainyard_controller.progress import Heard
from trainyard_controller.queue.standing import kueue_queue
from trainyard_controller.queue.wait import Wait


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A TrainingJob, its Job and its pods, and what can be concluded from them alone."""

    training_job: TrainingJob
    spec: TrainingJobSpec
    job: Document | None
    pods: Sequence[Document] = ()
    gone_pods: Sequence[Document] = ()
    """Pods that existed and no longer do, as last seen: what they left still counts."""
    heard: Mapping[ModelType, Heard] = field(default_factory=dict)
    """The latest words of the trainers."""
    silent: bool = False
    """Whether a running trainer has not been heard for long."""
    past: Mapping[ModelType, Sequence[PastRun]] = field(default_factory=dict)
    """The latest runs of the same work."""
    refusal: Problem | None = None
    """Why the API server refuses the Job, or the Job's pods."""
    wait: Wait | None = None
    """What it is told in the operator's own queue."""
    now: datetime
    """In whole seconds, which is what the API's timestamps have."""

    @cached_property
    def kueue(self) -> str | None:
        """The queue of Kueue that decides when it runs."""
        return kueue_queue(self.training_job, self.job)

    @property
    def withdrawn(self) -> bool:
        """Whether it is to have no Job for now: Kueue would let one go on that it has admitted."""
        return self.spec.suspend and self.kueue is not None

    @cached_property
    def all_pods(self) -> list[Document]:
        """The pods of every attempt of the present Job that is known, also those it has lost."""
        owners = (self.training_job.job_name, None)
        return [pod for pod in [*self.gone_pods, *self.pods] if pods.job_name(pod) in owners]

    @cached_property
    def active_pods(self) -> list[Document]:
        """The pods of the present Job that have yet to end."""
        present = {pod["metadata"]["uid"] for pod in self.pods}
        return [
            pod
            for pod in self.all_pods
            if pod["metadata"]["uid"] in present and pods.is_active(pod)
        ]

    @cached_property
    def trainer_runs(self) -> bool:
        """Whether any trainer runs."""
        return any(pods.is_running(pod) for pod in self.active_pods)

    @cached_property
    def running(self) -> dict[ModelType, Heard]:
        """The words of those trainers that run now."""
        active = (pod for pod in self.active_pods if pods.is_running(pod))
        kinds = {pods.model_type(pod, self.spec) for pod in active}
        return {kind: heard for kind, heard in self.heard.items() if kind in kinds}

    @cached_property
    def estimates(self) -> dict[ModelType, Estimate]:
        """How far those trainers are."""
        return progress.estimates(self.running, self.past, gated=self.spec.gate is not None)

    @property
    def last_raise(self) -> MemoryRaise | None:
        """How the memory limit was raised for the present Job; None for the first one."""
        raises = self.training_job.status.oom_retries
        return raises[-1] if raises else None

    @property
    def model_types(self) -> Sequence[ModelType]:
        """What the present Job trains, by completion index."""
        return self.last_raise.model_types if self.last_raise else self.spec.model_types

    @property
    def memory_limit(self) -> str:
        """The limit of the present Job's pods."""
        return self.last_raise.memory if self.last_raise else self.spec.resources.limits.memory

    @property
    def deadline_seconds(self) -> int | None:
        """The activeDeadlineSeconds of the present Job."""
        if self.last_raise:
            return self.last_raise.active_deadline_seconds
        return self.spec.active_deadline_seconds

    @property
    def attempts(self) -> int:
        """Pods started so far, by all Jobs: those on record, and those that started later.

        Of those that started in the second of the last one on record, the known ones count.
        """
        before = self.training_job.status
        earlier = self.last_raise.attempts if self.last_raise else 0
        recorded, last = before.attempts or 0, before.last_start_time
        later = [start for start in self.starts if last is not None and start > last]
        return max(recorded + len(later), earlier + len(self.starts))

    @property
    def last_start(self) -> datetime | None:
        """When the last of these pods started."""
        known = [self.training_job.status.last_start_time, *self.starts]
        return max((start for start in known if start is not None), default=None)

    @cached_property
    def recorded(self) -> dict[ModelType, ModelTypeStatus]:
        """What the status says of each of several model types."""
        return {one.model_type: one for one in self.training_job.status.model_types or []}

    @cached_property
    def failed(self) -> set[ModelType]:
        """The model types that have failed for good."""
        indexes = _indexes((self.job or {}).get("status", {}).get("failedIndexes", ""))
        here = {kind for index, kind in enumerate(self.model_types) if index in indexes}
        return here | (set(self.spec.model_types) - set(self.model_types) - set(self.uploaded))

    @property
    def podless_since(self) -> datetime | None:
        """Since when a model type of the present Job has had no pod, of which it still needs one.

        The longest such time counts: it is about one Job that its Events tell.
        """
        if self.job is None:
            return None
        with_pod = {pods.model_type(pod, self.spec) for pod in self.active_pods}
        settled = with_pod | self.failed | set(self.uploaded)
        begun = self.job["status"].get("startTime") or self.job["metadata"]["creationTimestamp"]
        since = {kind: parse_time(begun) for kind in self.model_types if kind not in settled}
        for pod in self.all_pods:
            kind = pods.model_type(pod, self.spec)
            if kind in since:
                created = parse_time(pod["metadata"]["creationTimestamp"])
                since[kind] = max(since[kind], created)
        return min(since.values(), default=None)

    @property
    def uncompleted(self) -> list[ModelType]:
        """The model types of the present Job without a pod that succeeded: others may follow."""
        succeeded = (pod for pod in self.all_pods if pods.has_succeeded(pod))
        completed = {pods.model_type(pod, self.spec) for pod in succeeded}
        return [kind for kind in self.model_types if kind not in completed]

    @cached_property
    def causes(self) -> dict[ModelType, Problem]:
        """Why the missing model types failed last, as far as it is known."""
        last = {failure.model_type: failure.problem for failure in self.failures}
        found = {kind: last.get(kind) or self._recorded_cause(kind) for kind in self.missing}
        return {kind: cause for kind, cause in found.items() if cause is not None}

    def _recorded_cause(self, kind: ModelType) -> Problem | None:
        """What was found out before the pods were gone."""
        one = self.recorded.get(kind)
        if one is not None and one.phase is Phase.FAILED and one.reason is not None:
            return Problem(reason=one.reason, message=one.message or "")
        recorded = self.training_job.status.last_failure
        if recorded is None or recorded.model_type != kind:
            return None
        if self.last_raise is not None and recorded.time < self.last_raise.time:
            # It was the cause of the Job before.
            return None
        return Problem(reason=recorded.reason, message=recorded.message)

    @cached_property
    def _merged(self) -> tuple[list[ModelVersion], list[Metric]]:
        before = self.training_job.status
        results = [found for pod in self.all_pods if (found := self._result(pod)) is not None]
        return leaderboard.merge(before.models, before.metrics, results)

    def _result(self, pod: Document) -> RunResult | None:
        # What a pod saved that was stopped by something else than cancel is not what the run is to
        # leave: another attempt follows.
        return pods.published(pod) or (pods.saved(pod) if self.spec.cancel else None)

    @property
    def models(self) -> list[ModelVersion]:
        """The versions known by now; one that was known once stays."""
        return self._merged[0]

    @property
    def metrics(self) -> list[Metric]:
        """The numbers of these versions."""
        return self._merged[1]

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """What the gate said of these versions."""
        known = self.training_job.status.verdicts or []
        results = [found for pod in self.all_pods if (found := pods.published(pod)) is not None]
        return verdicts.merge(self.models, known, results)

    @cached_property
    def uploaded(self) -> list[ModelType]:
        """The model types with a whole version."""
        return [model.model_type for model in self.models if not model.partial]

    @cached_property
    def partial(self) -> list[ModelVersion]:
        """What was saved of model types that are not complete."""
        return [model for model in self.models if model.partial]

    @cached_property
    def missing(self) -> list[ModelType]:
        """The model types without a whole version."""
        return [kind for kind in self.spec.model_types if kind not in self.uploaded]

    @cached_property
    def starts(self) -> list[datetime]:
        """When each attempt started, in order."""
        return sorted(start for pod in self.all_pods if (start := pods.started_at(pod)) is not None)

    @property
    def ends(self) -> list[datetime]:
        """When each attempt ended."""
        return [end for pod in self.all_pods if (end := pods.ended_at(pod)) is not None]

    @cached_property
    def failures(self) -> list[PodFailure]:
        """The failed attempts by time. A pod that was stopped on purpose has not failed."""
        stopped = self.spec.suspend or self.spec.cancel or _stops_pods(self.job)
        # Such a pod may have been stopped on purpose before. But of a Job that has failed, the last
        # one of an index is the one that it has failed for: what was suspended has had another.
        failed = self.job is not None and _has_failed(self.job)
        gone = set() if failed else {pod["metadata"]["uid"] for pod in self.gone_pods}
        found = []
        for pod in self.all_pods:
            failure = pods.failure(pod, self.spec, memory_limit=self.memory_limit)
            if failure is None or (stopped and "deletionTimestamp" in pod["metadata"]):
                continue
            interrupted = failure.problem.reason is Reason.INTERRUPTED
            if not (interrupted and pod["metadata"]["uid"] in gone):
                found.append(failure)
        return sorted(found, key=lambda failure: failure.time)


def _indexes(text: str) -> set[int]:
    """The completion indexes that a Job's status names, such as `0,2-4`."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def _has_failed(job: Document) -> bool:
    return any(
        (condition["type"], condition["status"]) == ("Failed", "True")
        for condition in job["status"].get("conditions", [])
    )


def _stops_pods(job: Document | None) -> bool:
    """Whether the Job itself deletes its pods: it is suspended, or beyond its deadline."""
    if job is None:
        return False
    return job["spec"]["suspend"] or any(
        condition.get("reason") == "DeadlineExceeded"
        for condition in job["status"].get("conditions", [])
    )
