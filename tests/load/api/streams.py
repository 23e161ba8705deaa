"""SSE clients that follow trainings: how many are held, and how old what they hear is."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

CLIENTS = 1000
_CONNECT_AT_ONCE = 50


@dataclass
class Heard:
    """What one client has heard: the moment of each progress mark that reached it."""

    marks: dict[str, float] = field(default_factory=dict)
    closed: bool = False


async def follow(url: str, name: str, token: str, heard: Heard, ready: asyncio.Event) -> None:
    """Read GET /api/v1/jobs/{name}/events until cancelled; a raw socket costs the least."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        head = f"GET /api/v1/jobs/{name}/events HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        head += f"Authorization: Bearer {token}\r\nAccept: text/event-stream\r\n\r\n"
        writer.write(head.encode())
        status = await reader.readline()
        if b" 200 " not in status:
            raise AssertionError(f"{name}: {status!r}")
        ready.set()
        while line := await reader.readline():
            if line.startswith(b"data:"):
                _take_note(line[5:], heard)
        heard.closed = True
    finally:
        writer.close()


def _take_note(data: bytes, heard: Heard) -> None:
    try:
        document = json.loads(data)
    except ValueError:
        return
    message = document.get("message") if isinstance(document, dict) else None
    if message:
        heard.marks.setdefault(message, time.monotonic())


async def connect(
    urls: Sequence[str], names: Sequence[str], token: str, clients: int = CLIENTS
) -> tuple[list[Heard], list[asyncio.Task[None]]]:
    """Connect that many clients, evenly over replicas and trainings; all are being answered."""
    heard = [Heard() for _ in range(clients)]
    tasks: list[asyncio.Task[None]] = []
    for start in range(0, clients, _CONNECT_AT_ONCE):
        opened = []
        for number in range(start, min(start + _CONNECT_AT_ONCE, clients)):
            ready = asyncio.Event()
            url, name = urls[number % len(urls)], names[number % len(names)]
            tasks.append(
                asyncio.create_task(follow(url, name, token, heard[number], ready), name=name)
            )
            opened.append((ready, tasks[-1]))
        for ready, task in opened:
            waiting = asyncio.create_task(ready.wait())
            await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if task.done():
                await task
    return heard, tasks
