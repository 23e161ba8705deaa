"""The client."""

from types import TracebackType
from typing import Final, Self

import httpx

from trainyard_client.datasets import Datasets
from trainyard_client.jobs import Jobs
from trainyard_client.models import Models
from trainyard_client.retrains import Retrains
from trainyard_client.transport import Transport
from trainyard_client.versions import Versions
from trainyard_client.views import Me

_PATIENCE_SECONDS: Final = 30.0


class Client:
    """A Trainyard API, by what it has. Threads may share one; close it, or use it in a `with`.

    `patience` is for how many seconds a request is asked again that finds the API away (503) or a
    limit reached (429). That is done only where it is safe: for what reads or cancels, and for
    what carries an `Idempotency-Key`. `transport` replaces the network, for tests.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        patience: float = _PATIENCE_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._transport: Final = Transport(url, token, patience=patience, transport=transport)
        self.jobs: Final = Jobs(self._transport)
        self.models: Final = Models(self._transport)
        self.versions: Final = Versions(self._transport)
        self.datasets: Final = Datasets(self._transport)
        self.retrains: Final = Retrains(self._transport)

    @property
    def url(self) -> str:
        """Where the API is."""
        return self._transport.url

    def me(self) -> Me:
        """Who the API takes the token's bearer for."""
        return Me.model_validate(self._transport.get("/api/v1/me").json())

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
