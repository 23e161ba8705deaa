"""Models and their champions: `client.models`."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from trainyard_schema import ModelSpec

from trainyard_client.errors import WaitTimeoutError
from trainyard_client.paging import items
from trainyard_client.transport import Transport, segment
from trainyard_client.views import (
    Accepted,
    Comparison,
    Model,
    Retrain,
    Transition,
)

POLL_SECONDS: Final = 1.0
_PATH: Final = "/api/v1/models"


class Models:
    """What is retrained, judged and promoted. Decisions are carried out by the operator."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self, *, model_type: str | None = None, retrainable: bool | None = None
    ) -> Iterator[Model]:
        """The Models with these properties, newest first."""
        query = {"model_type": model_type, "retrainable": retrainable}
        return items(self._transport, _PATH, Model, query)

    def create(
        self, name: str, spec: ModelSpec | Mapping[str, Any], *, retrainable: bool = False
    ) -> Model:
        """A new Model. With `retrainable`, requests to retrain all of them mean it as well.

        A mapping has the names of a Model's YAML (camelCase). Raises `ConflictError` where there is
        one of this name, `InvalidRequestError`.
        """
        document = _document(spec) if isinstance(spec, ModelSpec) else dict(spec)
        body = {"name": name, "spec": document, "retrainable": retrainable}
        return Model.model_validate(self._transport.post(_PATH, body).json())

    def delete(self, name: str) -> None:
        """Take a Model and its trainings away; versions and history stay in the object store.

        Raises `NotFoundError`.
        """
        self._transport.delete(model_path(name))

    def get(self, model: str) -> Model:
        """A Model: its champion, candidates and runs. Raises `NotFoundError`."""
        return Model.model_validate(self._transport.get(model_path(model)).json())

    def retrain(self, model: str, *, full: bool = False) -> Retrain:
        """Start a run: from scratch if `full`, else continuing from the champion.

        Raises `TooManyRequestsError` at a limit, `ConflictError` while a request waits.
        """
        return Retrain.model_validate(self._decide(model, "retrain", full=full))

    def promote(self, model: str, version: str, *, reason: str | None = None) -> Accepted:
        """Make a version the champion, a candidate or any other whole version of the Model."""
        return Accepted.model_validate(
            self._decide(model, "promote", version=version, reason=reason)
        )

    def approve(self, model: str, version: str) -> Accepted:
        """Make a version that awaits approval the champion."""
        return Accepted.model_validate(self._decide(model, "approve", version=version))

    def reject(self, model: str, version: str) -> Accepted:
        """Turn down a version that awaits approval; the champion stays."""
        return Accepted.model_validate(self._decide(model, "reject", version=version))

    def rollback(self, model: str, *, reason: str | None = None) -> Accepted:
        """Make the previous champion the champion; a second rollback undoes the first."""
        return Accepted.model_validate(self._decide(model, "rollback", reason=reason))

    def answer(self, accepted: Accepted, *, timeout: float | None = None) -> Model:
        """The Model once the operator has answered a decision; its `refusal` tells whether it was
        refused. Raises `WaitTimeoutError`.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            model = self.get(accepted.model)
            # One that is not there any more was answered before the next one was let in.
            if all(one.answered for one in model.requests if one.id == accepted.id):
                return model
            if end is not None and time.monotonic() + POLL_SECONDS > end:
                raise WaitTimeoutError(f"the operator has not answered within {timeout:g} s")
            time.sleep(POLL_SECONDS)

    def history(self, model: str, *, at: datetime | None = None) -> Iterator[Transition]:
        """Which version was the champion when, by whom, and why; newest first.

        With `at`, what happened until then: the first has the champion of that time.
        """
        query = {"at": at.isoformat() if at else None}
        return items(self._transport, f"{model_path(model)}/history", Transition, query)

    def compare(self, model: str, versions: Sequence[str]) -> Comparison:
        """The metrics of two versions side by side, and what else differs."""
        path = f"{model_path(model)}/compare"
        return Comparison.model_validate(
            self._transport.get(path, {"version": list(versions)}).json()
        )

    def _decide(self, model: str, action: str, **body: Any) -> Any:
        given = {name: value for name, value in body.items() if value is not None}
        return self._transport.post(f"{model_path(model)}/{action}", given).json()


def model_path(model: str) -> str:
    """Where a Model is in the API."""
    return f"{_PATH}/{segment(model)}"


def _document(spec: ModelSpec) -> dict[str, Any]:
    return spec.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
