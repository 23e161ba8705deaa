from collections.abc import Iterator

import pytest
from trainyard_client import Client

from .api import Api, served


@pytest.fixture
def api() -> Iterator[Api]:
    with served() as api:
        yield api


@pytest.fixture
def client(api: Api) -> Iterator[Client]:
    with Client(api.url, "a-token", patience=3) as client:
        yield client


from .cli import home, trainyard  # noqa: E402, F401 - fixtures
