"""The public keys of an OpenID Connect issuer, read from its `jwks_uri` and kept."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import jwt
import structlog

from trainyard_api.auth.keys import (
    ASYMMETRIC_ALGORITHMS,
    KeySet,
    KeysUnavailableError,
    UnknownKeyError,
    parse_key_set,
)

log = structlog.get_logger()

_REFRESH_SECONDS: Final = 300.0
_PAUSE_SECONDS: Final = 60.0
_FIRST_PAUSE_SECONDS: Final = 5.0
_TIMEOUT_SECONDS: Final = 5.0
_DOCUMENT_BYTES: Final = 1024 * 1024

Fetch = Callable[[], Awaitable[Any]]


class Jwks:
    """Keys that are read every five minutes, and sooner for a `kid` that is not among them.

    However many ask for keys that do not exist, the issuer is asked once a minute at most, and one
    request to it serves all who wait. While the issuer does not answer, the keys of its last answer
    stay; a key that it has withdrawn is refused as soon as it says so. To be entered once.
    """

    algorithms = ASYMMETRIC_ALGORITHMS

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.generation = 0
        self._fetch = fetch
        self._clock = clock
        self._document: Any = None
        self._keys: KeySet | None = None
        self._asked_at = -_PAUSE_SECONDS
        self._asking: asyncio.Task[None] | None = None
        self._refreshing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._refreshing = asyncio.create_task(self._refresh_for_ever())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for task in (self._refreshing, self._asking):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK:
        """The key of this `kid` for this algorithm; without a `kid`, the only one there is.

        Raises `UnknownKeyError`, `KeysUnavailableError`.
        """
        key = self._pick(kid, algorithm)
        if key is None and self._may_ask():
            await self._ask()
            key = self._pick(kid, algorithm)
        if key is not None:
            return key
        if self._keys is None:
            raise KeysUnavailableError
        raise UnknownKeyError

    def _pick(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        keys = self._keys or {}
        if kid is not None:
            return keys.get((kid, algorithm))
        fitting = [key for (_, name), key in keys.items() if name == algorithm]
        return fitting[0] if len(fitting) == 1 else None

    def _may_ask(self) -> bool:
        pause = _FIRST_PAUSE_SECONDS if self._keys is None else _PAUSE_SECONDS
        return self._asking is not None or self._clock() - self._asked_at >= pause

    async def _ask(self) -> None:
        """Ask the issuer, or wait with those who already do."""
        if self._asking is None:
            self._asked_at = self._clock()
            self._asking = asyncio.create_task(self._read())
        # Shielded: the one who happens to be first may go away.
        await asyncio.shield(self._asking)

    async def _read(self) -> None:
        try:
            document = await self._fetch()
            if document != self._document:
                self._keys = parse_key_set(document)
                self._document = document
                self.generation += 1
                kids = sorted({str(kid) for kid, _ in self._keys})
                log.info("the issuer's keys have changed", kids=kids)
        except Exception as error:
            # Whatever the issuer may answer, the keys that are known stay, and it is asked again.
            log.warning("the issuer's keys cannot be read", error=repr(error))
        finally:
            self._asking = None

    async def _refresh_for_ever(self) -> None:
        while True:
            await self._ask()
            await asyncio.sleep(_FIRST_PAUSE_SECONDS if self._keys is None else _REFRESH_SECONDS)


def fetch_over_http(url: str) -> Fetch:
    """Reads the JWK Set at `url`: no redirect is followed, and no more is read than keys need."""

    async def fetch() -> Any:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        # trust_env: HTTPS_PROXY and NO_PROXY, where the cluster reaches the world through one.
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise ValueError(f"the issuer answers {answer.status}")
            body = await answer.content.read(_DOCUMENT_BYTES + 1)
            while not answer.content.at_eof() and len(body) <= _DOCUMENT_BYTES:
                body += await answer.content.read(_DOCUMENT_BYTES + 1 - len(body))
        if len(body) > _DOCUMENT_BYTES:
            raise ValueError(f"the JWK Set has more than {_DOCUMENT_BYTES} bytes")
        return json.loads(body)

    return fetch
