"""The rows of requests: read, changed, ended. Each function works in its caller's transaction."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from trainyard_api.database.tables import OPEN, RetrainLog, RetrainRun, RetrainStatus, User
from trainyard_api.retraining.following import Become


@dataclass(frozen=True)
class Record:
    """A request with its runs, and who made it."""

    log: RetrainLog
    subject: str
    runs: Sequence[RetrainRun]


@dataclass(frozen=True)
class OpenRetrain:
    """A request that holds a slot."""

    id: uuid.UUID
    age_seconds: float
    runs: Sequence[RetrainRun]
    """Those that have not ended."""


async def open_retrains(session: AsyncSession) -> list[OpenRetrain]:
    """All of them, the oldest first."""
    age = func.extract("epoch", func.clock_timestamp() - RetrainLog.created_at)
    logs = await session.execute(
        select(RetrainLog.id, age)
        .where(RetrainLog.status.in_(OPEN))
        .order_by(RetrainLog.created_at)
    )
    found = {one: float(seconds) for one, seconds in logs}
    runs = await _runs(session, found)
    return [
        OpenRetrain(one, seconds, [run for run in runs[one] if run.status in OPEN])
        for one, seconds in found.items()
    ]


async def change_runs(
    session: AsyncSession, retrain_id: uuid.UUID, changes: dict[str, Become]
) -> None:
    """Bring runs to what is known of them, by Model, and the request to what follows.

    A run that has ended stays as it is, so that any number of replicas may say the same.
    """
    log = await session.get(RetrainLog, retrain_id, with_for_update=True)
    if log is None or log.status not in OPEN:
        return
    now: datetime = (await session.scalars(select(func.clock_timestamp()))).one()
    runs = (await _runs(session, [retrain_id]))[retrain_id]
    for run in runs:
        change = changes.get(run.model)
        if change is None or run.status not in OPEN:
            continue
        run.status = change.status
        run.started_at = change.started_at or run.started_at
        run.error_message = _storable(change.error)
        if change.status not in OPEN:
            run.completed_at = change.completed_at or now
    if any(run.status in OPEN for run in runs):
        if any(run.status != RetrainStatus.INITIATED for run in runs):
            log.status = RetrainStatus.PROCESSING
        return
    errors = [run for run in runs if run.status == RetrainStatus.FAILED]
    log.status = RetrainStatus.FAILED if errors or not runs else RetrainStatus.COMPLETED
    log.completed_at = now
    log.error_message = _summary(errors, len(runs))


def _summary(failed: Sequence[RetrainRun], count: int) -> str | None:
    if not count:
        return "it asked no Model for a run"
    if count == 1 and failed:
        return failed[0].error_message
    return "; ".join(f"{run.model}: {run.error_message}" for run in failed) or None


async def set_answer(session: AsyncSession, retrain_id: uuid.UUID, answer: dict[str, Any]) -> None:
    """Keep what the client was answered."""
    log = await session.get(RetrainLog, retrain_id, with_for_update=True)
    if log is not None:
        log.python_response = {key: _storable(value) for key, value in answer.items()}


async def find(session: AsyncSession, retrain_id: uuid.UUID) -> Record | None:
    """A request."""
    return next(iter(await _records(session, RetrainLog.id == retrain_id, limit=1)), None)


async def newest(
    session: AsyncSession,
    *,
    user: uuid.UUID | None,
    after: tuple[datetime, uuid.UUID] | None,
    limit: int,
) -> list[Record]:
    """Requests, the newest first; of one user, or of all; older ones than `after`."""
    conditions = [] if user is None else [RetrainLog.usuario_id == user]
    if after is not None:
        conditions.append(tuple_(RetrainLog.created_at, RetrainLog.id) < after)
    return await _records(session, *conditions, limit=limit)


async def _records(session: AsyncSession, *conditions: Any, limit: int) -> list[Record]:
    rows = await session.execute(
        select(RetrainLog, User.subject)
        .join(User, User.id == RetrainLog.usuario_id)
        .where(*conditions)
        .order_by(RetrainLog.created_at.desc(), RetrainLog.id.desc())
        .limit(limit)
    )
    found = [(log, subject) for log, subject in rows]
    runs = await _runs(session, [log.id for log, _ in found])
    return [Record(log, subject, runs[log.id]) for log, subject in found]


async def _runs(
    session: AsyncSession, ids: Iterable[uuid.UUID]
) -> dict[uuid.UUID, list[RetrainRun]]:
    by_id: dict[uuid.UUID, list[RetrainRun]] = {one: [] for one in ids}
    found = await session.scalars(
        select(RetrainRun).where(RetrainRun.retrain_id.in_(by_id)).order_by(RetrainRun.model)
    )
    for run in found:
        by_id[run.retrain_id].append(run)
    return by_id


def _storable(value: Any) -> Any:
    """Postgres takes no NUL in a text."""
    return value.replace("\0", "") if isinstance(value, str) else value
