"""The Job of a TrainingJob in the cluster: created, suspended, deleted, and looked at."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import structlog
from trainyard_schema import RunConfig, TrainingJobSpec

from trainyard_controller import pods
from trainyard_controller.cache import Cache
from trainyard_controller.errors import ConflictError, RefusedError
from trainyard_controller.job import build_job
from trainyard_controller.kube import Api
from trainyard_controller.objects import Document, Key, TrainingJob, parse_time, utc_now
from trainyard_controller.outcome import finished_condition
from trainyard_controller.pending import has_given_up
from trainyard_controller.pods import Problem
from trainyard_controller.refusals import job_refusal, pod_refusal
from trainyard_controller.settings import Settings
from trainyard_controller.workqueue import WorkQueue

REFUSED_RETRY_SECONDS = 15.0
POD_GRACE_SECONDS = 5.0
"""How long a Job may be without a pod before its Events are asked why."""
SURELY_SEEN_SECONDS = 30.0
"""One older than this may have run and lost its Job already: look before a Job is created."""

log = structlog.get_logger(__name__)


class OutdatedError(Exception):
    """The TrainingJob has changed, or is gone: there is nothing to do about what was known."""


class Jobs:
    """Makes the Job what its TrainingJob asks for, and tells what is in the way."""

    def __init__(
        self,
        *,
        api: Api,
        cache: Cache,
        queue: WorkQueue[Key],
        settings: Settings,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._api = api
        self._cache = cache
        self._queue = queue
        self._settings = settings
        self._now = now
        self._refusals: dict[str, Problem] = {}
        self._inherited: set[str] = set()

    def take_over(self, unfinished: Iterable[TrainingJob]) -> None:
        """Begin where another operator left off: what it did last may not have been told yet."""
        self._inherited = {one.uid for one in unfinished}

    def forget(self, training_job: TrainingJob) -> None:
        """Drop what is remembered of a TrainingJob that has ended."""
        self._refusals.pop(training_job.uid, None)

    async def adjust(
        self, training_job: TrainingJob, spec: TrainingJobSpec, run: RunConfig
    ) -> tuple[Document | None, Problem | None]:
        """Create, suspend, resume or delete the Job, whichever is due.

        Returns the Job and why it, or its pods, cannot be created. Raises `OutdatedError`.
        """
        job = self._cache.job(training_job)
        if job is not None and finished_condition(job):
            return job, None
        if spec.cancel or has_given_up(training_job.status):
            if job is not None:
                await self.delete(training_job, job)
            return job, None
        if job is not None:
            if job["spec"]["suspend"] != spec.suspend:
                job = await self._patch_suspend(training_job, suspend=spec.suspend)
            return job, await self._why_no_pod(training_job, job)
        if training_job.status.job_name is not None:
            return None, None
        if await self._is_outdated(training_job):
            raise OutdatedError
        return await self._create(training_job, spec, run)

    async def delete(self, training_job: TrainingJob, job: Document) -> None:
        """Delete the Job, and after it its pods, unless that is under way."""
        if "deletionTimestamp" not in job["metadata"]:
            await self._api.delete_job(
                training_job.namespace, training_job.job_name, uid=job["metadata"]["uid"]
            )

    async def read_live(self, training_job: TrainingJob) -> tuple[bool, Document | None]:
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

    async def _is_outdated(self, training_job: TrainingJob) -> bool:
        young = self._now() - training_job.created < timedelta(seconds=SURELY_SEEN_SECONDS)
        if young and training_job.uid not in self._inherited:
            return False
        live = await self._api.get_training_job(*training_job.key)
        if live is None:
            self._cache.drop_training_job(training_job.key, training_job.uid)
        elif self._cache.put_training_job(live):
            self._queue.add(training_job.key)
        self._inherited.discard(training_job.uid)
        return self._cache.training_job(training_job.key) is not training_job

    async def _create(
        self, training_job: TrainingJob, spec: TrainingJobSpec, run: RunConfig
    ) -> tuple[Document | None, Problem | None]:
        manifest = build_job(training_job, spec, run, self._settings)
        try:
            created = await self._api.create_job(training_job.namespace, manifest)
        except RefusedError as error:
            log.warning("Job refused", error=str(error))
            self._queue.add_after(training_job.key, REFUSED_RETRY_SECONDS)
            return None, job_refusal(error)
        self._cache.put_job(created)
        return self._cache.job(training_job), None

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
