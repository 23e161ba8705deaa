"""What failed, and whether somebody heard of it: `client.alerts`."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from pydantic import Field

from trainyard_client.paging import items
from trainyard_client.transport import Transport, segment
from trainyard_client.views import View

_PATH: Final = "/api/v1/alerts"


class Alert(View):
    """A failure, and how far its delivery is."""

    id: str
    type: str = Field(description="run.failed or retraining.failed.")
    occurred_at: datetime
    data: dict[str, Any] = Field(description="As the webhook's receiver gets it.")
    created_at: datetime
    state: str = Field(description="pending, delivered or dead.")
    attempts: int = Field(description="Deliveries so far, since it was last asked for.")
    next_attempt_at: datetime | None = None
    ended_at: datetime | None = Field(default=None, description="When delivered or given up.")
    last_error: str | None = Field(default=None, description="Of the latest delivery.")


class Alerts:
    """The alerts of all users; needs the role admin."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, state: str | None = None) -> Iterator[Alert]:
        """Alerts in a state or in any, newest first. `dead` is what no receiver has taken."""
        return items(self._transport, _PATH, Alert, {"state": state})

    def redeliver(self, alert: str) -> Alert:
        """Have an alert delivered once more, whatever its state.

        Raises `NotFoundError`; `ConflictError` without a webhook, or while it is being delivered.
        """
        answer = self._transport.post(f"{_PATH}/{segment(alert)}/redeliver", {})
        return Alert.model_validate(answer.json())
