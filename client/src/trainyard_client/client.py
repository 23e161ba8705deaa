"""The client."""

from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

import httpx

from trainyard_client.alerts import Alerts
from trainyard_client.datasets import Datasets
from trainyard_client.feedback import Feedback
from trainyard_client.history import HistoryEntry, history
from trainyard_client.jobs import Jobs
from trainyard_client.models import Models
from trainyard_client.plans import Plan, plans
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
        self.feedback: Final = Feedback(self._transport)
        self.alerts: Final = Alerts(self._transport)

    @property
    def url(self) -> str:
        """Where the API is."""
        return self._transport.url

    def me(self) -> Me:
        """Who the API takes the token's bearer for."""
        return Me.model_validate(self._transport.get("/api/v1/me").json())

    def plans(self) -> list[Plan]:
        """What is trained when: all Models, by name."""
        return plans(self._transport)

    def history(
        self, *, user: str | None = None, everybody: bool = False
    ) -> Iterator[HistoryEntry]:
        """Your own retrainings and other activities, newest first.

        For an admin also those of a `user` (subject or id), or of `everybody`.
        """
        return history(self._transport, user=user, everybody=everybody)

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
