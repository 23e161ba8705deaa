"""Takes feedback in: the rows into Postgres first, then their table into the object store.

Whoever is killed in between, the row knows where its table belongs, and any replica puts it there.
A table is only created where there is none, so two who do it at once leave one.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

import anyio.to_thread
import structlog
from sqlalchemy import text
from trainyard_schema import VersionKey

from trainyard_api.database import Database, DatabaseUnavailableError
from trainyard_api.database.tables import Feedback
from trainyard_api.feedback import records
from trainyard_api.feedback.columns import Columns, Row
from trainyard_api.feedback.records import Position
from trainyard_api.feedback.table import CONTENT_TYPE, key, to_parquet
from trainyard_api.store import Bucket, StoreError

log = structlog.get_logger()

_PERIOD_SECONDS: Final = 5.0
# Postgres ends a transaction that idles; one that waits for the store may, for so long.
_PATIENCE: Final = "SET LOCAL idle_in_transaction_session_timeout = '30s'"


class FeedbackTables:
    """The tables of feedback in one bucket."""

    def __init__(self, database: Database, bucket: Bucket) -> None:
        self._database = database
        self._bucket = bucket

    async def give(
        self,
        *,
        feedback_id: uuid.UUID,
        subject: str,
        version: VersionKey,
        columns: Columns,
        rows: Sequence[Row],
    ) -> tuple[Feedback, bool]:
        """Keep rows that fit the columns; whether their table is there by now. Of a request that
        was kept before, nothing is written again. Raises `DatabaseUnavailableError`.
        """
        async with self._database.begin() as session:
            kept = await records.record(
                session,
                feedback_id=feedback_id,
                subject=subject,
                version=version,
                columns=columns,
                object_key=key(version.model, columns, feedback_id, datetime.now(UTC)),
                rows=rows,
            )
        if kept.written_at is not None:
            return kept, True
        try:
            await self._put(kept, rows)
            async with self._database.begin() as session:
                await records.mark_written(session, kept.id)
        except (StoreError, DatabaseUnavailableError) as error:
            log.warning("feedback is written later", feedback=str(kept.id), why=str(error))
            return kept, False
        return kept, True

    async def _put(self, feedback: Feedback, rows: Sequence[Row]) -> None:
        columns = Columns.model_validate(feedback.columns)
        body = await anyio.to_thread.run_sync(to_parquet, columns, rows)
        await self._bucket.create(feedback.object_key, body, content_type=CONTENT_TYPE)

    @asynccontextmanager
    async def repairing(self) -> AsyncIterator[None]:
        """Write what requests left unwritten, in the background."""
        task = asyncio.create_task(self._repair_forever())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _repair_forever(self) -> None:
        while True:
            try:
                written = await self.repair()
                if written:
                    log.info("feedback that was left unwritten is written", requests=written)
            except (DatabaseUnavailableError, StoreError) as error:
                log.info("feedback is not written for now", why=str(error))
            except Exception:
                log.exception("writing feedback failed")
            await asyncio.sleep(_PERIOD_SECONDS)

    async def repair(self) -> int:
        """Write what is left, the oldest first; how many requests. Raises `StoreError`,
        `DatabaseUnavailableError`.
        """
        written, position = 0, None
        while True:
            position, done = await self._repair_next(position)
            if position is None:
                return written
            written += done

    async def _repair_next(self, after: Position | None) -> tuple[Position | None, bool]:
        """Write the next one. Its position, and whether it is written; None: there is none."""
        async with self._database.begin() as session:
            await session.execute(text(_PATIENCE))
            found = await records.next_unwritten(session, after)
            if found is None:
                return None, False
            position = found.created_at, found.id
            try:
                await self._put(found, await records.rows_of(session, found.id))
            except (StoreError, DatabaseUnavailableError):
                raise
            except Exception:
                # One that cannot be written must not be in the way of the others.
                log.exception("feedback cannot be written", feedback=str(found.id))
                return position, False
            await records.mark_written(session, found.id)
            return position, True
