"""Requests to retrain, with what became of them: `client.retrains`."""

from collections.abc import Iterator
from typing import Final

from trainyard_client.paging import items
from trainyard_client.transport import Transport, segment
from trainyard_client.views import Retrain

_PATH: Final = "/api/v1/retrains"


class Retrains:
    """The audit of retraining: your own requests; an admin's sees all."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> Iterator[Retrain]:
        """Requests, newest first."""
        return items(self._transport, _PATH, Retrain)

    def get(self, request: str) -> Retrain:
        """A request by its id. Raises `NotFoundError`."""
        return Retrain.model_validate(self._transport.get(f"{_PATH}/{segment(request)}").json())
