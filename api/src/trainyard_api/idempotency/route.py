"""The class of routes whose POST takes an Idempotency-Key."""

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final

import structlog
from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute

from trainyard_api.auth.requires import identify
from trainyard_api.database import Database, DatabaseUnavailableError
from trainyard_api.http.limits import limits_of
from trainyard_api.http.problems import documented, documented_failures, is_of_retrain_document
from trainyard_api.idempotency.keys import HEADER, Claim, keep, release, take

log = structlog.get_logger()

_PATTERN: Final = r"^[\x21-\x7e]{1,255}$"
_KEY: Final = re.compile(_PATTERN)
# Longer than any request may take, so that a lock never ends before its request has.
_MARGIN: Final = timedelta(seconds=15)
_ERRORS: Final = (
    HTTPStatus.CONFLICT,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


async def _documented(
    idempotency_key: Annotated[
        str | None,
        Header(
            pattern=_PATTERN,
            description="Sent again with the same body within 24 hours, it does nothing new and "
            "gets the same answer. With another body it is refused (422), and while the first "
            "request is still at work, too (409). An error leaves the key free.",
        ),
    ] = None,
) -> None:
    """Checks the header and puts it into the OpenAPI document."""


class IdempotentRoute(APIRoute):
    """A route whose POST takes an Idempotency-Key. It must ask for a Bearer token."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if "POST" in (options.get("methods") or ()):
            options["dependencies"] = [*(options.get("dependencies") or ()), Depends(_documented)]
            describe = documented_failures if is_of_retrain_document(path) else documented
            options["responses"] = describe(*_ERRORS) | (options.get("responses") or {})
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Handler:
        """FastAPI's handler, behind the key."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            key = request.headers.get(HEADER)
            # A key that is none is refused by the handler.
            if key is None or request.method != "POST" or not _KEY.fullmatch(key):
                return await handler(request)
            identity = await identify(request)
            claim = Claim(
                id=_digest(identity.subject, request.method, request.scope["path"], key),
                fingerprint=_digest(
                    request.scope["query_string"].decode("latin-1"),
                    request.headers.get("content-type"),
                    hashlib.sha256(await request.body()).hexdigest(),
                ),
                owner=uuid.uuid4(),
            )
            database: Database = request.app.state.database
            seconds = limits_of(request.scope).seconds or 0
            earlier = await take(database, claim, timedelta(seconds=seconds) + _MARGIN)
            if earlier is not None:
                return earlier
            return await _answer(handler, request, database, claim)

        return handle


async def _answer(handler: Handler, request: Request, database: Database, claim: Claim) -> Response:
    try:
        response = await handler(request)
    except Exception:
        # Not where the request is cancelled: what it has done by then is unknown.
        with suppress(DatabaseUnavailableError):
            await release(database, claim)
        raise
    try:
        if response.status_code < HTTPStatus.BAD_REQUEST:
            await keep(database, claim, response)
        else:
            await release(database, claim)
    except DatabaseUnavailableError:
        log.warning("the answer to an idempotency key is not kept: the database is away")
    return response


def _digest(*parts: str | None) -> bytes:
    return hashlib.sha256(json.dumps(parts).encode()).digest()
