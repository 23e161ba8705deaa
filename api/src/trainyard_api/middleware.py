"""What surrounds every request: its id, its time limit, its line in the log, its count."""

import asyncio
import re
import time
import uuid
from http import HTTPStatus
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trainyard_api.metrics import Metrics
from trainyard_api.problems import Problem, problem_response

log = structlog.get_logger()

REQUEST_ID_HEADER: Final = "X-Request-ID"
# Whatever else a client sends there stays out of the logs.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUIET_ROUTES: Final = frozenset({"/healthz", "/readyz", "/metrics"})


class Observe:
    """Gives each request an id, and answers, logs and counts it whatever happens inside."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, timeout_seconds: float) -> None:
        self._app = app
        self._metrics = metrics
        self._timeout_seconds = timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI interface."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        start = time.perf_counter()
        status: int | None = None

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            failure = None
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    await self._app(scope, receive, send_with_id)
            except TimeoutError:
                failure = problem_response(
                    HTTPStatus.GATEWAY_TIMEOUT,
                    f"no answer within {self._timeout_seconds:g} s; try again",
                    headers={"Retry-After": "5"},
                )
                log.warning("request timed out")
            except Exception:
                log.exception("request failed")
                failure = problem_response(
                    HTTPStatus.INTERNAL_SERVER_ERROR,
                    "an unexpected error; the log has it under this request id",
                )
            # An answer that has begun can only be cut off.
            if failure is not None and status is None:
                await failure(scope, receive, send_with_id)
            self._record(scope, status or 0, time.perf_counter() - start)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.observe(method=scope["method"], route=route, status=status, seconds=seconds)
        client = scope.get("client")
        level = log.debug if route in _QUIET_ROUTES else log.info
        # No query string: people put tokens there.
        level(
            "request",
            method=scope["method"],
            path=scope["path"],
            route=route,
            status=status,
            duration_ms=round(seconds * 1000, 1),
            requester=scope.get("state", {}).get("requester"),
            client=client[0] if client else None,
        )


class LimitBody:
    """Refuses bodies that are larger than any request has to be, before they are in memory."""

    # FastAPI's own max_body_size answers in plain text, past every error handler.

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI interface."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        too_large = Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body has more than {self._max_bytes} bytes",
        )
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self._max_bytes:
            response = problem_response(too_large.status_code, too_large.detail)
            await response(scope, receive, send)
            return
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise too_large
            return message

        await self._app(scope, receive_limited, send)


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
