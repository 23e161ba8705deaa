"""Brings one TrainingJob from where it is to where its spec wants it."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
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

from trainyard_controller import pods
from trainyard_controller.cache import Cache
from trainyard_controller.checkpoints import Checkpoints
from trainyard_controller.errors import ConflictError, RefusedError
from trainyard_controller.job import build_job
from trainyard_controller.kube import Api
from trainyard_controller.objects import Document, Key, TrainingJob, parse_time, utc_now
from trainyard_controller.observation import Observation
from trainyard_controller.outcome import finished_condition
from trainyard_controller.pods import Problem
from trainyard_controller.poller import ProgressPoller
from trainyard_controller.recorder import Recorder
from trainyard_controller.refusals import job_refusal, pod_refusal
from trainyard_controller.settings import Settings
from trainyard_controller.status import desired_status, rejected_status
from trainyard_controller.workqueue import WorkQueue

REFUSED_RETRY_SECONDS = 15.0
CANCELLING_LOOK_SECONDS = 5.0
POD_GRACE_SECONDS = 5.0
"""How long a Job may be without a pod before its Events are asked why."""
SURELY_SEEN_SECONDS = 30.0
"""One older than this may have run and lost its Job already: look before a Job is created."""

log = structlog.get_logger(__name__)


class Reconciler:
    """One call for one key: act on what is known, write the status that follows, plan the next."""

    def __init__(
        self,
        *,
        api: Api,
        cache: Cache,
        queue: WorkQueue[Key],
        poller: ProgressPoller,
        recorder: Recorder,
        checkpoints: Checkpoints,
        settings: Settings,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._api = api
        self._cache = cache
        self._queue = queue
        self._poller = poller
        self._recorder = recorder
        self._checkpoints = checkpoints
        self._settings = settings
        self._now = now
        self._refusals: dict[str, Problem] = {}

    async def __call__(self, key: Key) -> None:
        """Reconcile one TrainingJob. Raises `ApiError` where it must be tried again."""
        training_job = self._cache.training_job(key)
        if training_job is None or training_job.deleting:
            # Its Job and pods follow it through their ownerReferences.
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
            await self._delete_job(training_job, job)
        problem = Problem(reason=reason, message=message)
        await self._recorder.write(
            training_job, rejected_status(training_job, problem, self._now())
        )

    def _forget(self, key: Key, training_job: TrainingJob | None) -> None:
        self._recorder.forget(key)
        if training_job is None:
            self._queue.forget(key)
        else:
            self._refusals.pop(training_job.uid, None)

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
        job = self._cache.job(training_job)
        refusal: Problem | None = None
        if job is not None and finished_condition(job):
            pass
        elif spec.cancel:
            if job is not None and "deletionTimestamp" not in job["metadata"]:
                await self._delete_job(training_job, job)
        elif job is None:
            if training_job.status.job_name is None:
                if await self._is_outdated(training_job):
                    return
                job, refusal = await self._create_job(training_job, spec, run)
        else:
            if job["spec"]["suspend"] != spec.suspend:
                job = await self._patch_suspend(training_job, suspend=spec.suspend)
            refusal = await self._why_no_pod(training_job, job)

        status = self._status(training_job, spec, job, refusal)
        cancelling = status.phase is Phase.CANCELLING
        if cancelling:
            # Pods that go before the watches have begun are never told of.
            self._queue.add_after(training_job.key, CANCELLING_LOOK_SECONDS)
        # A Job that has ended with every version in its pods' last words cannot become less, and
        # the API server would look through all pods of the namespace for those of this run. Any
        # other last word is not said on the strength of a cache.
        complete = status.phase is Phase.SUCCEEDED and job is not None
        if cancelling or (status.phase in TERMINAL_PHASES and not complete):
            changed, job = await self._read_live(training_job)
            if changed:
                status = self._status(training_job, spec, job, refusal)
                if status.phase not in TERMINAL_PHASES:
                    self._queue.add(training_job.key)
        await self._write(training_job, status)

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
    ) -> TrainingJobStatus:
        known = self._cache.pods(training_job.uid)
        return desired_status(
            Observation(
                training_job=training_job,
                spec=spec,
                job=job,
                pods=known,
                gone_pods=self._cache.gone_pods(training_job.uid),
                reports=self._poller.reports(known),
                refusal=refusal,
                now=self._now(),
            )
        )

    async def _is_outdated(self, training_job: TrainingJob) -> bool:
        if self._now() - training_job.created < timedelta(seconds=SURELY_SEEN_SECONDS):
            return False
        live = await self._api.get_training_job(*training_job.key)
        if live is None:
            self._cache.drop_training_job(training_job.key, training_job.uid)
        elif self._cache.put_training_job(live):
            self._queue.add(training_job.key)
        return self._cache.training_job(training_job.key) is not training_job

    async def _create_job(
        self, training_job: TrainingJob, spec: TrainingJobSpec, run: RunConfig
    ) -> tuple[Document | None, Problem | None]:
        manifest = build_job(training_job, spec, run, self._settings)
        try:
            created = await self._api.create_job(training_job.namespace, manifest)
        except RefusedError as error:
            log.warning("Job refused", key="/".join(training_job.key), error=str(error))
            self._queue.add_after(training_job.key, REFUSED_RETRY_SECONDS)
            return None, job_refusal(error)
        self._cache.put_job(created)
        return self._cache.job(training_job), None

    async def _delete_job(self, training_job: TrainingJob, job: Document) -> None:
        await self._api.delete_job(
            training_job.namespace, training_job.job_name, uid=job["metadata"]["uid"]
        )

    async def _patch_suspend(self, training_job: TrainingJob, *, suspend: bool) -> Document:
        patched = await self._api.patch_job(
            training_job.namespace, training_job.job_name, {"spec": {"suspend": suspend}}
        )
        self._cache.put_job(patched)
        job = self._cache.job(training_job)
        if job is None:
            raise ConflictError(f"the Job {training_job.job_name} changed hands")
        return job

    async def _why_no_pod(self, training_job: TrainingJob, job: Document) -> Problem | None:
        """Why an unfinished Job has no active pod: for that only its Events know."""
        uid, known = training_job.uid, self._cache.pods(training_job.uid)
        if job["spec"]["suspend"] or any(pods.is_active(pod) for pod in known):
            self._refusals.pop(uid, None)
            return None
        since = parse_time(job["status"].get("startTime") or job["metadata"]["creationTimestamp"])
        since = max(
            [since, *(parse_time(pod["metadata"]["creationTimestamp"]) for pod in known)],
        )
        waited = (self._now() - since).total_seconds()
        if waited < POD_GRACE_SECONDS:
            self._queue.add_after(training_job.key, POD_GRACE_SECONDS - waited + 0.5)
            return self._refusals.get(uid)
        self._queue.add_after(training_job.key, REFUSED_RETRY_SECONDS)
        told = await self._api.list_failed_creates(training_job.namespace, job["metadata"]["uid"])
        refusal = pod_refusal(told, since=since)
        if refusal is None:
            self._refusals.pop(uid, None)
        else:
            self._refusals[uid] = refusal
        return refusal

    async def _read_live(self, training_job: TrainingJob) -> tuple[bool, Document | None]:
        """Look at one TrainingJob's Job and pods themselves. Tells whether that brought news."""
        cached = self._cache.job(training_job)
        live = await self._api.get_job(training_job.namespace, training_job.job_name)
        if live is not None:
            changed = self._cache.put_job(live)
        elif cached is not None:
            changed = self._cache.drop_job(training_job.job_name, cached["metadata"]["uid"])
        else:
            changed = False
        live_pods = await self._api.list_pods(training_job.namespace, uid=training_job.uid)
        changed = self._cache.replace_pods(training_job.uid, live_pods) or changed
        return changed, self._cache.job(training_job)

    async def _collect_garbage(self, training_job: TrainingJob) -> None:
        """Delete the Job of a finished TrainingJob when its time to live is over."""
        job = self._cache.job(training_job)
        ttl = training_job.spec.get("ttlSecondsAfterFinished")
        ended = training_job.status.completion_time
        if job is None or ttl is None or ended is None or "deletionTimestamp" in job["metadata"]:
            return
        left = (ended + timedelta(seconds=ttl) - self._now()).total_seconds()
        if left > 0:
            self._queue.add_after(training_job.key, left)
            return
        await self._delete_job(training_job, job)
