"""What a client may send byte by byte: sizes, slowness, and heads that two parties read unlike."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from .conftest import Server, token

pytestmark = pytest.mark.component

_SECONDS = 45


async def talk(server: Server, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Send the pieces, `pause` seconds apart: all that is answered until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

    async def send() -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    sending = asyncio.create_task(send())
    received = b""
    try:
        async with asyncio.timeout(_SECONDS):
            while chunk := await reader.read(65536):
                received += chunk
    except ConnectionError:
        # Closed with bytes of ours unread.
        pass
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()
    return received


def head(line: str, *headers: str, close: bool = True) -> bytes:
    lines = [line, "Host: api", *headers, *(["Connection: close"] if close else [])]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def post(*headers: str, close: bool = True) -> bytes:
    bearer = f"Authorization: Bearer {token()}"
    kind = "Content-Type: application/json"
    return head("POST /train/xgboost HTTP/1.1", bearer, kind, *headers, close=close)


def statuses(received: bytes) -> list[int]:
    return [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]


CHUNK = b"400\r\n" + b" " * 1024 + b"\r\n"


@pytest.mark.parametrize(
    "pieces",
    [
        (post("Content-Length: 65537"), b" " * 65537),
        (post("Content-Length: 99999999999999999999"), b" " * 65537),
        (post("Transfer-Encoding: chunked"), CHUNK * 65, b"0\r\n\r\n"),
        (post("Transfer-Encoding: chunked"), b"fffffff\r\n" + b" " * 70_000),
    ],
    ids=["announced", "announced without end", "chunks", "one chunk"],
)
async def test_a_body_that_is_too_large(server: Server, pieces: tuple[bytes, ...]) -> None:
    assert statuses(await talk(server, *pieces)) == [413]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (post("Content-Length: 2", "Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
        (post("Transfer-Encoding: chunked", "Content-Length: 2") + b"0\r\n\r\n", 400),
        (post("Content-Length: 2", "Content-Length: 3") + b"{}\n", 400),
        (post("Content-Length: 2, 3") + b"{}\n", 400),
        (post("Content-Length: +2") + b"{}", 400),
        (post("Content-Length: -2") + b"{}", 400),
        (post("Content-Length: 0x2") + b"{}", 400),
        (post("Transfer-Encoding: xchunked") + b"0\r\n\r\n", 400),
        (post("Transfer-Encoding: chunked, identity") + b"0\r\n\r\n", 400),
        (post("Transfer-Encoding: chunked", "Transfer-Encoding: identity") + b"0\r\n\r\n", 400),
        (post("Transfer-Encoding : chunked") + b"0\r\n\r\n", 400),
        # A folded line belongs to the one before, the Content-Type here (RFC 9112, 5.2).
        (post(" Transfer-Encoding: chunked", "Content-Length: 2") + b"{}", 422),
        (post("Transfer-Encoding: chunked") + b"-1\r\n\r\n", 400),
        (post("Transfer-Encoding: chunked") + b"0x2\r\n{}\r\n0\r\n\r\n", 400),
        (head("GET /healthz HTTP/1.1", "X-A: a\x00b"), 400),
        (head("GET /healthz HTTP/1.1", "X-A: a\rX-B: b"), 400),
        (head("GET /healthz HTTP/1.1", "X\x1bA: a"), 400),
        (b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n", 400),
        (head("GET /health z HTTP/1.1"), 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n", 400),
    ],
)
async def test_heads_that_two_parties_may_read_unlike(
    server: Server, sent: bytes, status: int
) -> None:
    """One refusal, and nothing that comes after it is taken for a request."""
    hidden = head("GET /train/status/smuggled HTTP/1.1", f"Authorization: Bearer {token()}")
    received = await talk(server, sent + hidden)
    assert statuses(received) == [status], received
    assert not any("smuggled" in str(line.get("path")) for line in server.lines())


@pytest.mark.parametrize("line", ["GET /{} HTTP/1.1\r\n", "GET / HTTP/1.1\r\nX-Large: {}\r\n"])
async def test_a_head_without_end(server: Server, line: str) -> None:
    sent = line.format("a" * 1_000_000).encode()
    pieces = [sent[start : start + 16384] for start in range(0, len(sent), 16384)]
    assert statuses(await talk(server, *pieces, pause=0.01)) in ([400], [])


async def test_a_body_is_never_taken_for_a_request(server: Server) -> None:
    hidden = head("GET /train/status/hidden HTTP/1.1", f"Authorization: Bearer {token()}")
    sent = post(f"Content-Length: {len(hidden)}", close=False) + hidden
    received = await talk(server, sent + head("GET /healthz HTTP/1.1"))
    assert statuses(received) == [422, 200]
    assert not any("hidden" in str(line.get("path")) for line in server.lines())


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET http://elsewhere.example.com/healthz HTTP/1.1", 404),
        ("CONNECT elsewhere.example.com:443 HTTP/1.1", 404),
        ("OPTIONS * HTTP/1.1", 404),
        ("TRACE /healthz HTTP/1.1", 405),
        ("GET //healthz HTTP/1.1", 404),
        ("GET /healthz/../train/jobs HTTP/1.1", 404),
        ("GET /static-offline-docs/..%2f..%2f..%2f..%2fetc%2fpasswd HTTP/1.1", 404),
        ("GET /static-offline-docs/../../../../etc/passwd HTTP/1.1", 404),
    ],
)
async def test_targets_that_lead_elsewhere(server: Server, line: str, status: int) -> None:
    received = await talk(server, head(line))
    assert statuses(received) == [status], received
    assert b"root:" not in received


async def test_slow_clients(server: Server) -> None:
    """All at once, since each takes as long as it is given; others are served meanwhile."""

    async def timed(*pieces: bytes, pause: float) -> tuple[list[int], float]:
        start = time.monotonic()
        return statuses(await talk(server, *pieces, pause=pause)), time.monotonic() - start

    letters = [b"a"] * 100
    silent, slow_head, slow_body, slow_chunks, unread, *_ = await asyncio.gather(
        timed(b"", pause=0),
        timed(b"GET /healthz HTTP/1.1\r\nX-Slow: ", *letters, pause=0.5),
        timed(post("Content-Length: 100"), *letters, pause=0.5),
        timed(post("Transfer-Encoding: chunked"), *[b"1\r\n \r\n"] * 100, pause=0.5),
        # Refused by its head, so that nobody reads the body.
        timed(post("Content-Length: 100000", close=False), *letters, pause=0.5),
        _stays_alive(server),
    )
    for statuses_, seconds in (silent, slow_head):
        assert statuses_ == []
        assert 19 < seconds < 30
    for statuses_, seconds in (slow_body, slow_chunks):
        assert statuses_ == [408]
        assert 19 < seconds < 45
    assert unread[0] == [413]
    assert 19 < unread[1] < 30


async def _stays_alive(server: Server) -> None:
    async with server.client() as client:
        for _ in range(20):
            start = time.monotonic()
            assert (await client.get("/healthz")).status_code == 200
            assert time.monotonic() - start < 5
            await asyncio.sleep(1)


@pytest.fixture
async def crowd(server: Server) -> AsyncIterator[None]:
    """Five hundred connections that say nothing."""
    opened = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(500)]
    yield
    for _, writer in opened:
        writer.close()


async def test_a_crowd_that_says_nothing(server: Server, crowd: None) -> None:
    async with server.client() as client:
        assert (await client.get("/healthz")).status_code == 200
