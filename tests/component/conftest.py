"""One Postgres for all component tests that need one, and namespaces with replicas of the API."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from ..conftest import Aloud
from ..forking.forks import ForkServer
from .api.replicas import NOBODY, OpenYard, Yard, yard_of
from .control_plane import ControlPlane
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


@pytest.fixture(scope="module")
def open_yard(
    kubernetes: ControlPlane,
    apis: ForkServer,
    database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OpenYard]:
    """Opens a namespace for this test module, with its database."""
    with ExitStack() as opened:

        def open_yard(s3_url: str = NOBODY) -> Yard:
            folder = tmp_path_factory.mktemp("yard")
            return opened.enter_context(yard_of(kubernetes, apis, database_url, s3_url, folder))

        yield open_yard
