"""What surrounds every request: its id, its time limit, its line in the log, its count."""

import asyncio
import re
import time
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trainyard_api.http.limits import Limits, limits_of
from trainyard_api.http.problems import Problem, answering, problem_response
from trainyard_api.http.security_headers import security_headers
from trainyard_api.metrics import Metrics

log = structlog.get_logger()

REQUEST_ID_HEADER: Final = "X-Request-ID"
# Whatever else a client sends there stays out of the logs.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUIET_ROUTES: Final = frozenset({"/healthz", "/readyz", "/metrics"})


class Observe:
    """Gives each request an id, and answers, logs and counts it whatever happens inside."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        limits: Callable[[Scope], Limits] = limits_of,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI interface."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        security = security_headers(scope["path"])
        seconds = self._limits(scope).seconds
        start = time.perf_counter()
        status: int | None = None

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    *security,
                ]
            await send(message)

        bound = structlog.contextvars.bound_contextvars(request_id=request_id)
        with bound, answering(scope["path"]):
            failure = None
            try:
                async with asyncio.timeout(seconds):
                    await self._app(scope, receive, send_with_headers)
            except TimeoutError:
                failure = problem_response(
                    HTTPStatus.GATEWAY_TIMEOUT,
                    f"no answer within {seconds:g} s; try again",
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
                await failure(scope, receive, send_with_headers)
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
    """Refuses bodies that are larger, or come slower, than those of any honest request."""

    # FastAPI's own max_body_size answers in plain text, past every error handler.

    def __init__(self, app: ASGIApp, *, limits: Callable[[Scope], Limits] = limits_of) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI interface."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limits = self._limits(scope)
        refused = _refused_by_its_head(Headers(scope=scope), limits)
        if refused is not None:
            response = problem_response(
                refused.status_code, refused.detail, headers=refused.headers
            )
            await response(scope, receive, send)
            return
        await self._app(scope, _limited(receive, limits), send)


def _limited(receive: Receive, limits: Limits) -> Receive:
    received = 0
    complete = False
    deadline: float | None = None

    async def receive_limited() -> Message:
        nonlocal received, complete, deadline
        if complete:
            # What is waited for now is the client going away.
            return await receive()
        if deadline is None or limits.body_bytes is None:
            deadline = asyncio.get_running_loop().time() + limits.body_seconds
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise _too_slow(limits) from None
        complete = not message.get("more_body", False)
        received += len(message.get("body", b""))
        if limits.body_bytes is not None and received > limits.body_bytes:
            raise _too_large(limits.body_bytes)
        return message

    return receive_limited


def _refused_by_its_head(headers: Headers, limits: Limits) -> Problem | None:
    announced = headers.get("content-length", "")
    if announced and "transfer-encoding" in headers:
        # Two parties on the way may each believe another one: smuggling (RFC 9112, 6.1).
        return Problem(
            HTTPStatus.BAD_REQUEST,
            "Content-Length and Transfer-Encoding exclude each other",
            headers={"Connection": "close"},
        )
    if (
        limits.body_bytes is not None
        and announced.isdecimal()
        and int(announced) > limits.body_bytes
    ):
        return _too_large(limits.body_bytes)
    return None


def _too_large(body_bytes: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more than {body_bytes} bytes"
    )


def _too_slow(limits: Limits) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_TIMEOUT,
        f"the body did not arrive within {limits.body_seconds:g} s",
        headers={"Connection": "close"},
    )


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
