"""Slow clients, on real sockets."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send
from trainyard_api.http.limits import Limits
from trainyard_api.http.middleware import LimitBody, Observe
from trainyard_api.http.patience import PatientProtocol
from trainyard_api.metrics import Metrics
from uvicorn.server import ServerState

_SECONDS = 0.3
_GET = b"GET / HTTP/1.1\r\nHost: api\r\n\r\n"
Address = tuple[str, int]


class _HastyProtocol(PatientProtocol):
    head_seconds = _SECONDS
    unsent_seconds = _SECONDS


async def _without_end() -> AsyncIterator[bytes]:
    while True:
        yield b" " * 65536
        await asyncio.sleep(0)


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    """/early answers before the body is there; /slow thinks; /large answers without end."""
    path = scope["path"]
    if path == "/slow":
        await asyncio.sleep(3 * _SECONDS)
    if path == "/body":
        while (await receive()).get("more_body"):
            pass
    if path == "/large":
        await StreamingResponse(_without_end())(scope, receive, send)
        return
    length = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": b"ok"})


class Server:
    def __init__(self) -> None:
        self.address: Address = ("", 0)
        self.state = ServerState()

    async def until(self, served: int) -> None:
        async with asyncio.timeout(20):
            while len(self.state.tasks) != served:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)


@asynccontextmanager
async def _serve(limits: Limits) -> AsyncIterator[Server]:
    server = Server()
    app = Observe(
        LimitBody(_app, limits=lambda _: limits), metrics=Metrics(), limits=lambda _: limits
    )
    config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_keep_alive=30)
    config.load()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: _HastyProtocol(config=config, server_state=server.state, app_state={}),
        "127.0.0.1",
    )
    server.address = listening.sockets[0].getsockname()
    try:
        yield server
    finally:
        listening.close()
        for connection in list(server.state.connections):
            connection.transport.abort()
        await listening.wait_closed()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with _serve(Limits(body_seconds=_SECONDS)) as server:
        yield server


async def _trickle(server: Server, start: bytes, byte: Callable[[], bytes]) -> tuple[bytes, float]:
    """Send `start`, and then `byte` by `byte` until the server closes: its answer, and how long."""
    reader, writer = await asyncio.open_connection(*server.address)
    began = time.monotonic()
    writer.write(start)

    async def drip() -> None:
        while True:
            await asyncio.sleep(_SECONDS / 10)
            writer.write(byte())

    dripping = asyncio.create_task(drip())
    answer = b""
    try:
        async with asyncio.timeout(30):
            # Piece by piece: what is dripped into a closed connection has it reset in the end.
            while piece := await reader.read(65536):
                answer += piece
    except ConnectionError:
        pass
    finally:
        dripping.cancel()
        writer.close()
    return answer, time.monotonic() - began


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nX-Slow: "])
async def test_a_head_that_does_not_end(server: Server, start: bytes) -> None:
    byte = b"a" if start else b""
    answer, seconds = await _trickle(server, start, lambda: byte)
    assert answer == b""
    assert _SECONDS <= seconds < 10 * _SECONDS


async def test_the_second_head_is_no_less_limited(server: Server) -> None:
    answer, seconds = await _trickle(server, _GET + b"GET / HT", lambda: b"T")
    assert answer.count(b"200 OK") == 1
    assert seconds < 10 * _SECONDS


async def test_a_body_that_trickles_is_told_so(server: Server) -> None:
    head = b"POST /body HTTP/1.1\r\nHost: api\r\nContent-Length: 1000\r\n\r\n"
    answer, seconds = await _trickle(server, head, lambda: b"a")
    assert answer.startswith(b"HTTP/1.1 500")  # no route turns the problem into its answer here
    assert _SECONDS <= seconds < 10 * _SECONDS


async def test_a_body_that_nobody_waits_for(server: Server) -> None:
    head = b"POST /early HTTP/1.1\r\nHost: api\r\nContent-Length: 1000\r\n\r\n"
    answer, seconds = await _trickle(server, head, lambda: b"a")
    assert answer.endswith(b"ok")
    assert _SECONDS <= seconds < 10 * _SECONDS


async def test_pieces_of_a_large_body_have_a_time_each() -> None:
    async with _serve(Limits(body_bytes=None, body_seconds=_SECONDS)) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(b"POST /body HTTP/1.1\r\nHost: api\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            await asyncio.sleep(_SECONDS / 3)
            writer.write(b"a")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_who_waits_for_an_answer_is_left_in_peace(server: Server) -> None:
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(b"GET /slow HTTP/1.1\r\nHost: api\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    # And so is who keeps the connection for a next request.
    await asyncio.sleep(2 * _SECONDS)
    writer.write(_GET)
    async with asyncio.timeout(10):
        await reader.readuntil(b"ok")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_a_client_that_takes_nothing_of_its_answer(server: Server) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, server.address)
        await loop.sock_sendall(client, b"GET /large HTTP/1.1\r\nHost: api\r\n\r\n")
        await server.until(served=1)
        await server.until(served=0)
        assert not server.state.connections
