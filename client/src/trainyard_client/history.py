"""What a user has asked for, and what became of it: `client.history`."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from pydantic import Field

from trainyard_client.paging import items
from trainyard_client.transport import Transport
from trainyard_client.views import View

_PATH: Final = "/api/history"


class HistoryMetric(View):
    """The first metric of a run's best version."""

    name: str
    value: float


class HistoryVerdict(View):
    """What became of a run's version, or what its gate found."""

    outcome: str
    reasons: tuple[str, ...] = ()


class HistoryRun(View):
    """What was asked of one Model."""

    model: str
    run: str = Field(description="The training, whether it is still there or not.")
    mode: str = Field(description="full or incremental.")
    status: str
    error: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    metric: HistoryMetric | None = None
    verdict: HistoryVerdict | None = None


class HistoryEntry(View):
    """A retraining, or another activity."""

    id: str
    type: str = Field(description="retrain, or what another activity is called.")
    user: str = Field(description="Subject of the token.")
    created_at: datetime
    completed_at: datetime | None = None
    status: str | None = Field(default=None, description="None: it is no retraining.")
    error: str | None = None
    model_type: str | None = Field(default=None, description="all, or the Model's name.")
    full_retrain: bool | None = None
    models: tuple[HistoryRun, ...] = ()
    details: dict[str, Any] | None = Field(
        default=None, description="Of an activity that is no retraining."
    )


def history(
    transport: Transport, *, user: str | None = None, everybody: bool = False
) -> Iterator[HistoryEntry]:
    """Activities, newest first: your own, those of a user, or those of everybody."""
    query = {"user": user, "all": everybody or None}
    return items(transport, _PATH, HistoryEntry, query, member="data")
