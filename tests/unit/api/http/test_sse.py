"""Streams on an ASGI connection that a test holds the other end of."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from starlette.types import Message
from trainyard_api.http import sse
from trainyard_api.http.sse import EventStream


class Connection:
    """The server's side of a connection: `room` messages are taken, the next one waits."""

    def __init__(self, room: int = 10**6) -> None:
        self.sent: list[Message] = []
        self.told = asyncio.Event()
        self.gone = asyncio.Event()
        self.closing = asyncio.Event()
        self._room = asyncio.Semaphore(room)

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        await self._room.acquire()
        self.sent.append(message)
        if message.get("body"):
            self.told.set()

    def serve(self, events: AsyncGenerator[bytes]) -> asyncio.Task[None]:
        stream = EventStream(events, closing=self.closing)
        return asyncio.create_task(stream({"type": "http"}, self.receive, self.send))

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


class Events:
    """Endless events; tells how many were asked for, and that it was closed."""

    def __init__(self, *, pause: asyncio.Event | None = None) -> None:
        self.asked = 0
        self.closed = False
        self._pause = pause

    async def all(self) -> AsyncGenerator[bytes]:
        try:
            while True:
                self.asked += 1
                yield b"data: x\n\n"
                await (self._pause.wait() if self._pause else asyncio.sleep(0))
        finally:
            self.closed = True


async def test_events_that_end() -> None:
    async def two() -> AsyncGenerator[bytes]:
        yield b"data: 1\n\n"
        yield b"data: 2\n\n"

    connection = Connection()
    await connection.serve(two())
    start, *body = connection.sent
    headers = dict(start["headers"])
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert headers[b"cache-control"] == b"no-store"
    assert b"content-length" not in headers
    assert connection.body == b"data: 1\n\ndata: 2\n\n"
    assert [message["more_body"] for message in body] == [True, True, False]


async def test_nothing_is_made_for_a_reader_who_takes_nothing() -> None:
    connection, events = Connection(room=3), Events()
    task = connection.serve(events.all())
    for _ in range(100):
        await asyncio.sleep(0)
    assert events.asked == 3
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert events.closed


@pytest.mark.parametrize("end", ["gone", "closing"])
async def test_a_stream_ends_with_its_client_and_with_the_server(end: str) -> None:
    connection, events = Connection(), Events(pause=asyncio.Event())
    task = connection.serve(events.all())
    await connection.told.wait()
    getattr(connection, end).set()
    async with asyncio.timeout(5):
        await task
    assert events.closed
    assert connection.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_a_server_that_is_stopping_answers_at_once() -> None:
    connection, events = Connection(), Events(pause=asyncio.Event())
    connection.closing.set()
    async with asyncio.timeout(5):
        await connection.serve(events.all())
    assert connection.sent[0]["type"] == "http.response.start"
    assert connection.sent[-1]["more_body"] is False


async def test_silence_is_broken_by_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "_KEEP_ALIVE_SECONDS", 0.01)
    connection, events = Connection(), Events(pause=asyncio.Event())
    task = connection.serve(events.all())
    async with asyncio.timeout(5):
        for _ in range(4):
            await connection.told.wait()
            connection.told.clear()
    connection.gone.set()
    await task
    assert connection.body.startswith(b"data: x\n\n: ping\n\n: ping\n\n: ping\n\n")


async def test_no_stream_outlives_what_its_token_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "_KEEP_ALIVE_SECONDS", 0.01)
    monkeypatch.setattr(sse, "_LONGEST_SECONDS", 0.05)
    connection = Connection()
    async with asyncio.timeout(5):
        await connection.serve(Events(pause=asyncio.Event()).all())


async def test_an_error_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> AsyncGenerator[bytes]:
        yield b"data: 1\n\n"
        raise ZeroDivisionError

    connection = Connection()
    with pytest.raises(ExceptionGroup):
        await connection.serve(broken())
    assert connection.sent[-1]["more_body"] is True
