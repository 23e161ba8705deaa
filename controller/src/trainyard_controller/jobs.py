"""The Job of a TrainingJob in the cluster: created, suspended, deleted, and looked at."""

from collections.abc import Callable
from datetime import datetime

import structlog
from trainyard_schema import RunConfig, TrainingJobSpec

from trainyard_controller import pods
from trainyard_controller.cache import Cache
from trainyard_controller.errors import ConflictError, RefusedError
from trainyard_controller.failed_creates import FailedCreates
from trainyard_controller.job import build_job
from trainyard_controller.kube import Api
from trainyard_controller.live import read_job, read_pods
from trainyard_controller.objects import Document, Key, TrainingJob, utc_now
from trainyard_controller.observation import Observation
from trainyard_controller.outcome import finished_condition
from trainyard_controller.pending import has_given_up
from trainyard_controller.pods import Problem
from trainyard_controller.queue.admission import Admission
from trainyard_controller.queue.standing import kueue_queue
from trainyard_controller.queue.wait import Wait
from trainyard_controller.refusals import job_refusal, pod_refusal
from trainyard_controller.settings import Settings
from trainyard_controller.workqueue import WorkQueue

REFUSED_RETRY_SECONDS = 15.0
POD_GRACE_SECONDS = 5.0
"""How long a Job may be without a pod before its Events are asked why."""

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
        admission: Admission,
        failed_creates: FailedCreates,
        settings: Settings,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._api = api
        self._cache = cache
        self._queue = queue
        self._admission = admission
        self._settings = settings
        self._now = now
        self._failed_creates = failed_creates

    def forget(self, key: Key) -> None:
        """A TrainingJob has ended, or is gone."""
        self._failed_creates.forget(key)

    async def adjust(
        self, training_job: TrainingJob, spec: TrainingJobSpec, run: RunConfig, wait: Wait | None
    ) -> tuple[Document | None, Problem | None]:
        """Create, suspend, resume or delete the Job, whichever is due; none if it has to `wait`.

        Returns the Job and why it, or its pods, cannot be created. Raises `OutdatedError`.
        """
        job = await self._known(training_job)
        if job is not None and finished_condition(job):
            return job, None
        if training_job.previous_job_name is not None and training_job.status.job_name is None:
            await self._remove(training_job, training_job.previous_job_name)
        if spec.cancel or has_given_up(training_job.status):
            if job is not None:
                await self.delete(training_job, job)
            return job, None
        if job is not None:
            return await self._steer(training_job, spec, job, wait)
        if wait is not None or not self._is_wanted(training_job, spec):
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

    async def _remove(self, training_job: TrainingJob, name: str) -> None:
        """Make sure that the Job before is gone. Raises `ConflictError` as long as it is not."""
        live = await self._api.get_job(training_job.namespace, name)
        if live is not None and training_job.owns(live):
            uid = live["metadata"]["uid"]
            await self._api.delete_job(training_job.namespace, name, uid=uid)
            if await self._api.get_job(training_job.namespace, name) is not None:
                raise ConflictError(f"the Job {name} is still being deleted")
            self._cache.drop_job(name, uid)

    async def read_live(self, training_job: TrainingJob) -> tuple[bool, Document | None]:
        """Look at one TrainingJob's Job and pods themselves. Tells whether that brought news."""
        of_job = await read_job(self._api, self._cache, training_job)
        namespace, uids = training_job.namespace, [training_job.uid]
        of_pods = await read_pods(self._api, self._cache, namespace, uids)
        return of_job or of_pods, self._cache.job(training_job)

    async def _known(self, training_job: TrainingJob) -> Document | None:
        """The Job as it is known, or as it is where that might be old."""
        job = self._cache.job(training_job)
        withdrawn = training_job.status.job_name is None
        if job is not None and withdrawn and kueue_queue(training_job, job) is not None:
            # An event from before its end may have brought it back to the cache.
            _, job = await self.read_live(training_job)
        return job

    def _is_wanted(self, training_job: TrainingJob, spec: TrainingJobSpec) -> bool:
        """Whether a run without a Job, whose turn it is, is to have one."""
        if spec.suspend or training_job.status.job_name is not None:
            return False
        # One that was withdrawn may have left a pod.
        return not any(pods.is_active(pod) for pod in self._cache.pods(training_job.uid))

    async def _steer(
        self, training_job: TrainingJob, spec: TrainingJobSpec, job: Document, wait: Wait | None
    ) -> tuple[Document, Problem | None]:
        """Bring an unfinished Job to what is wanted. Returns it, and why it gets no pod."""
        if kueue_queue(training_job, job) is not None:
            if spec.suspend:
                await self._withdraw(training_job, job)
                return job, None
        elif job["spec"]["suspend"] != (suspend := spec.suspend or wait is not None):
            job = await self._patch_suspend(training_job, suspend=suspend)
        return job, await self._why_no_pod(training_job, spec, job)

    async def _withdraw(self, training_job: TrainingJob, job: Document) -> None:
        """Take the Job of a suspended run from Kueue, which would let go on what it has admitted.

        Only when the status no longer names the Job: else it would seem to be lost.
        """
        if training_job.status.job_name is not None:
            self._queue.add(training_job.key)
        elif "deletionTimestamp" not in job["metadata"]:
            await self.delete(training_job, job)
            self._cache.drop_job(training_job.job_name, job["metadata"]["uid"])

    async def _is_outdated(self, training_job: TrainingJob) -> bool:
        """Whether the cluster knows more: another operator may have run it already.

        What the cache says may be old, and a Job that has been deleted leaves no trace there.
        """
        live = await self._api.get_training_job(*training_job.key)
        if live is None:
            self._cache.drop_training_job(training_job.key, training_job.uid)
            self._queue.add(training_job.key)
        elif self._cache.put_training_job(live):
            self._queue.add(training_job.key)
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
            # Until it is tried again, its slot is of use to others.
            self._admission.leave(training_job.key)
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

    async def _why_no_pod(
        self, training_job: TrainingJob, spec: TrainingJobSpec, job: Document
    ) -> Problem | None:
        """Why a model type of an unfinished Job has no pod: for that only its Events know."""
        seen = Observation(
            training_job=training_job,
            spec=spec,
            job=job,
            pods=self._cache.pods(training_job.uid),
            gone_pods=self._cache.gone_pods(training_job.uid),
            now=self._now(),
        )
        since = None if job["spec"]["suspend"] else seen.podless_since
        if since is None:
            self._failed_creates.forget(training_job.key)
            return None
        waited = (self._now() - since).total_seconds()
        if waited < POD_GRACE_SECONDS:
            self._queue.add_after(training_job.key, POD_GRACE_SECONDS - waited + 0.5)
            return None
        told = await self._failed_creates.of(training_job.key, job["metadata"]["uid"])
        return pod_refusal(told, since=since)
