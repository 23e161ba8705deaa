"""Who may go on: decided in the transaction that writes the request down, so among all replicas."""

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from trainyard_api.database.tables import (
    OPEN,
    Analysis,
    RetrainLog,
    RetrainRun,
    RetrainStatus,
    User,
)
from trainyard_api.retraining.requests import (
    LimitError,
    RetrainError,
    RetrainRequest,
    request_value,
    user_id,
)
from trainyard_api.retraining.selection import Target

# "retrain" in ASCII. Whoever holds it is the only one who admits.
_LOCK: Final = 0x7265747261696E
_SLOT_SECONDS: Final = 30
"""When to come back where all slots are taken: nobody knows which run ends next."""
_TYPE_LENGTH: Final = 50
INITIATED: Final = "retrain_initiated"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """As the settings have them."""

    user_seconds: float
    """Least time between two requests of one user."""
    concurrent: int
    """Most requests that are open at a time."""


@dataclass(frozen=True, kw_only=True)
class Admitted:
    """A request that was written down."""

    id: uuid.UUID
    user: uuid.UUID
    created_at: datetime
    runs: dict[str, str]
    """By Model: the name of the run that will answer."""


async def admit(
    session: AsyncSession,
    request: RetrainRequest,
    targets: Sequence[Target],
    limits: Limits,
    *,
    problem: RetrainError | None = None,
) -> Admitted:
    """Write a request down, or raise `LimitError`.

    With a `problem` that was found before, the row says so, and takes no slot.
    """
    await session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    user = user_id(request.subject)
    # now() is when the transaction began, which was before the lock was given.
    now: datetime = (await session.scalars(select(func.clock_timestamp()))).one()
    await _check(session, user, limits, now)
    await session.execute(
        insert(User).values(id=user, subject=request.subject).on_conflict_do_nothing()
    )
    log = RetrainLog(
        id=uuid.uuid4(),
        usuario_id=user,
        retrain_type=_cut(request.model_type),
        full_retrain=request.full,
        created_at=now,
        status=RetrainStatus.FAILED if problem else RetrainStatus.INITIATED,
        completed_at=now if problem else None,
        error_message=str(problem) if problem else None,
        python_response={"error": str(problem), "status": problem.status} if problem else None,
    )
    session.add(log)
    await session.flush()
    value = request_value(log.id)
    runs = {} if problem else {target.name: target.run(value) for target in targets}
    session.add_all(
        RetrainRun(retrain_id=log.id, model=model, run=run, mode=request.mode)
        for model, run in runs.items()
    )
    if not problem:
        session.add(_activity(request, log, sorted(runs)))
    return Admitted(id=log.id, user=user, created_at=now, runs=runs)


def _activity(request: RetrainRequest, log: RetrainLog, models: Sequence[str]) -> Analysis:
    details = {
        "retrain_id": str(log.id),
        "model_type": request.model_type,
        "full_retrain": request.full,
        "models": list(models),
    }
    return Analysis(
        usuario_id=log.usuario_id,
        tipo=INITIATED,
        data_criacao=log.created_at,
        detalhes=details,
    )


async def _check(session: AsyncSession, user: uuid.UUID, limits: Limits, now: datetime) -> None:
    latest = await session.scalar(
        select(func.max(RetrainLog.created_at)).where(RetrainLog.usuario_id == user)
    )
    if latest is not None:
        left = limits.user_seconds - (now - latest).total_seconds()
        if left > 0:
            raise LimitError(
                f"one request in {limits.user_seconds:g} s for each user",
                retry_after_seconds=math.ceil(left),
            )
    taken = await session.scalar(
        select(func.count()).select_from(RetrainLog).where(RetrainLog.status.in_(OPEN))
    )
    if (taken or 0) >= limits.concurrent:
        raise LimitError(
            f"{taken} retrains are going on, and {limits.concurrent} may at a time",
            retry_after_seconds=_SLOT_SECONDS,
        )


def _cut(model_type: str) -> str:
    whole = len(model_type) <= _TYPE_LENGTH
    return model_type if whole else f"{model_type[: _TYPE_LENGTH - 1]}…"
