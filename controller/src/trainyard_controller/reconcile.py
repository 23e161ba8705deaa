"""Brings one TrainingJob from where it is to where its spec wants it."""

from collections.abc import Callable
from datetime import datetime, timedelta

from pydantic import ValidationError
from trainyard_schema import (
    TERMINAL_PHASES,
    Phase,
    Reason,
    RunConfig,
    TrainingJobSpec,
    TrainingJobStatus,
    run_config,
)
from trainyard_schema.base import explain
from trainyard_schema.hyperparameters import HyperparameterError

from trainyard_controller.cache import Cache
from trainyard_controller.checkpoints import Checkpoints
from trainyard_controller.jobs import Jobs, OutdatedError
from trainyard_controller.looks import Looks
from trainyard_controller.objects import Document, Key, TrainingJob, utc_now
from trainyard_controller.observation import Observation
from trainyard_controller.outcome import finished_condition
from trainyard_controller.pending import has_given_up, seconds_left
from trainyard_controller.pods import Problem
from trainyard_controller.poller import ProgressPoller
from trainyard_controller.queue.admission import Admission
from trainyard_controller.queue.wait import Wait
from trainyard_controller.recorder import Recorder
from trainyard_controller.settings import Settings
from trainyard_controller.status import desired_status, rejected_status
from trainyard_controller.workqueue import WorkQueue


class Reconciler:
    """One call for one key: act on what is known, write the status that follows, plan the next."""

    def __init__(
        self,
        *,
        jobs: Jobs,
        cache: Cache,
        queue: WorkQueue[Key],
        poller: ProgressPoller,
        recorder: Recorder,
        checkpoints: Checkpoints,
        admission: Admission,
        settings: Settings,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._jobs = jobs
        self._cache = cache
        self._queue = queue
        self._poller = poller
        self._recorder = recorder
        self._checkpoints = checkpoints
        self._admission = admission
        self._settings = settings
        self._now = now
        self._looks = Looks()

    async def __call__(self, key: Key) -> None:
        """Reconcile one TrainingJob. Raises `ApiError` where it must be tried again."""
        training_job = self._cache.training_job(key)
        if training_job is None or training_job.deleting or not training_job.ours:
            # The Job and pods of one that is deleted follow it through their ownerReferences.
            self._forget(key, training_job)
            return
        if training_job.finished:
            self._forget(key, training_job)
            await self._collect_garbage(training_job)
            await self._checkpoints.retry(training_job.uid)
            return
        try:
            spec, run = self._read_spec(training_job)
        except ValidationError as error:
            await self._reject(training_job, Reason.INVALID_SPEC, explain(error, prefix="spec"))
            return
        except HyperparameterError as error:
            await self._reject(training_job, Reason.INVALID_HYPERPARAMETER, str(error))
            return
        await self._reconcile(training_job, spec, run)

    async def _reject(self, training_job: TrainingJob, reason: Reason, message: str) -> None:
        job = self._cache.job(training_job)
        if job is not None and not finished_condition(job):
            # Another version of the operator took the spec for a good one.
            await self._jobs.delete(training_job, job)
        problem = Problem(reason=reason, message=message)
        await self._recorder.write(
            training_job, rejected_status(training_job, problem, self._now())
        )

    def _forget(self, key: Key, training_job: TrainingJob | None) -> None:
        self._recorder.forget(key)
        self._looks.forget(key)
        self._admission.leave(key, training_job)
        self._jobs.forget(key)
        if training_job is None:
            self._queue.forget(key)

    def _read_spec(self, training_job: TrainingJob) -> tuple[TrainingJobSpec, RunConfig]:
        spec = TrainingJobSpec.from_stored(training_job.spec)
        run = run_config(
            spec,
            namespace=training_job.namespace,
            name=training_job.name,
            uid=training_job.uid,
            storage=self._settings.storage,
            image=self._settings.trainer_image,
            requester=training_job.requester,
        )
        return spec, run

    async def _reconcile(
        self, training_job: TrainingJob, spec: TrainingJobSpec, run: RunConfig
    ) -> None:
        wait = await self._admission.turn(training_job)
        try:
            job, refusal = await self._jobs.adjust(training_job, spec, run, wait)
        except OutdatedError:
            return
        status = self._status(training_job, spec, job, refusal, wait)
        unsure = _decides(training_job, status) and not _is_sure(status, job)
        due = _stops_pods(status, spec) and self._looks.is_due(training_job.key)
        if unsure or due or _has_stopped(training_job, status):
            # What is final, or that no pod is left, is not said on the strength of a cache.
            changed, job = await self._jobs.read_live(training_job)
            # What is no news by then may be what a watch told while this was asked for.
            status = self._status(training_job, spec, job, refusal, wait)
            if changed and status.phase not in TERMINAL_PHASES:
                self._queue.add(training_job.key)
        if _stops_pods(status, spec):
            self._queue.add_after(training_job.key, self._looks.left(training_job.key))
        else:
            self._looks.forget(training_job.key)
        left = seconds_left(spec, status.pending_since, self._now())
        if left is not None and left > 0:
            self._queue.add_after(training_job.key, left)
        await self._write(training_job, status)
        if _decides(training_job, status):
            # It is on record now, and what follows from it can be done.
            self._queue.add(training_job.key)

    async def _write(self, training_job: TrainingJob, status: TrainingJobStatus) -> None:
        await self._recorder.write(training_job, status)
        if status.phase in (Phase.CANCELLED, Phase.FAILED):
            await self._checkpoints.remove(training_job.uid)

    def _status(
        self,
        training_job: TrainingJob,
        spec: TrainingJobSpec,
        job: Document | None,
        refusal: Problem | None,
        wait: Wait | None,
    ) -> TrainingJobStatus:
        known = self._cache.pods(training_job.uid)
        return desired_status(
            Observation(
                training_job=training_job,
                spec=spec,
                job=job,
                pods=known,
                gone_pods=self._cache.gone_pods(training_job.uid),
                heard=self._poller.heard(known),
                silent=self._poller.silent(known),
                past=self._cache.past.by_type(
                    *training_job.key, training_job.spec, spec.model_types
                ),
                refusal=refusal,
                wait=wait,
                now=self._now(),
            )
        )

    async def _collect_garbage(self, training_job: TrainingJob) -> None:
        """Delete the Job of a finished TrainingJob when its time to live is over.

        One that was cancelled has none: what is there was on its way when the end was written.
        """
        job = self._cache.job(training_job)
        if job is None:
            return
        if training_job.status.phase is not Phase.CANCELLED:
            ttl = training_job.spec.get("ttlSecondsAfterFinished")
            ended = training_job.status.completion_time
            if ttl is None or ended is None:
                return
            left = (ended + timedelta(seconds=ttl) - self._now()).total_seconds()
            if left > 0:
                self._queue.add_after(training_job.key, left)
                return
        await self._jobs.delete(training_job, job)


def _stops_pods(status: TrainingJobStatus, spec: TrainingJobSpec) -> bool:
    """Whether the run waits for its pods to stop."""
    if status.phase in TERMINAL_PHASES:
        return False
    suspending = spec.suspend and status.phase in (Phase.STARTING, Phase.RUNNING)
    return suspending or status.phase is Phase.CANCELLING or has_given_up(status)


def _has_stopped(training_job: TrainingJob, status: TrainingJobStatus) -> bool:
    """Whether it is news that the run is suspended, with no pod left."""
    return status.phase is Phase.SUSPENDED and training_job.status.phase is not Phase.SUSPENDED


def _decides(training_job: TrainingJob, status: TrainingJobStatus) -> bool:
    """Whether the status has what is not taken back, and what the operator then acts on."""
    return (
        status.phase in TERMINAL_PHASES
        or has_given_up(status) > has_given_up(training_job.status)
        or len(status.oom_retries or []) > training_job.raises
    )


def _is_sure(status: TrainingJobStatus, job: Document | None) -> bool:
    """Whether a last word needs no further look, for which the API server goes through all pods.

    Versions that the last words of its pods name are there, and cannot become fewer.
    """
    return status.phase is Phase.SUCCEEDED and job is not None
