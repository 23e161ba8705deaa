"""Who asked for what, and what became of it: the rows of the database, newest first."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql import Select

from trainyard_api.alerts.outbox import runs_of
from trainyard_api.database.tables import Analysis, RetrainLog, RetrainRun, User
from trainyard_api.retraining.requests import user_id

Moment = tuple[datetime, uuid.UUID]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A retraining or another activity, and whose it is."""

    row: RetrainLog | Analysis
    user: User
    runs: Sequence[RetrainRun] = field(default=())

    @property
    def moment(self) -> Moment:
        """When it was asked for; the id decides within a moment."""
        time = self.row.data_criacao if isinstance(self.row, Analysis) else self.row.created_at
        assert time is not None
        return time, self.row.id


async def users_of_subject(session: AsyncSession, subject: str) -> list[uuid.UUID]:
    """The id of the user whose tokens have this subject, if anything of theirs is kept."""
    # Both: a subject may be chosen to be the id of somebody else.
    same = User.id == user_id(subject), func.lower(User.subject) == subject.lower()
    return list(await session.scalars(select(User.id).where(*same)))


async def users_named(session: AsyncSession, name: str) -> list[uuid.UUID]:
    """The ids of the users who have this subject or this id."""
    named = or_(User.subject == name, User.id == user_id(name))
    return list(await session.scalars(select(User.id).where(named)))


async def entries(
    session: AsyncSession,
    *,
    users: Sequence[uuid.UUID] | None,
    before: Moment | None,
    limit: int,
) -> list[Entry]:
    """The latest `limit` entries before a moment, of these users; None: of all.

    The activity that a retraining has of its own is left out: the retraining says more.
    """
    narrowed = partial(_narrowed, users=users, before=before, limit=limit)
    retrains = narrowed(
        select(RetrainLog, User).join(User, User.id == RetrainLog.usuario_id),
        RetrainLog.created_at,
        RetrainLog.id,
    )
    activities = narrowed(
        select(Analysis, User)
        .join(User, User.id == Analysis.usuario_id)
        .where(Analysis.detalhes.is_(None) | ~Analysis.detalhes.has_key("retrain_id")),
        Analysis.data_criacao,
        Analysis.id,
    )
    found = [
        Entry(row=row, user=user)
        for query in (retrains, activities)
        for row, user in await session.execute(query)
    ]
    latest = sorted(found, key=lambda entry: entry.moment, reverse=True)[:limit]
    logs = [entry.row.id for entry in latest if isinstance(entry.row, RetrainLog)]
    runs = await runs_of(session, logs)
    return [
        Entry(row=entry.row, user=entry.user, runs=runs.get(entry.row.id, ())) for entry in latest
    ]


def _narrowed(
    query: "Select[Any, User]",
    time: "InstrumentedAttribute[Any]",
    identifier: InstrumentedAttribute[uuid.UUID],
    *,
    users: Sequence[uuid.UUID] | None,
    before: Moment | None,
    limit: int,
) -> "Select[Any, User]":
    if users is not None:
        query = query.where(User.id.in_(users))
    if before is not None:
        query = query.where(tuple_(time, identifier) < tuple_(*before))
    return query.where(time.is_not(None)).order_by(time.desc(), identifier.desc()).limit(limit)
