"""Worlds to live in."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from ..component.control_plane import ControlPlane
from ..component.object_store import S3Server
from ..forking.forks import ForkServer
from .background import Background
from .world import World

if TYPE_CHECKING:
    from .sweep import References

Worlds = Callable[..., AbstractContextManager[World]]


@pytest.fixture(scope="session")
def background() -> Iterator[Background]:
    one = Background()
    yield one
    one.close()


@pytest.fixture(scope="session")
def worlds(
    kubernetes: ControlPlane,
    s3: S3Server,
    operators: ForkServer,
    background: Background,
    tmp_path_factory: pytest.TempPathFactory,
) -> Worlds:
    """Makes a world; its operator is not yet running."""

    @contextmanager
    def make(**settings: Any) -> Iterator[World]:
        namespace = f"world-{secrets.token_hex(4)}"
        folder = tmp_path_factory.mktemp(namespace)
        one = World(
            kubernetes, s3, operators, background, namespace=namespace, folder=folder, **settings
        )
        with ExitStack() as stack:
            stack.callback(one.close)
            yield one

    return make


@pytest.fixture(scope="session")
def references(worlds: Worlds) -> "References":
    """How lives end where nothing goes wrong."""
    from .sweep import References

    return References(worlds)


@pytest.fixture
def world(worlds: Worlds) -> Iterator[World]:
    with worlds() as one:
        yield one
