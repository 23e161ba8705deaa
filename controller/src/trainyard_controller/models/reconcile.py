"""Brings one Model from where it is to where its spec, its requests and the time want it."""

from collections.abc import Callable
from datetime import datetime

import structlog
from pydantic import ValidationError
from trainyard_schema import ModelSpec, validate_hyperparameters
from trainyard_schema.base import explain
from trainyard_schema.hyperparameters import HyperparameterError

from trainyard_controller.announce import Announcement, build_event
from trainyard_controller.cache import Cache
from trainyard_controller.errors import ApiError, ConflictError, RefusedError
from trainyard_controller.kube import Api
from trainyard_controller.models.announce import announcements
from trainyard_controller.models.cache import ModelCache
from trainyard_controller.models.history import beyond_limits
from trainyard_controller.models.kube import ModelApi
from trainyard_controller.models.objects import Model
from trainyard_controller.models.plan import Plan, Start, decide, no_plan
from trainyard_controller.models.run import build_run
from trainyard_controller.models.schedule import Schedule, ScheduleError
from trainyard_controller.models.status import Problem, model_status
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
        instance: str,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._api = api
        self._events = events
        self._cache = cache
        self._queue = queue
        self._runs = runs
        self._run_queue = run_queue
        self._instance = instance
        self._now = now

    async def __call__(self, key: Key) -> None:
        """Reconcile one Model. Raises `ApiError` where it must be tried again."""
        model = self._cache.model(key)
        if model is None or model.deleting:
            # Its TrainingJobs follow it through their ownerReferences.
            self._queue.forget(key)
            return
        try:
            spec, schedule = _read_spec(model)
        except ValidationError as error:
            await self._reject(model, explain(error, prefix="spec"))
        except (ScheduleError, HyperparameterError) as error:
            await self._reject(model, str(error))
        else:
            await self._reconcile(model, spec, schedule)

    async def _reject(self, model: Model, message: str) -> None:
        problem = Problem(reason=INVALID_SPEC, message=message)
        await self._write(model, no_plan(model), self._now(), problem)

    async def _reconcile(self, model: Model, spec: ModelSpec, schedule: Schedule | None) -> None:
        now = self._now()
        plan = decide(model, spec, schedule, self._runs.runs(model.uid), now)
        if plan.start or plan.cancel:
            # Nothing is started or cancelled on the strength of a cache.
            if await self._is_outdated(model):
                return
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
        await self._write(model, plan, now, problem)
        # By now the status tells of all runs that may be cleared away.
        for run in beyond_limits(self._runs.runs(model.uid), spec.history_limits):
            await self._api.delete_run(run.name, uid=run.uid)
            self._runs.drop_training_job(run.key, run.uid)
        if plan.look_again:
            wait = (plan.look_again - self._now()).total_seconds()
            self._queue.add_after(model.key, min(wait, LONGEST_WAIT_SECONDS))

    async def _is_outdated(self, model: Model) -> bool:
        live = await self._api.get_model(model.name)
        if live is None:
            self._cache.drop(model.key, model.uid)
        elif self._cache.put(live):
            self._queue.add(model.key)
        return self._cache.model(model.key) is not model

    async def _read_runs(self, model: Model) -> None:
        for document in await self._api.list_runs(uid=model.uid):
            self._take(document)

    def _take(self, document: Document) -> None:
        """Take note of a run. Its watch will not tell again what is known."""
        if self._runs.put_training_job(document):
            self._run_queue.add((document["metadata"]["namespace"], document["metadata"]["name"]))

    async def _cancel(self, model: Model, name: str) -> None:
        cancelled = await self._api.cancel_run(name)
        if cancelled is not None:
            log.info("run cancelled", key="/".join(model.key), run=name)
            self._take(cancelled)

    async def _create(self, model: Model, spec: ModelSpec, start: Start) -> Problem | None:
        try:
            created = await self._api.create_run(build_run(model, spec, start))
        except RefusedError as error:
            log.warning("run refused", key="/".join(model.key), error=str(error))
            message = f"the TrainingJob {start.name} cannot be created: {error}"
            return Problem(reason=RUN_REFUSED, message=message)
        log.info("run started", key="/".join(model.key), run=start.name)
        self._take(created)
        return None

    async def _write(
        self, model: Model, plan: Plan, now: datetime, problem: Problem | None
    ) -> None:
        """Write the status, and tell of it, unless it is there already.

        Raises `ConflictError` where the Model has changed since; the cache has it by then.
        """
        status = model_status(model, self._runs.runs(model.uid), plan, now, problem=problem)
        if status == model.status:
            return
        try:
            fresh = await self._api.replace_status(
                name=model.name,
                uid=model.uid,
                resource_version=model.resource_version,
                status=status.to_dict(),
            )
        except ConflictError:
            await self._is_outdated(model)
            raise
        except RefusedError as error:
            if error.status != 404:
                raise
            self._cache.drop(model.key, model.uid)
            return
        self._cache.put(fresh)
        for announced in announcements(model.status, status, plan):
            await self._announce(model, announced, now)

    async def _announce(self, model: Model, announced: Announcement, now: datetime) -> None:
        event = build_event(model, announced, now, instance=self._instance)
        try:
            await self._events.create_event(event)
        except ApiError as error:
            # The status is the record; an Event is a courtesy.
            log.warning("event not posted", key="/".join(model.key), error=str(error))


def _read_spec(model: Model) -> tuple[ModelSpec, Schedule | None]:
    spec = ModelSpec.from_stored(model.spec)
    training = spec.template.spec
    prefix = "spec.template.spec.hyperparameters"
    validate_hyperparameters(training.model_types, training.hyperparameters, prefix=prefix)
    schedule = Schedule.parse(spec.schedule, spec.time_zone) if spec.schedule else None
    return spec, schedule
