"""Sees every open retrain to its end, whichever replica admitted it and whatever was killed."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import structlog
from sqlalchemy import func, select
from trainyard_schema import names

from trainyard_api.cluster import (
    ConflictError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from trainyard_api.cluster.cache import ObjectCache
from trainyard_api.database import Database, DatabaseUnavailableError
from trainyard_api.database.tables import RetrainRun
from trainyard_api.models.objects import Models
from trainyard_api.retraining import records
from trainyard_api.retraining.following import Become, Patience, Step, Withdraw, follow
from trainyard_api.retraining.records import OpenRetrain
from trainyard_api.retraining.requests import request_value
from trainyard_api.retraining.selection import Document
from trainyard_api.trainings.objects import TrainingJobs
from trainyard_api.trainings.training_job import TrainingJob

log = structlog.get_logger()

# "follow" in ASCII. Whoever holds it writes; the others would write the same.
_LOCK: Final = 0x666F6C6C6F77
_PERIOD_SECONDS: Final = 5.0
_REST_SECONDS: Final = 0.5
"""Between two rounds: what changes together is looked at once."""
_DOUBT_SECONDS: Final = 5.0
"""How long something must have been missing before it is taken for gone."""

Changes = dict[uuid.UUID, dict[str, Become]]


class Reconciler:
    """One in each replica. What it decides follows from the cluster and the rows alone."""

    def __init__(
        self,
        *,
        database: Database,
        models: Models,
        model_cache: ObjectCache[dict[str, Any]],
        jobs: TrainingJobs,
        job_cache: ObjectCache[TrainingJob],
        patience: Patience,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._models = models
        self._model_cache = model_cache
        self._jobs = jobs
        self._job_cache = job_cache
        self._patience = patience
        self._clock = clock
        self._wake = asyncio.Event()
        self._followed: set[str] = set()
        """Names of the Models and runs that rows are open for."""
        self._doubts: dict[tuple[uuid.UUID, str], float] = {}
        """Since when something is missing, by request and Model."""

    def wake(self) -> None:
        """There is something new to follow."""
        self._wake.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work in the background."""
        tasks = [
            asyncio.create_task(self._run()),
            asyncio.create_task(self._listen(self._model_cache)),
            asyncio.create_task(self._listen(self._job_cache)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, cache: ObjectCache[Any]) -> None:
        async with cache.subscribe() as news:
            async for name in news:
                if name in self._followed:
                    self._wake.set()

    async def _run(self) -> None:
        while True:
            try:
                await self.reconcile()
            except (DatabaseUnavailableError, UnavailableError) as error:
                log.info("retrains are not followed for now", why=str(error))
            except Exception:
                log.exception("following the retrains failed")
            await asyncio.sleep(_REST_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(_PERIOD_SECONDS):
                    await self._wake.wait()
            self._wake.clear()

    async def reconcile(self) -> None:
        """One round over everything that is open."""
        async with self._database.begin() as session:
            retrains = await records.open_retrains(session)
        self._followed = {
            name for one in retrains for run in one.runs for name in (run.model, run.run)
        }
        known = {(one.id, run.model) for one in retrains for run in one.runs}
        self._doubts = {key: since for key, since in self._doubts.items() if key in known}
        changes: Changes = {}
        for one in retrains:
            steps = {run.model: await self._step(one, run) for run in one.runs}
            found = {model: step for model, step in steps.items() if isinstance(step, Become)}
            # A row without open runs is one that somebody else has just begun to end.
            if found or not one.runs:
                changes[one.id] = found
        if changes:
            await self._write(changes)

    async def _write(self, changes: Changes) -> None:
        async with self._database.begin() as session:
            lock = await session.scalars(select(func.pg_try_advisory_xact_lock(_LOCK)))
            if not lock.one():
                return
            for retrain, steps in changes.items():
                await records.change_runs(session, retrain, steps)
        for retrain, steps in changes.items():
            for model, step in steps.items():
                log.info(
                    "retrain", retrain=str(retrain), model=model, status=step.status,
                    error=step.error,
                )  # fmt: skip

    async def _step(self, retrain: OpenRetrain, run: RetrainRun) -> Step | None:
        """What to do about a run; None: nothing yet."""
        model: Document | None = self._model_cache.get(run.model)
        job: Document | None = self._job_cache.get(run.run)
        step = self._follow(retrain, run, model, job)
        if isinstance(step, Become) and step.doubtful:
            # Nothing is taken for gone on the strength of a cache.
            model, job = await self._look(run)
            step = self._follow(retrain, run, model, job)
        if isinstance(step, Withdraw) and model is not None:
            await self._withdraw(run.model, model, request_value(retrain.id))
            return None
        key = retrain.id, run.model
        if not (isinstance(step, Become) and step.doubtful):
            self._doubts.pop(key, None)
            return step
        since = self._doubts.setdefault(key, self._clock())
        return step if self._clock() - since >= _DOUBT_SECONDS else None

    def _follow(
        self, retrain: OpenRetrain, run: RetrainRun, model: Document | None, job: Document | None
    ) -> Step:
        return follow(
            run,
            request_value(retrain.id),
            age_seconds=retrain.age_seconds,
            model=model,
            job=job,
            patience=self._patience,
        )

    async def _look(self, run: RetrainRun) -> tuple[Document | None, Document | None]:
        model: Document | None = None
        job: Document | None = None
        # The Model first: a run that it has answered with is there by then.
        with suppress(NotFoundError):
            model = await self._models.get(run.model)
        with suppress(NotFoundError):
            job = await self._jobs.get(run.run)
        return model, job

    async def _withdraw(self, name: str, model: Document, value: str) -> None:
        """Take a request back, so that no run answers a row that has ended."""
        version = model["metadata"]["resourceVersion"]
        try:
            await self._models.annotate(
                name, {names.RETRAIN_ANNOTATION: None}, resource_version=version
            )
        except (ConflictError, NotFoundError):
            return
        except RefusedError as error:
            log.warning("a request cannot be taken back", model=name, error=str(error))
            return
        log.info("request taken back", model=name, request=value)
