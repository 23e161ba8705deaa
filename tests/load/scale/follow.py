"""Watches of the API server, which go on where a connection ended."""

import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp

_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10)
_SERVER_SECONDS = "3600"

Handler = Callable[[str, dict[str, Any], float], None]


async def follow(session: aiohttp.ClientSession, path: str, handle: Handler, **query: str) -> None:
    """Call `handle(event type, object, monotonic seconds)` for each event, from the first on.

    Runs until it is cancelled. Raises `RuntimeError` where the API server has lost what comes next.
    """
    version = "0"
    while True:
        parameters = {"watch": "1", "timeoutSeconds": _SERVER_SECONDS, **query}
        parameters["resourceVersion"] = version
        async with session.get(path, params=parameters, timeout=_TIMEOUT) as response:
            response.raise_for_status()
            async for line, moment in _lines(response):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise RuntimeError(f"the watch of {path} ended: {event['object']}")
                version = event["object"]["metadata"]["resourceVersion"]
                handle(event["type"], event["object"], moment)


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[bytes, float]]:
    """Each line, and when it came."""
    connection, rest = response.connection, b""
    try:
        async for chunk in response.content.iter_any():
            moment = time.monotonic()
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line, moment
    finally:
        # TLS would wait for the server's farewell, and the event loop would not wait for TLS.
        if connection is not None and connection.transport is not None:
            connection.transport.abort()
