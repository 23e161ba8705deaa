"""The real API server, as the parts of the harness that run beside a test speak to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

Document = dict[str, Any]
_NO_LIMIT = aiohttp.ClientTimeout(total=None, sock_connect=10)
_PAUSE_SECONDS = 0.2


async def lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """The lines of a body of any length, each without its end."""
    rest = b""
    async for chunk in content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line


class Upstream:
    """Opened and used in one event loop."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # Its certificate is made as it starts.
        connector = aiohttp.TCPConnector(ssl=False, limit=0)
        self.session = aiohttp.ClientSession(
            url, connector=connector, headers=headers, timeout=_NO_LIMIT, auto_decompress=False
        )

    async def close(self) -> None:
        await self.session.close()

    async def send(
        self, method: str, path: str, body: Document | None = None
    ) -> tuple[int, Document]:
        """One request, whatever the answer."""
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if method == "PATCH":
            headers["Content-Type"] = "application/strategic-merge-patch+json"
        async with self.session.request(method, path, json=body, headers=headers) as response:
            return response.status, json.loads(await response.read())

    async def follow(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Document]:
        """What is there, and all changes, for ever: also when the API server was away."""
        version: str | None = None
        while True:
            try:
                async for event in self._watch(path, query, version):
                    if event["type"] == "ERROR":
                        version = None
                        break
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        yield event
            except (aiohttp.ClientError, OSError):
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _watch(
        self, path: str, query: Mapping[str, str], version: str | None
    ) -> AsyncIterator[Document]:
        asked = {"watch": "true", "allowWatchBookmarks": "true", **query}
        if version is not None:
            asked["resourceVersion"] = version
        headers = {"Accept-Encoding": "identity"}
        async with self.session.get(path, params=asked, headers=headers) as response:
            response.raise_for_status()
            async for line in lines(response.content):
                yield json.loads(line)
