"""What becomes of an alert after a delivery, and what a delivery makes of any answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest
from aiohttp import web
from trainyard_api.alerts.delivery import decide
from trainyard_api.alerts.webhook import Reply, Webhook
from trainyard_api.database.tables import AlertState

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_what_was_taken(status: int) -> None:
    assert decide(Reply(status), attempt=1, attempts=1, luck=0.5).state is AlertState.DELIVERED


@pytest.mark.parametrize("status", [None, 301, 400, 401, 404, 429, 500, 503])
def test_what_is_tried_again(status: int | None) -> None:
    assert decide(Reply(status), attempt=14, attempts=15, luck=0.5).state is AlertState.PENDING
    assert decide(Reply(status), attempt=15, attempts=15, luck=0.5).state is AlertState.DEAD


def test_who_is_gone_is_asked_no_more() -> None:
    assert decide(Reply(410), attempt=1, attempts=15, luck=0.5).state is AlertState.DEAD


def test_all_attempts_take_about_a_day() -> None:
    def seconds(luck: float) -> float:
        decisions = [decide(Reply(500), attempt=n, attempts=15, luck=luck) for n in range(1, 15)]
        return sum(decision.pause_seconds for decision in decisions)

    assert seconds(0.5) == pytest.approx(5 * (2**14 - 1))
    assert 17 < seconds(0) / 3600 < 24 < seconds(1) / 3600 < 29


def test_pauses_have_a_limit_and_keep_to_what_the_receiver_asks_for() -> None:
    def pause(attempt: int, retry_after: int = 0) -> float:
        reply = Reply(503, retry_after_seconds=retry_after)
        return decide(reply, attempt=attempt, attempts=30, luck=0.5).pause_seconds

    assert pause(25) == 12 * 3600
    assert (pause(1), pause(1, 600), pause(10, 600)) == (5, 600, 2560)
    assert pause(1, 10**8) == 12 * 3600


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serve a handler; the URL of it."""
    runners = []

    async def start(handler: Handler) -> str:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(application, shutdown_timeout=0)
        runners.append(runner)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        return f"http://{host}:{port}/hook?token=private"

    yield start
    for runner in runners:
        await runner.cleanup()


async def post(url: str, timeout: float = 5) -> Reply:  # noqa: ASYNC109
    async with Webhook(url, b"k" * 32, timeout_seconds=timeout) as webhook:
        return await webhook.post("msg_1", b"{}")


async def test_who_hangs_is_not_waited_for(serve: Serve) -> None:
    over = asyncio.Event()

    async def never(_: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    reply = await post(await serve(never), 0.2)
    over.set()
    assert reply == Reply(None, "no answer within 0.2 s")


async def test_who_trickles_is_not_waited_for() -> None:
    over = asyncio.Event()

    async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reply = await post(f"http://127.0.0.1:{port}/hook", 0.3)
        await over.wait()
    assert reply == Reply(None, "no answer within 0.3 s")


async def test_who_refuses_connections(unused_tcp_port: int) -> None:
    reply = await post(f"http://127.0.0.1:{unused_tcp_port}/hook?token=private")
    assert reply.error == "no answer: ClientConnectorError"


async def test_who_redirects_is_not_followed(serve: Serve) -> None:
    asked = []

    async def redirect(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    reply = await post(await serve(redirect))
    assert reply.error == "answered 307; redirects are not followed"
    assert asked == ["/hook"]


async def test_of_a_long_answer_little_is_kept(serve: Serve) -> None:
    async def flood(request: web.Request) -> web.StreamResponse:
        return web.Response(status=500, body=b"\x1b[31m\r\nx\x00\xff" + b"y" * 10_000_000)

    reply = await post(await serve(flood))
    assert reply.said.startswith("[31m x �yyy")
    assert len(reply.said) <= 1024
    assert reply.error is not None
    assert len(reply.error) <= 1024


async def test_an_answer_is_not_decompressed(serve: Serve) -> None:
    async def bomb(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        return web.Response(body=b"no gzip", headers={"Content-Encoding": "gzip"})

    assert (await post(await serve(bomb))).delivered


async def test_when_to_come_back_may_be_nonsense(serve: Serve) -> None:
    values = {"17": 17, "Wed, 21 Oct 2026 07:28:00 GMT": 0, "-1": 0, "9" * 99: 0, "²": 0}
    for value, seconds in values.items():

        async def later(_: web.Request, value: str = value) -> web.Response:
            return web.Response(status=503, headers={"Retry-After": value})

        assert (await post(await serve(later))).retry_after_seconds == seconds
