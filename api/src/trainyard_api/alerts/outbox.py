"""The table `alerts`: what is written into it, and what is taken out."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import DateTime, Text, cast, func, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import ColumnElement

from trainyard_api.alerts.causes import AlertType, Cause
from trainyard_api.database.tables import (
    Alert,
    Alerting,
    AlertState,
    RetrainLog,
    RetrainRun,
    RetrainStatus,
)

_RETRAINS_AT_ONCE: Final = 100
# What failed longer ago has its alert, or nobody ran who could have written one.
_LOOKED_BACK: Final = timedelta(days=7)
# Those of an Event live no longer in the API server.
_ANNOUNCED_WITHIN: Final = timedelta(hours=1)


def now() -> ColumnElement[datetime]:
    """By Postgres' clock. Not `now()`, which stands still in a transaction that delivers."""
    return func.clock_timestamp(type_=DateTime(timezone=True))


async def record(session: AsyncSession, causes: Collection[Cause]) -> int:
    """Write alerts of those causes that have none. Returns how many."""
    if not causes:
        return 0
    rows = [
        {"cause": one.key, "type": one.type, "occurred_at": one.occurred_at, "data": one.data}
        for one in causes
    ]
    # Another replica has seen the same.
    statement = insert(Alert).values(rows).on_conflict_do_nothing(index_elements=[Alert.cause])
    return len((await session.scalars(statement.returning(Alert.id))).all())


async def worth_an_alert(session: AsyncSession, causes: Collection[Cause]) -> list[Cause]:
    """Failed runs that are no old news, and that no retraining of the API tells of."""
    since = await session.scalar(select(func.min(Alerting.since)))
    told = set(
        await session.scalars(
            select(RetrainRun.run).where(RetrainRun.run.in_([one.data["run"] for one in causes]))
        )
    )
    return [
        one
        for one in causes
        if since is not None and one.occurred_at >= since and one.data["run"] not in told
    ]


async def failed_retrains(
    session: AsyncSession,
) -> Sequence[tuple[RetrainLog, Sequence[RetrainRun]]]:
    """Retrainings that ended failed and have no alert yet, with their runs, the first first.

    Whoever ended one, and whatever was killed right after that: the row itself asks for its alert.
    One without runs was refused at once, and whoever asked for it was told why.
    """
    logs = (
        await session.scalars(
            select(RetrainLog)
            .where(
                RetrainLog.status == RetrainStatus.FAILED,
                RetrainLog.completed_at >= select(func.min(Alerting.since)).scalar_subquery(),
                RetrainLog.completed_at > func.now() - _LOOKED_BACK,
                select(RetrainRun.run).where(RetrainRun.retrain_id == RetrainLog.id).exists(),
                ~select(Alert.id)
                .where(Alert.cause == literal("retrain/") + cast(RetrainLog.id, Text))
                .exists(),
            )
            .order_by(RetrainLog.completed_at)
            .limit(_RETRAINS_AT_ONCE)
        )
    ).all()
    runs = await runs_of(session, [log.id for log in logs])
    return [(log, runs.get(log.id, [])) for log in logs]


async def runs_of(
    session: AsyncSession, retrains: Collection[uuid.UUID]
) -> Mapping[uuid.UUID, list[RetrainRun]]:
    """The runs of retrainings, by the retraining, in the order of their Models' names."""
    found: dict[uuid.UUID, list[RetrainRun]] = {}
    if retrains:
        query = select(RetrainRun).where(RetrainRun.retrain_id.in_(retrains))
        for run in await session.scalars(query.order_by(RetrainRun.model)):
            found.setdefault(run.retrain_id, []).append(run)
    return found


async def next_due(session: AsyncSession) -> Alert | None:
    """The alert to deliver next, held until the transaction ends; others deliver others."""
    due = Alert.state == AlertState.PENDING, Alert.next_attempt_at <= func.now()
    query = select(Alert).where(*due).order_by(Alert.next_attempt_at).limit(1)
    found: Alert | None = await session.scalar(query.with_for_update(skip_locked=True))
    return found


async def next_unannounced(session: AsyncSession) -> Alert | None:
    """The alert whose Models lack their Events, held until the transaction ends."""
    query = (
        select(Alert)
        .where(
            Alert.type == AlertType.RETRAINING_FAILED,
            Alert.announced_at.is_(None),
            Alert.created_at > func.now() - _ANNOUNCED_WITHIN,
        )
        .order_by(Alert.created_at)
        .limit(1)
    )
    found: Alert | None = await session.scalar(query.with_for_update(skip_locked=True))
    return found


async def page(
    session: AsyncSession,
    *,
    state: AlertState | None,
    before: tuple[datetime, uuid.UUID] | None,
    limit: int,
) -> Sequence[Alert]:
    """Alerts, newest first: those before a position."""
    query = select(Alert).order_by(Alert.created_at.desc(), Alert.id.desc()).limit(limit)
    if state is not None:
        query = query.where(Alert.state == state)
    if before is not None:
        query = query.where(tuple_(Alert.created_at, Alert.id) < tuple_(*before))
    return (await session.scalars(query)).all()


async def redeliver(session: AsyncSession, identifier: uuid.UUID) -> Alert | None:
    """Have an alert delivered once more, from the first attempt on.

    None where there is none, or where a replica is delivering it in this moment.
    """
    query = select(Alert.id).where(Alert.id == identifier)
    if await session.scalar(query.with_for_update(skip_locked=True)) is None:
        return None
    changed: Alert | None = await session.scalar(
        update(Alert)
        .where(Alert.id == identifier)
        .values(
            state=AlertState.PENDING,
            attempts=0,
            next_attempt_at=now(),
            ended_at=None,
            last_error=None,
        )
        .returning(Alert)
    )
    return changed


async def exists(session: AsyncSession, identifier: uuid.UUID) -> bool:
    """Whether there is an alert of that id."""
    return await session.scalar(select(Alert.id).where(Alert.id == identifier)) is not None


async def counts(session: AsyncSession) -> dict[AlertState, int]:
    """How many alerts wait, and how many were given up."""
    counted = {}
    for state in (AlertState.PENDING, AlertState.DEAD):
        number = await session.scalar(select(func.count()).where(Alert.state == state))
        counted[state] = number or 0
    return counted


async def retrains_by_status(session: AsyncSession) -> dict[str, int]:
    """How many retrainings there are of each status."""
    query = select(RetrainLog.status, func.count()).group_by(RetrainLog.status)
    return {str(status): number for status, number in await session.execute(query)}
