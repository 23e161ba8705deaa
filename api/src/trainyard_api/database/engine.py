"""Connections to Postgres, transactions, and what an outage looks like."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Final, Self

import asyncpg
import structlog
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

log = structlog.get_logger()

_CONNECTIONS: Final = 10
_POOL_SECONDS: Final = 5.0
_CONNECT_SECONDS: Final = 5.0
_STATEMENT_SECONDS: Final = 10.0
RETRY_AFTER_SECONDS: Final = 5
# A replica that is frozen in a transaction must not hold its locks for ever.
_SERVER_SETTINGS: Final = {
    "application_name": "trainyard-api",
    "timezone": "UTC",
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "15s",
}
# Classes of SQLSTATE: authorization, no such database, resources; then connections, shutdown.
_REFUSED: Final = ("28", "3D", "53")
_AWAY: Final = ("08", "57")
_UNDEFINED_TABLE: Final = "42P01"


class DatabaseUnavailableError(Exception):
    """Postgres does not answer, or not to us. Later it may. The message holds no secret."""


class Database:
    """A pool of connections, opened when they are first needed. To be entered once."""

    def __init__(self, url: str, *, statement_seconds: float | None = _STATEMENT_SECONDS) -> None:
        """`url`: as libpq takes it, `sslmode` and several hosts included."""
        self._url = url
        self._statement_seconds = statement_seconds
        self._engine = self._create_engine()

    def _create_engine(self) -> AsyncEngine:
        return create_async_engine(
            "postgresql+asyncpg://",
            # asyncpg reads the URL itself: SQLAlchemy does not know libpq's parameters.
            async_creator=self._connect,
            pool_size=_CONNECTIONS,
            max_overflow=0,
            pool_timeout=_POOL_SECONDS,
            pool_pre_ping=True,
        )

    async def _connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(
            self._url,
            timeout=_CONNECT_SECONDS,
            command_timeout=self._statement_seconds,
            server_settings=_SERVER_SETTINGS,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._engine.dispose()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        """A transaction: committed at the end of the block, rolled back if that raises.

        Raises `DatabaseUnavailableError`. If it comes from the commit, the transaction may have
        taken place all the same.
        """
        with translated():
            async with (
                AsyncSession(self._engine, expire_on_commit=False) as session,
                session.begin(),
            ):
                yield session


@contextmanager
def translated() -> Iterator[None]:
    """Errors that mean that Postgres is away, as `DatabaseUnavailableError`."""
    try:
        yield
    except exc.TimeoutError as error:
        raise DatabaseUnavailableError("all connections to the database are in use") from error
    except exc.DBAPIError as error:
        message = _meaning(error)
        if message is None:
            raise
        log.warning("the database cannot be used", error=type(error.orig).__name__, why=message)
        raise DatabaseUnavailableError(message) from error
    except OSError as error:
        # Of a new connection: SQLAlchemy leaves what its creator raises as it is.
        log.warning("the database cannot be reached", error=type(error).__name__)
        raise DatabaseUnavailableError("the database cannot be reached") from error


def _meaning(error: exc.DBAPIError) -> str | None:
    """What an error of the driver means if it is no fault of ours."""
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if state.startswith(_REFUSED):
        return "the database refuses connections"
    if error.connection_invalidated or not state or state.startswith(_AWAY):
        return "the database does not answer"
    if state == _UNDEFINED_TABLE:
        return "the database has no tables yet: run trainyard-api migrate"
    return None
