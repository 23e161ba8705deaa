"""From a request to Models that were asked: written down first, then done."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from trainyard_schema import names

from trainyard_api.cluster import ConflictError, NotFoundError, RefusedError, UnavailableError
from trainyard_api.cluster.cache import ObjectCache
from trainyard_api.database import Database, DatabaseUnavailableError
from trainyard_api.database.tables import RetrainStatus
from trainyard_api.models.objects import Models
from trainyard_api.retraining import records
from trainyard_api.retraining.data import TrainingData
from trainyard_api.retraining.estimate import (
    estimate_seconds,
    merged,
    present_runs,
    recorded_runs,
)
from trainyard_api.retraining.following import Become
from trainyard_api.retraining.limits import Admitted, Limits, admit
from trainyard_api.retraining.requests import ALL, RetrainError, RetrainRequest, request_value
from trainyard_api.retraining.selection import Target, marked, requested
from trainyard_api.trainings.training_job import TrainingJob

log = structlog.get_logger()

_ATTEMPTS: Final = 10
"""To ask a Model whose status the operator is just writing."""


@dataclass(frozen=True, kw_only=True)
class Started:
    """A retrain that is going on."""

    admitted: Admitted
    estimated_seconds: int

    @property
    def job_id(self) -> str:
        """What the client is told to ask for."""
        return request_value(self.admitted.id)

    @property
    def answer(self) -> dict[str, Any]:
        """As POST /retrain answers."""
        return {
            "status": "processing",
            "job_id": self.job_id,
            "estimated_time": self.estimated_seconds,
        }


class Retraining:
    """Retraining on request, for one namespace."""

    def __init__(
        self,
        *,
        database: Database,
        models: Models,
        model_cache: ObjectCache[dict[str, Any]],
        job_cache: ObjectCache[TrainingJob],
        data: TrainingData,
        limits: Limits,
        on_admitted: Callable[[], None],
    ) -> None:
        self._database = database
        self._models = models
        self._model_cache = model_cache
        self._job_cache = job_cache
        self._data = data
        self._limits = limits
        self._on_admitted = on_admitted

    async def start(self, request: RetrainRequest) -> Started:
        """Ask the Models that are meant for a run each.

        Raises `LimitError`, `RetrainError`, `UnavailableError` and `DatabaseUnavailableError`. A
        request that was admitted is written down whatever comes of it; killed at any line, the
        `Reconciler` ends what is left open.
        """
        targets, problem = await self._select(request)
        async with self._database.begin() as session:
            # Before the lock that all others wait for.
            past = {
                target.name: merged(
                    await recorded_runs(session, target.name),
                    present_runs(self._job_cache.all(), target),
                )
                for target in targets
            }
            admitted = await admit(
                session, request, targets, self._limits, problem=_as_retrain_error(problem)
            )
        if problem is not None:
            raise problem
        self._on_admitted()
        log.info(
            "retrain admitted",
            retrain=str(admitted.id),
            models=sorted(admitted.runs),
            mode=request.mode,
        )
        started = Started(admitted=admitted, estimated_seconds=estimate_seconds(past, request.mode))
        await self._ask_all(request, started, targets)
        return started

    async def _select(
        self, request: RetrainRequest
    ) -> tuple[Sequence[Target], RetrainError | UnavailableError | None]:
        """The Models that are meant, or why they cannot be asked."""
        try:
            if request.model_type == ALL:
                targets = marked(self._model_cache.all())
            else:
                targets = [Target(await self._models.find(request.model_type))]
            # What this needs to know later, it must know now.
            self._job_cache.require_recent()
            targets = [await self._checked(target) for target in targets]
        except NotFoundError:
            return (), RetrainError(f"there is no Model {request.model_type}", status=404)
        except (RetrainError, UnavailableError) as error:
            return (), error
        return targets, None

    async def _checked(self, target: Target) -> Target:
        try:
            target.check()
        except RetrainError:
            # Nobody is refused on the strength of a cache.
            target = Target(await self._models.get(target.name))
            target.check()
        return target

    async def _ask_all(
        self, request: RetrainRequest, started: Started, targets: Sequence[Target]
    ) -> None:
        asked: list[str] = []
        try:
            await self._data.check(targets)
            for target in targets:
                await self._ask(target, request, started.job_id)
                asked.append(target.name)
        except (RetrainError, UnavailableError) as error:
            # Of a Model that did not answer it is not known whether it was asked: its run stays
            # open until the cluster tells.
            unknown = {targets[len(asked)].name} if isinstance(error, UnavailableError) else set()
            left = [one.name for one in targets if one.name not in {*asked, *unknown}]
            failed = Become(status=RetrainStatus.FAILED, error=str(error))
            answer = {"error": str(error), "status": _as_retrain_error(error).status}
            await self._record(started, asked, dict.fromkeys(left, failed), answer)
            raise
        await self._record(started, asked, {}, started.answer)

    async def _ask(self, target: Target, request: RetrainRequest, value: str) -> None:
        annotations: dict[str, str | None] = {
            names.RETRAIN_ANNOTATION: value,
            names.RETRAIN_MODE_ANNOTATION: f"{request.mode} {value}",
            names.RETRAIN_REQUESTER_ANNOTATION: f"{request.subject} {value}",
        }
        uid = target.uid
        try:
            for _ in range(_ATTEMPTS):
                if requested(target.document) == value:
                    return
                target.check()
                try:
                    await self._models.annotate(
                        target.name, annotations, resource_version=target.resource_version
                    )
                except ConflictError:
                    target = Target(await self._models.get(target.name))
                    if target.uid != uid:
                        break
                else:
                    return
        except NotFoundError:
            pass
        except RefusedError as error:
            raise RetrainError(
                f"the cluster refuses to retrain {target.name}: {error}", status=422
            ) from error
        else:
            if target.uid == uid:
                raise RetrainError(f"Model {target.name} changes all the time", status=409)
        raise RetrainError(f"Model {target.name} has just been deleted", status=404)

    async def _record(
        self,
        started: Started,
        asked: Sequence[str],
        failed: dict[str, Become],
        answer: dict[str, Any],
    ) -> None:
        changes = dict.fromkeys(asked, Become(status=RetrainStatus.PROCESSING)) | failed
        try:
            async with self._database.begin() as session:
                await records.set_answer(session, started.admitted.id, answer)
                await records.change_runs(session, started.admitted.id, changes)
        except DatabaseUnavailableError as error:
            # What was asked for goes on; the reconciler writes down what becomes of it.
            log.warning("the outcome was not recorded", retrain=started.job_id, error=str(error))


def _as_retrain_error(error: RetrainError | UnavailableError | None) -> Any:
    """What is written down of an error."""
    if isinstance(error, UnavailableError):
        return RetrainError(str(error), status=503)
    return error
