"""Run by alembic: one transaction for all revisions, one program at a time."""

import asyncio
from typing import Final

from alembic import context
from sqlalchemy import Connection, text

from trainyard_api.database.engine import Database
from trainyard_api.database.tables import Base

# "trainyard" in ASCII, cut to eight bytes; the same in every version.
_LOCK: Final = 0x747261696E796172


def _run(connection: Connection) -> None:
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


async def _migrate(url: str) -> None:
    async with Database(url, statement_seconds=None) as database, database.begin() as session:
        await (await session.connection()).run_sync(_run)


asyncio.run(_migrate(context.config.attributes["url"]))
