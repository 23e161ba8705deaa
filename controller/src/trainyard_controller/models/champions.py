"""Brings the champion of one Model from where it is to where its runs and requests want it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from pydantic import ValidationError
from trainyard_schema import Manifest, ModelSpec, ModelType, VersionKey

from trainyard_controller.cache import Cache
from trainyard_controller.models import requests
from trainyard_controller.models.announce import announcements
from trainyard_controller.models.history import turn
from trainyard_controller.models.judgement import judge
from trainyard_controller.models.kube import ModelApi
from trainyard_controller.models.objects import Model
from trainyard_controller.models.plan import Plan
from trainyard_controller.models.pruning import delete, doomed, in_use, read_pointers
from trainyard_controller.models.publication import latest_records, publish
from trainyard_controller.models.records import Records
from trainyard_controller.models.status import Problem, with_publication, with_runs
from trainyard_controller.models.transition import Decision, has_room, restored, unpublished
from trainyard_controller.object_store import ObjectStore, StoreError
from trainyard_controller.objects import Document, Key, TrainingJob
from trainyard_controller.workqueue import WorkQueue

STORAGE_UNAVAILABLE = "StorageUnavailable"
CHECK_SECONDS = 300.0
"""A pointer that is older than this is compared with the status when the Model is looked at."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Settled:
    """A Model about whose champion nothing is left to be decided now."""

    model: Model
    """With what was found out, and has yet to be written."""
    problem: Problem | None = None
    """Why the object store does not say what the status says."""
    error: StoreError | None = None
    """What has to be tried again."""


class Champions:
    """Decides one thing at a time: each is one write of the status, after which the Model comes
    again. What the status says is then published; only then are old versions deleted.
    """

    def __init__(
        self,
        *,
        api: ModelApi,
        records: Records,
        store: ObjectStore,
        runs: Cache,
        queue: WorkQueue[Key],
        take: Callable[[Document], None],
        now: Callable[[], datetime],
    ) -> None:
        self._api = api
        self._records = records
        self._store = store
        self._runs = runs
        self._queue = queue
        self._take = take
        self._now = now
        self._to_prune: set[str] = set()
        self._checked: dict[str, float] = {}

    async def settle(self, model: Model, spec: ModelSpec | None) -> Settled | None:
        """Decide, publish, prune. None: the Model has changed, and comes again.

        Without a spec that can be understood, requests are answered and runs are left to wait.
        """
        error = None
        try:
            if model.status.published is None:
                records = await latest_records(self._store, model.name)
                status = restored(model.status, records)
                if records:
                    await self._write(model, Decision(status=status))
                    return None
                model = replace(model, status=status)
            if has_room(model.status) and requests.is_asked(model):
                await self._answer(model)
                return None
        except StoreError as unavailable:
            error = unavailable
        known = model.status.published is not None
        if spec and known and has_room(model.status) and self._unjudged(model):
            await self._judge(model, spec)
            return None
        problem = None
        try:
            if unpublished(model.status) or self._is_due(model):
                if await self._records.is_outdated(model):
                    return None
                problem = await publish(self._store, model, self._now())
                if problem is None:
                    self._checked[model.uid] = time.monotonic()
                    latest = model.status.history[-1].number
                    status = model.status.model_copy(update={"published": latest})
                    model = replace(model, status=status)
            if spec and problem is None and model.uid in self._to_prune:
                await self._prune(model, spec)
        except StoreError as unavailable:
            error = unavailable
        if error is not None:
            problem = Problem(reason=STORAGE_UNAVAILABLE, message=str(error))
        return Settled(model=model, problem=problem, error=error)

    def _is_due(self, model: Model) -> bool:
        """Whether to look at the pointer though nothing has moved: someone may have changed it."""
        checked = self._checked.get(model.uid)
        due = checked is None or time.monotonic() - checked > CHECK_SECONDS
        return due and bool(model.status.history)

    def _unjudged(self, model: Model) -> list[TrainingJob]:
        """The finished runs that were not decided about, in the order of their starts."""
        ended = [run for run in self._runs.runs(model.uid) if run.finished]
        fresh = [run for run in ended if run.name not in model.status.judged]
        return sorted(fresh, key=turn)

    async def _answer(self, model: Model) -> None:
        if await self._records.is_outdated(model):
            return
        version = requests.wanted_version(model)
        found = await self._find(model, version) if version else None
        decision = requests.answer(model, found, self._now())
        if decision is not None:
            await self._write(model, decision)

    async def _find(self, model: Model, version: str) -> requests.Found | None:
        for model_type in ModelType:
            key = VersionKey(model.name, model_type, version)
            content = await self._store.get(key.manifest)
            if content is not None:
                try:
                    manifest = Manifest.model_validate_json(content.body, extra="ignore")
                except ValidationError:
                    log.warning("unreadable manifest", manifest=key.manifest)
                    return None
                return requests.Found(f"s3://{self._store.bucket}/{key.prefix}", manifest)
        return None

    async def _judge(self, model: Model, spec: ModelSpec) -> None:
        # No champion moves on the strength of a cache.
        if await self._records.is_outdated(model):
            return
        for document in await self._api.list_runs(model.namespace, uid=model.uid):
            self._take(document)
        there = {run.name for run in self._runs.runs(model.uid)}
        judged = [name for name in model.status.judged if name in there]
        status = model.status.model_copy(update={"judged": judged})
        unjudged = self._unjudged(model)
        if not unjudged:
            # Deleted just now.
            self._queue.add(model.key)
            return
        decision = judge(status, spec, unjudged[0], self._now())
        if decision.announced:
            self._to_prune.add(model.uid)
        await self._write(model, decision)

    async def _write(self, model: Model, decision: Decision) -> None:
        status = with_runs(decision.status, self._runs.runs(model.uid))
        if decision.status.champion != model.status.champion:
            status = with_publication(model, status, self._now())
        told = [*announcements(model.status, status, Plan()), *decision.announced]
        await self._records.write(model, status, told)
        for one in decision.announced:
            log.info("decided", what=one.reason, why=one.message)
        self._queue.add(model.key)

    async def _prune(self, model: Model, spec: ModelSpec) -> None:
        if any(not run.finished for run in self._runs.runs(model.uid)):
            # The version that it leaves must not go before it is judged.
            return
        entries = await self._store.entries(f"models/{model.name}/")
        pointers = await read_pointers(self._store, model.name)
        if await self._records.is_outdated(model):
            return
        used = in_use(model.status, spec, self._runs.training_jobs(), pointers)
        for version in doomed(entries, used, spec.history_limits.versions, self._now()):
            await delete(self._store, version)
            log.info("version deleted", version=version.key.prefix)
        self._to_prune.discard(model.uid)
