"""Writes statuses: never twice the same, at once what matters, now and then what is progress."""

import time
from collections.abc import Callable
from datetime import datetime

import structlog
from trainyard_schema import TERMINAL_PHASES, ConditionType, Phase, TrainingJobStatus

from trainyard_controller import verdicts
from trainyard_controller.announce import announcement
from trainyard_controller.cache import Cache
from trainyard_controller.errors import ConflictError, RefusedError
from trainyard_controller.eta_error import EtaErrors
from trainyard_controller.events import post_events
from trainyard_controller.kube import Api
from trainyard_controller.metrics import TRAINING_JOBS_FINISHED
from trainyard_controller.objects import Key, TrainingJob, utc_now
from trainyard_controller.workqueue import WorkQueue

SETTLE_SECONDS = 2.0
"""How long a change that can wait is kept back, for a greater one may follow."""
FIRST_SECONDS = 1.0
"""How long the news of a new Job is kept back: by then its pod may run, which is greater news."""

log = structlog.get_logger(__name__)


class Recorder:
    """Puts on record what the reconciler concludes: in the status, and in a few Events."""

    def __init__(
        self,
        *,
        api: Api,
        cache: Cache,
        queue: WorkQueue[Key],
        interval: float,
        instance: str,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._api = api
        self._cache = cache
        self._queue = queue
        self._interval = interval
        self._instance = instance
        self._now = now
        self._written: dict[Key, float] = {}
        self._noticed: dict[Key, float] = {}
        self._eta_errors = EtaErrors()

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a TrainingJob of which nothing more will be written."""
        self._written.pop(key, None)
        self._noticed.pop(key, None)
        self._eta_errors.forget(key)

    async def write(self, training_job: TrainingJob, status: TrainingJobStatus) -> None:
        """Write the status, and tell of it, unless it is there already or can wait.

        Raises `ConflictError` where the TrainingJob has changed since; the cache has it by then.
        """
        key, before = training_job.key, training_job.status
        if status == before:
            self._noticed.pop(key, None)
            return
        if (wait := self._wait(key, before, status)) > 0:
            self._queue.add_after(key, wait)
            return
        try:
            fresh = await self._api.replace_status(
                *key,
                uid=training_job.uid,
                resource_version=training_job.resource_version,
                status=status.to_dict(),
            )
        except ConflictError:
            await self._refresh(training_job)
            raise
        except RefusedError as error:
            if error.status != 404:
                raise
            self._cache.drop_training_job(key, training_job.uid)
            self._queue.add(key)
            return
        self._written[key] = time.monotonic()
        self._noticed.pop(key, None)
        self._cache.put_training_job(fresh)
        self._eta_errors.note(key, status, self._now())
        log.info("status", phase=status.phase, reason=status.reason, message=status.message)
        await self._announce(training_job, status)
        if status.phase in TERMINAL_PHASES:
            TRAINING_JOBS_FINISHED.labels(status.phase, status.reason or "").inc()
            self._queue.add(key)

    def _wait(self, key: Key, before: TrainingJobStatus, after: TrainingJobStatus) -> float:
        """Seconds until a change is written, if it can wait: more may come, above all the end."""
        now = time.monotonic()
        if before.phase in (None, Phase.QUEUED) and after.phase is Phase.STARTING:
            return self._noticed.setdefault(key, now) + FIRST_SECONDS - now
        if before.phase is None and after.phase is Phase.QUEUED:
            return self._noticed.setdefault(key, now) + SETTLE_SECONDS - now
        if _matters(before, after):
            return 0.0
        settled = self._noticed.setdefault(key, now) + SETTLE_SECONDS
        written = self._written.get(key)
        due = settled if written is None else max(settled, written + self._interval)
        return due - now

    async def _refresh(self, training_job: TrainingJob) -> None:
        live = await self._api.get_training_job(*training_job.key)
        if live is None:
            self._cache.drop_training_job(training_job.key, training_job.uid)
            self._queue.add(training_job.key)
        else:
            self._cache.put_training_job(live)

    async def _announce(self, training_job: TrainingJob, status: TrainingJobStatus) -> None:
        before = training_job.status
        news = verdicts.announcements(before.verdicts or [], status.verdicts or [])
        announced = announcement(before, status)
        told = [*news, *([announced] if announced else [])]
        await post_events(self._api, training_job, told, self._now(), instance=self._instance)


def _matters(before: TrainingJobStatus, after: TrainingJobStatus) -> bool:
    """Whether a change is more than progress, so that it is written at once."""

    def essence(status: TrainingJobStatus) -> tuple[object, ...]:
        return (
            status.phase or Phase.PENDING,
            status.reason,
            status.observed_generation,
            status.job_name,
            status.oom_retries,
            [
                (condition.type, condition.status)
                for condition in status.conditions
                if condition.type not in (ConditionType.POD_READY, ConditionType.MODEL_UPLOADED)
            ],
        )

    return essence(before) != essence(after)
