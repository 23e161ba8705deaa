"""Everything that the status of a TrainingJob follows from, at one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from trainyard_schema import (
    Metric,
    ModelType,
    ModelVersion,
    Reason,
    RunResult,
    TrainingJobSpec,
    Verdict,
)
from trainyard_schema.run import RunProgress

from trainyard_controller import leaderboard, pods, verdicts
from trainyard_controller.objects import Document, TrainingJob
from trainyard_controller.pods import PodFailure, Problem


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A TrainingJob, its Job and its pods, and what can be concluded from them alone."""

    training_job: TrainingJob
    spec: TrainingJobSpec
    job: Document | None
    pods: Sequence[Document] = ()
    gone_pods: Sequence[Document] = ()
    """Pods that existed and no longer do, as last seen: what they left still counts."""
    reports: Mapping[ModelType, RunProgress] = field(default_factory=dict)
    """The latest words of the running trainers."""
    refusal: Problem | None = None
    """Why the API server refuses the Job, or the Job's pods."""
    now: datetime
    """In whole seconds, which is what the API's timestamps have."""

    @cached_property
    def all_pods(self) -> list[Document]:
        """The pods of every attempt that is known."""
        return [*self.gone_pods, *self.pods]

    @cached_property
    def active_pods(self) -> list[Document]:
        """The pods that have yet to end."""
        return [pod for pod in self.pods if pods.is_active(pod)]

    @cached_property
    def trainer_runs(self) -> bool:
        """Whether any trainer runs."""
        return any(pods.is_running(pod) for pod in self.pods)

    @cached_property
    def running(self) -> dict[ModelType, RunProgress]:
        """The words of those trainers that run now."""
        kinds = {pods.model_type(pod, self.spec) for pod in self.pods if pods.is_running(pod)}
        return {kind: report for kind, report in self.reports.items() if kind in kinds}

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
            failure = pods.failure(pod, self.spec)
            if failure is None or (stopped and "deletionTimestamp" in pod["metadata"]):
                continue
            interrupted = failure.problem.reason is Reason.INTERRUPTED
            if not (interrupted and pod["metadata"]["uid"] in gone):
                found.append(failure)
        return sorted(found, key=lambda failure: failure.time)


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
