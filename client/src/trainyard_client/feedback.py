"""What really came of predictions: `client.feedback`."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import Field

from trainyard_client.models import model_path
from trainyard_client.paging import items
from trainyard_client.transport import Transport
from trainyard_client.views import View

_PATH: Final = "/api/feedback"


class KeptFeedback(View):
    """What became of one request."""

    feedback_id: str
    model: str
    version: str
    rows: int = Field(description="Rows of this request.")
    uri: str = Field(description="A training's data.uri: all feedback with the same columns.")
    written: bool = Field(description="Whether the rows are at the URI by now; they will be.")


class VersionFeedback(View):
    """All feedback on one version."""

    version: str
    model_type: str
    uri: str = Field(description="A training's data.uri: all feedback with the same columns.")
    rows: int
    unwritten: int = Field(default=0, description="Rows that are not at the URI yet.")
    predicted: int = Field(default=0, description="Rows that tell what was predicted.")
    accuracy: float | None = Field(default=None, description="Of these; None: not of classes.")
    mean_absolute_error: float | None = Field(default=None, description="None: not of numbers.")
    first_at: datetime
    last_at: datetime


class Feedback:
    """True outcomes of predictions, to see how right a model is, and to train on."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def give(
        self,
        model: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        version: str | None = None,
        idempotency_key: str | None = None,
    ) -> KeptFeedback:
        """Keep 1 to 1,000 rows: each a mapping with `features`, `outcome` and, if it is known,
        `prediction`.

        Without a `version`, the champion has predicted. With the same `idempotency_key` and rows
        they are kept once. Raises `InvalidRequestError`, with row and field in `problem.detail`,
        and keeps none if one of them does not fit.
        """
        body = {"model": model, "rows": list(rows)} | ({"version": version} if version else {})
        answer = self._transport.post(_PATH, body, key=idempotency_key).json()
        return KeptFeedback.model_validate(answer["data"])

    def list(self, model: str) -> Iterator[VersionFeedback]:
        """By version, the latest first: how much there is, and how right predictions were."""
        return items(self._transport, f"{model_path(model)}/feedback", VersionFeedback)
