"""Brings one Model from where it is to where its spec, its requests and the time want it."""

from collections.abc import Callable
from datetime import datetime

import structlog
from pydantic import ValidationError
from trainyard_schema import ModelSpec, validate_hyperparameters
from trainyard_schema.base import explain
from trainyard_schema.hyperparameters import HyperparameterError

from trainyard_controller.cache import Cache
from trainyard_controller.errors import RefusedError
from trainyard_controller.kube import Api
from trainyard_controller.models.announce import announcements
from trainyard_controller.models.cache import ModelCache
from trainyard_controller.models.champions import Champions, Settled
from trainyard_controller.models.history import beyond_limits
from trainyard_controller.models.kube import ModelApi
from trainyard_controller.models.objects import Model
from trainyard_controller.models.plan import Plan, Start, decide, no_plan
from trainyard_controller.models.records import Records
from trainyard_controller.models.run import build_run
from trainyard_controller.models.schedule import Schedule, ScheduleError
from trainyard_controller.models.status import Problem, model_status
from trainyard_controller.object_store import ObjectStore
from trainyard_controller.objects import Document, Key, utc_now
from trainyard_controller.workqueue import WorkQueue

INVALID_SPEC = "InvalidSpec"
RUN_REFUSED = "RunRefused"
REFUSED_RETRY_SECONDS = 30.0
LONGEST_WAIT_SECONDS = 60.0
"""The clock may be set while a Model waits for a time: it is looked at this often."""

log = structlog.get_logger(__name__)


class ModelReconciler:
    """One call for one key: start, cancel and clear away runs, and write the status that follows.

    Everything it needs to know stands in the Model and its TrainingJobs, so it may be killed at any
    line: names of runs follow from what they answer, and an answer is recorded after its run.
    """

    def __init__(
        self,
        *,
        api: ModelApi,
        events: Api,
        cache: ModelCache,
        queue: WorkQueue[Key],
        runs: Cache,
        run_queue: WorkQueue[Key],
        store: ObjectStore,
        instance: str,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._api = api
        self._cache = cache
        self._queue = queue
        self._runs = runs
        self._run_queue = run_queue
        self._records = Records(api=api, events=events, cache=cache, queue=queue, instance=instance)
        self._champions = Champions(
            api=api,
            records=self._records,
            store=store,
            runs=runs,
            queue=queue,
            take=self._take,
            now=now,
        )
        self._now = now

    async def __call__(self, key: Key) -> None:
        """Reconcile one Model. Raises `ApiError` where it must be tried again."""
        model = self._cache.model(key)
        if model is None or model.deleting:
            # Its TrainingJobs follow it through their ownerReferences.
            self._queue.forget(key)
            return
        invalid, spec, schedule = None, None, None
        try:
            spec = ModelSpec.from_stored(model.spec)
            schedule = _read_schedule(spec)
        except ValidationError as error:
            invalid = explain(error, prefix="spec")
        except (ScheduleError, HyperparameterError) as error:
            invalid = str(error)
        settled = await self._champions.settle(model, spec)
        if settled is None:
            return
        if spec is None or invalid is not None:
            problem = Problem(reason=INVALID_SPEC, message=invalid or "")
            await self._write(model, settled, no_plan(model), self._now(), problem)
        elif not await self._reconcile(model, settled, spec, schedule):
            return
        if settled.error is not None:
            raise settled.error

    async def _reconcile(
        self, known: Model, settled: Settled, spec: ModelSpec, schedule: Schedule | None
    ) -> bool:
        """Start, cancel and clear away runs. False if the Model comes again at once."""
        model, now = settled.model, self._now()
        plan = decide(model, spec, schedule, self._runs.runs(model.uid), now)
        if plan.start or plan.cancel:
            # Nothing is started or cancelled on the strength of a cache.
            if await self._records.is_outdated(known):
                return False
            await self._read_runs(model)
            plan = decide(model, spec, schedule, self._runs.runs(model.uid), now)
        problem = None
        for name in plan.cancel:
            await self._cancel(model, name)
        if plan.start:
            problem = await self._create(model, spec, plan.start)
        if problem is not None:
            plan = plan.held_up(model)
            self._queue.add_after(model.key, REFUSED_RETRY_SECONDS)
        await self._write(known, settled, plan, now, problem)
        # By now the status tells of all runs that may be cleared away.
        judged = [run for run in self._runs.runs(model.uid) if run.name in model.status.judged]
        for run in beyond_limits(judged, spec.history_limits):
            await self._api.delete_run(*run.key, uid=run.uid)
            self._runs.drop_training_job(run.key, run.uid)
        if plan.look_again:
            wait = (plan.look_again - self._now()).total_seconds()
            self._queue.add_after(model.key, min(wait, LONGEST_WAIT_SECONDS))
        return True

    async def _read_runs(self, model: Model) -> None:
        for document in await self._api.list_runs(model.namespace, uid=model.uid):
            self._take(document)

    def _take(self, document: Document) -> None:
        """Take note of a run. Its watch will not tell again what is known."""
        if self._runs.put_training_job(document):
            self._run_queue.add((document["metadata"]["namespace"], document["metadata"]["name"]))

    async def _cancel(self, model: Model, name: str) -> None:
        cancelled = await self._api.cancel_run(model.namespace, name)
        if cancelled is not None:
            log.info("run cancelled", run=name)
            self._take(cancelled)

    async def _create(self, model: Model, spec: ModelSpec, start: Start) -> Problem | None:
        try:
            created = await self._api.create_run(model.namespace, build_run(model, spec, start))
        except RefusedError as error:
            log.warning("run refused", error=str(error))
            message = f"the TrainingJob {start.name} cannot be created: {error}"
            return Problem(reason=RUN_REFUSED, message=message)
        log.info("run started", run=start.name)
        self._take(created)
        return None

    async def _write(
        self, known: Model, settled: Settled, plan: Plan, now: datetime, problem: Problem | None
    ) -> None:
        """Write the status, and tell of it, unless it is there already."""
        runs = self._runs.runs(known.uid)
        status = model_status(
            settled.model, runs, plan, now, problem=problem, unpublished=settled.problem
        )
        if status != known.status:
            await self._records.write(known, status, announcements(known.status, status, plan))


def _read_schedule(spec: ModelSpec) -> Schedule | None:
    training = spec.template.spec
    prefix = "spec.template.spec.hyperparameters"
    validate_hyperparameters(training.model_types, training.hyperparameters, prefix=prefix)
    return Schedule.parse(spec.schedule, spec.time_zone) if spec.schedule else None
