"""Sees failures, and writes their alerts into the outbox."""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from trainyard_api.alerts import outbox
from trainyard_api.alerts.causes import Cause, cause_of_retrain, cause_of_run
from trainyard_api.cluster import UnavailableError
from trainyard_api.cluster.cache import ObjectCache
from trainyard_api.cluster.subscription import Subscription
from trainyard_api.database import Database, DatabaseUnavailableError
from trainyard_api.database.tables import AlertState, RetrainRun
from trainyard_api.metrics import Metrics
from trainyard_api.trainings.training_job import TrainingJob

log = structlog.get_logger()

_PERIOD_SECONDS: Final = 2.0
_AWAY_SECONDS: Final = 5.0
_RUNS_AT_ONCE: Final = 200
_COUNTED_EVERY: Final = 8
"""Rounds from one count for the metrics to the next."""


class Collector:
    """One in each replica. All see the same failures, and the first one writes."""

    def __init__(
        self, database: Database, jobs: ObjectCache[TrainingJob], metrics: Metrics
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._metrics = metrics
        # Kept until they are written: the TrainingJob may be gone before Postgres is back.
        self._failed: dict[str, Cause] = {}

    async def follow(self, changed: Subscription) -> None:
        """Take note of each failed run that the watch tells of, for ever."""
        async for name in changed:
            try:
                job = self._jobs.get(name)
                cause = None if job is None else cause_of_run(job)
            except UnavailableError:
                # Told by this replica's own write, before everything has been listed.
                continue
            except (KeyError, TypeError, ValueError):
                log.exception("a TrainingJob cannot be read", name=name)
                continue
            if cause is not None:
                self._failed[cause.key] = cause

    async def run(self) -> None:
        """Write alerts and count them, for ever: no failure ends it."""
        rounds = 0
        while True:
            pause = _PERIOD_SECONDS
            try:
                await self.collect()
                if rounds % _COUNTED_EVERY == 0:
                    await self.count()
                rounds += 1
            except DatabaseUnavailableError:
                pause = _AWAY_SECONDS
            except Exception:
                log.exception("collecting failures failed")
                pause = _AWAY_SECONDS
            await asyncio.sleep(pause)

    async def collect(self) -> None:
        """Write the alerts of all failures that are known. Raises `DatabaseUnavailableError`."""
        await self._collect_retrains()
        while self._failed:
            causes = list(self._failed.values())[:_RUNS_AT_ONCE]
            async with self._database.begin() as session:
                await outbox.record(session, await outbox.worth_an_alert(session, causes))
            for one in causes:
                if self._failed.get(one.key) is one:
                    del self._failed[one.key]

    async def _collect_retrains(self) -> None:
        async with self._database.begin() as session:
            causes = [
                cause_of_retrain(log, runs, self._reasons(runs))
                for log, runs in await outbox.failed_retrains(session)
            ]
            await outbox.record(session, causes)

    def _reasons(self, runs: Sequence[RetrainRun]) -> dict[str, str]:
        """Why runs failed, as far as their TrainingJobs are still there."""
        reasons = {}
        for run in runs:
            try:
                job = self._jobs.get(run.run)
            except UnavailableError:
                break
            reason = job and (job.get("status") or {}).get("reason")
            if reason:
                reasons[run.run] = str(reason)
        return reasons

    async def count(self) -> None:
        """Set the metrics that the tables tell. Raises `DatabaseUnavailableError`."""
        async with self._database.begin() as session:
            waiting = await outbox.counts(session)
            retrains = await outbox.retrains_by_status(session)
        for state in (AlertState.PENDING, AlertState.DEAD):
            self._metrics.alerts.labels(state).set(waiting[state])
        for status, number in retrains.items():
            self._metrics.retrains.labels(status).set(number)
