"""The database: its migrations, its transactions, and its outages."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, select, text
from trainyard_api.database import Database, DatabaseUnavailableError
from trainyard_api.database.tables import Base, User

from ..postgres import Postgres, migrate

pytestmark = pytest.mark.component


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as database:
        yield database


@pytest.fixture
def empty_url(postgres: Postgres) -> Iterator[str]:
    """A database without tables."""
    name = f"empty_{secrets.token_hex(4)}"
    yield postgres.create(name, template="template1")
    postgres.drop(name)


async def test_the_migrations_make_the_tables_of_the_code(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found: list[object] = compare_metadata(context, Base.metadata)
        return found

    async with database.begin() as session:
        assert await (await session.connection()).run_sync(differences) == []


async def test_the_documents_own_statements_work(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        user = await connection.fetchval(
            "INSERT INTO usuarios (subject) VALUES ('ada') RETURNING id"
        )
        await connection.execute(
            "INSERT INTO analises (usuario_id, tipo, data_criacao)"
            " VALUES ($1, 'retrain_initiated', NOW())",
            user,
        )
        await connection.execute(
            "INSERT INTO retrain_logs (usuario_id, retrain_type, full_retrain, python_response)"
            " VALUES ($1, $2, $3, $4)",
            user, "all", True, '{"status": "processing"}',
        )  # fmt: skip
        [row] = await connection.fetch("SELECT * FROM retrain_logs")
        assert row["status"] == "initiated"
        assert set(row.keys()) == {
            "id", "usuario_id", "retrain_type", "full_retrain", "python_response", "status",
            "created_at", "completed_at", "error_message",
        }  # fmt: skip
    finally:
        await connection.close()


async def test_two_migrations_at_once(empty_url: str) -> None:
    with ThreadPoolExecutor() as threads:
        list(threads.map(migrate, [empty_url] * 3))
    migrate(empty_url)
    async with Database(empty_url) as database, database.begin() as session:
        assert (await session.scalars(select(User))).all() == []


def test_the_database_of_a_newer_version_is_left_as_it_is(empty_url: str) -> None:
    """As after `helm rollback`."""
    migrate(empty_url)
    asyncio.run(set_revision(empty_url, "9999"))
    assert "newer version" in migrate(empty_url)


async def set_revision(url: str, revision: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("UPDATE alembic_version SET version_num = $1", revision)
    finally:
        await connection.close()


async def test_without_tables_it_says_what_to_do(empty_url: str) -> None:
    async with Database(empty_url) as database:
        with pytest.raises(DatabaseUnavailableError, match="run trainyard-api migrate"):
            async with database.begin() as session:
                await session.scalars(select(User))


async def test_what_raises_leaves_nothing(database: Database) -> None:
    async def write_and_fail() -> None:
        async with database.begin() as session:
            session.add(User(subject="nobody"))
            await session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await write_and_fail()
    async with database.begin() as session:
        found = await session.scalars(select(User).where(User.subject == "nobody"))
        assert found.all() == []


async def ask(database: Database, meanwhile: Callable[[], None] = lambda: None) -> None:
    async with database.begin() as session:
        await asyncio.to_thread(meanwhile)
        await session.execute(text("SELECT 1"))


async def test_a_killed_server_and_back(database: Database, postgres: Postgres) -> None:
    await ask(database)
    with pytest.raises(DatabaseUnavailableError):
        await ask(database, postgres.kill)
    try:
        with pytest.raises(DatabaseUnavailableError, match="cannot be reached"):
            await ask(database)
    finally:
        await asyncio.to_thread(postgres.start)
    await ask(database)


async def test_a_server_that_hangs(database: Database, postgres: Postgres) -> None:
    with postgres.paused():
        async with asyncio.timeout(20):
            with pytest.raises(DatabaseUnavailableError):
                await ask(database)
    await ask(database)


@pytest.mark.parametrize(
    "who", ["nobody@127.0.0.1:{port}/postgres", "postgres@127.0.0.1:{port}/none"]
)
async def test_a_server_that_refuses(postgres: Postgres, who: str) -> None:
    async with Database("postgresql://" + who.format(port=postgres.port)) as database:
        with pytest.raises(DatabaseUnavailableError, match="refuses"):
            await ask(database)
