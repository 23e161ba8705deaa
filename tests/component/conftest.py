"""One Postgres for all component tests that need one."""

import secrets
from collections.abc import Iterator

import pytest

from ..conftest import Aloud
from .postgres import Postgres, postgres_server


@pytest.fixture(scope="session")
def postgres(aloud: Aloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A Postgres server, for `database_url`, and for tests of outages."""
    with postgres_server(tmp_path_factory.mktemp("postgres") / "apt.log") as server:
        yield server


@pytest.fixture(scope="module")
def database_url(postgres: Postgres) -> Iterator[str]:
    """A database of this test module's own, migrated and empty."""
    name = f"test_{secrets.token_hex(4)}"
    yield postgres.create(name)
    postgres.drop(name)
