"""A reader of server-sent events that keeps what came when."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass
class Event:
    name: str = ""
    id: str | None = None
    data: str = ""
    received: float = field(default_factory=time.monotonic)

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.data)
        return document


@asynccontextmanager
async def listening(
    client: httpx.AsyncClient, path: str, last: str | None = None
) -> AsyncIterator[AsyncIterator[Event]]:
    headers = {"Last-Event-ID": last} if last is not None else {}
    async with client.stream("GET", path, headers=headers, timeout=30) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield _events(response)


async def _events(response: httpx.Response) -> AsyncIterator[Event]:
    event = Event()
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        match name:
            case "event":
                event = Event(name=value)
            case "id":
                event.id = value
            case "data":
                event.data = value
            case "" if line == "" and event.name:
                yield event
                event = Event()
