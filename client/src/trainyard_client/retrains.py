"""Requests to retrain, with what became of them: `client.retrains`."""

import time
from collections.abc import Iterator
from typing import Any, Final

from trainyard_client.errors import WaitTimeoutError
from trainyard_client.paging import items
from trainyard_client.transport import Transport, segment
from trainyard_client.views import Retrain

POLL_SECONDS: Final = 2.0
_PATH: Final = "/api/v1/retrains"


class Retrains:
    """The audit of retraining. One of a single Model is started by `models.retrain`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def start_all(self, *, full: bool = False) -> Retrain:
        """Retrain every Model that is marked for it.

        Raises `TooManyRequestsError` at a limit, `UnavailableError` where no run can be started.
        """
        body = {"model_type": "all", "full_retrain": full}
        answer: dict[str, Any] = self._transport.post("/api/retrain", body).json()
        return self.get(answer["data"]["python_response"]["job_id"])

    def list(self, *, user: str | None = None, everybody: bool = False) -> Iterator[Retrain]:
        """Your own requests, newest first; an admin's may be those of a `user`, or `everybody`."""
        query = {"user": user, "all": everybody or None}
        return items(self._transport, _PATH, Retrain, query)

    def get(self, request: str) -> Retrain:
        """A request by its id. Raises `NotFoundError`."""
        return Retrain.model_validate(self._transport.get(f"{_PATH}/{segment(request)}").json())

    def watch(self, request: str, *, timeout: float | None = None) -> Iterator[Retrain]:
        """A request as it is now, and after each change, until it has ended.

        Raises `WaitTimeoutError` after `timeout` seconds.
        """
        end = None if timeout is None else time.monotonic() + timeout
        last: Retrain | None = None
        while last is None or not last.ended:
            retrain = self.get(request)
            if retrain != last:
                last = retrain
                yield retrain
            elif end is not None and time.monotonic() + POLL_SECONDS > end:
                raise WaitTimeoutError(f"not ended within {timeout:g} s")
            else:
                time.sleep(POLL_SECONDS)

    def wait(self, request: str, *, timeout: float | None = None) -> Retrain:
        """A request once it has ended, whatever its end. Raises `WaitTimeoutError`."""
        *_, last = self.watch(request, timeout=timeout)
        return last
