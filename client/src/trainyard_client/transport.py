"""One place for requests: who asks, for how long, and what is asked again."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

import httpx
import stamina

from trainyard_client.errors import (
    ConflictError,
    TooManyRequestsError,
    TrainyardError,
    UnavailableError,
    UnreachableError,
    error_of,
)

# The API answers within 30 s, or with an error.
TIMEOUT: Final = httpx.Timeout(35.0, connect=5.0)
# Streams send a comment each 15 s when they have nothing else to send.
STREAM_TIMEOUT: Final = httpx.Timeout(50.0, connect=5.0)
# After the last byte the API checks the whole file.
UPLOAD_TIMEOUT: Final = httpx.Timeout(600.0, connect=5.0, write=60.0)
_FIRST_ATTEMPTS: Final = 5
# No proxy can reach what listens on this machine, and none is to have its tokens.
_LOOPBACK: Final = ("all://127.0.0.1", "all://localhost", "all://[::1]")

Query = Mapping[str, str | int | bool | list[str] | None]
"""Query parameters; None is left out."""


class Transport:
    """Requests to one API. May be used by several threads at once."""

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        patience: float,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"User-Agent": f"trainyard-client/{version('trainyard-client')}"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.url: Final = url.rstrip("/")
        self._patience = patience
        self._was_reached = False
        # Redirects are not followed: they would take the token elsewhere.
        self._http = httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=TIMEOUT,
            mounts=dict.fromkeys(_LOOPBACK),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
            transport=transport,
        )

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def get(
        self, path: str, query: Query | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Ask for a resource, again where that may help. 304 is an answer."""
        return self._retried("GET", path, params=_given(query), headers=headers)

    def delete(self, path: str) -> httpx.Response:
        """Cancel or delete; doing it twice is doing it once."""
        return self._retried("DELETE", path)

    def post(self, path: str, body: Any, *, key: str | None = None) -> httpx.Response:
        """Ask for something to be done once, however often it has to be said.

        The `Idempotency-Key` is made here unless a `key` is given.
        """
        headers = {"Idempotency-Key": key or uuid4().hex}
        return self._retried("POST", path, json=body, headers=headers)

    def send_stream(
        self, path: str, content: Iterable[bytes], *, query: Query, headers: Mapping[str, str]
    ) -> httpx.Response:
        """POST a body that is read once, so it is never sent again."""
        return self._send(
            "POST",
            path,
            content=content,
            params=_given(query),
            headers=headers,
            timeout=UPLOAD_TIMEOUT,
        )

    @contextmanager
    def stream(
        self, path: str, query: Query | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """GET an answer that is read as it comes. Not retried."""
        with _network_errors(self.url):
            request = self._http.build_request(
                "GET", path, params=_given(query), headers=headers, timeout=STREAM_TIMEOUT
            )
            response = self._http.send(request, stream=True)
            try:
                if not response.is_success:
                    response.read()
                    raise error_of(response)
                yield response
            finally:
                response.close()

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        with _network_errors(self.url):
            response = self._http.request(method, path, **options)
        self._was_reached = True
        if response.is_success or response.status_code == httpx.codes.NOT_MODIFIED:
            return response
        raise error_of(response)

    def _retried(self, method: str, path: str, **options: Any) -> httpx.Response:
        end = time.monotonic() + self._patience

        def backoff(error: Exception) -> bool | float:
            if isinstance(error, UnreachableError):
                return time.monotonic() < end
            # 409 with a time to come back: the same request is still at work.
            if not isinstance(error, TooManyRequestsError | UnavailableError | ConflictError):
                return False
            if error.retry_after is None:
                # Of a request to do something, the API has not said that asking again would help.
                gateway = isinstance(error, UnavailableError) and method == "GET"
                return gateway and time.monotonic() < end
            return error.retry_after if time.monotonic() + error.retry_after < end else False

        # Who has answered before is away for a moment; who never has may not be there at all.
        attempts = None if self._was_reached else _FIRST_ATTEMPTS
        for attempt in stamina.retry_context(
            on=backoff, attempts=attempts, timeout=None, wait_initial=0.2, wait_jitter=0.3
        ):
            with attempt:
                return self._send(method, path, **options)
        raise AssertionError("unreachable")


def segment(name: str) -> str:
    """A name as one part of a path. Raises `TrainyardError` for what would lead elsewhere."""
    if name in ("", ".", ".."):
        raise TrainyardError(f"{name!r} is no name")
    return quote(name, safe="")


def _given(query: Query | None) -> dict[str, str | int | bool | list[str]]:
    return {name: value for name, value in (query or {}).items() if value is not None}


@contextmanager
def _network_errors(url: str) -> Iterator[None]:
    try:
        yield
    except httpx.TimeoutException as error:
        raise UnreachableError(f"{url} does not answer in time") from error
    except httpx.TransportError as error:
        raise UnreachableError(f"{url} cannot be reached: {error}") from error
    except httpx.InvalidURL as error:
        raise UnreachableError(f"{url!r} is no URL: {error}") from error
