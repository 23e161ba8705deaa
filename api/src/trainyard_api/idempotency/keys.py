"""The keys in Postgres: taken, kept with an answer, released, and deleted in the end."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from fastapi import Response
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from trainyard_api.database import Database, DatabaseUnavailableError
from trainyard_api.database.tables import IdempotencyKey
from trainyard_api.http.problems import FieldError, Problem, invalid

HEADER: Final = "Idempotency-Key"
_KEPT: Final = timedelta(hours=24)
_PRUNE_SECONDS: Final = 600.0
_RETRY_SECONDS: Final = 2


@dataclass(frozen=True)
class Claim:
    """One request's hold on a key."""

    id: bytes
    fingerprint: bytes
    owner: uuid.UUID


async def take(database: Database, claim: Claim, lock: timedelta) -> Response | None:
    """Hold the key for `lock`; or the answer of the request that had it before.

    Raises `Problem` (409, 422) and `DatabaseUnavailableError`.
    """
    table = IdempotencyKey
    now = func.now()
    values = {
        "fingerprint": claim.fingerprint,
        "owner": claim.owner,
        "locked_until": now + lock,
        "created_at": now,
        "status": None,
        "headers": None,
        "body": None,
    }
    free = or_(
        table.created_at < now - _KEPT,
        table.status.is_(None) & (table.locked_until < now),
    )
    taking = (
        insert(table)
        .values(id=claim.id, **values)
        .on_conflict_do_update(index_elements=[table.id], set_=values, where=free)
        .returning(table.owner)
    )
    async with database.begin() as session:
        if await session.scalar(taking) is not None:
            return None
        # The statement above has locked the row, so it is still there.
        row = (await session.scalars(select(table).where(table.id == claim.id))).one()
    if row.fingerprint != claim.fingerprint:
        raise invalid(
            [FieldError(field=HEADER, message="was used for another request; take a new key")]
        )
    if row.status is None:
        raise Problem(
            HTTPStatus.CONFLICT,
            f"The first request with this {HEADER} is still at work; try again.",
            headers={"Retry-After": str(_RETRY_SECONDS)},
        )
    return _replay(row)


async def keep(database: Database, claim: Claim, response: Response) -> None:
    """Keep the answer, unless the lock has run out and another request has the key by now."""
    headers = [
        [name.decode("latin-1"), value.decode("latin-1")] for name, value in response.raw_headers
    ]
    answered = (
        update(IdempotencyKey)
        .where(IdempotencyKey.id == claim.id, IdempotencyKey.owner == claim.owner)
        .values(status=response.status_code, headers=headers, body=bytes(response.body))
    )
    async with database.begin() as session:
        await session.execute(answered)


async def release(database: Database, claim: Claim) -> None:
    """Leave the key to whoever sends it next."""
    async with database.begin() as session:
        await session.execute(
            delete(IdempotencyKey).where(
                IdempotencyKey.id == claim.id, IdempotencyKey.owner == claim.owner
            )
        )


async def prune(database: Database) -> None:
    """Delete what is older than 24 hours."""
    async with database.begin() as session:
        await session.execute(
            delete(IdempotencyKey).where(IdempotencyKey.created_at < func.now() - _KEPT)
        )


@asynccontextmanager
async def pruning(database: Database) -> AsyncIterator[None]:
    """Within it, old keys are deleted every ten minutes."""

    async def for_ever() -> None:
        while True:
            with suppress(DatabaseUnavailableError):
                await prune(database)
            await asyncio.sleep(_PRUNE_SECONDS)

    task = asyncio.create_task(for_ever())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _replay(row: IdempotencyKey) -> Response:
    assert row.status is not None
    response = Response(row.body, status_code=row.status)
    response.raw_headers = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in row.headers or ()
    ]
    return response
