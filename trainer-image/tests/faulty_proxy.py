"""An HTTP proxy before a real S3 server that fails as it is told."""

import http.client
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import inf
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

_HOP_BY_HOP = {"connection", "expect", "keep-alive", "transfer-encoding"}


class Response(NamedTuple):
    """What a server answers."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Exchange:
    """One request, to be forwarded and answered, or not."""

    def __init__(self, handler: BaseHTTPRequestHandler, proxy: "Proxy") -> None:
        self._handler = handler
        self.proxy = proxy
        self.method = handler.command
        parts = urlsplit(handler.path)
        self.key = unquote(parts.path).lstrip("/").partition("/")[2]
        self.query = parts.query
        self.body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))

    def forward(self, body: bytes | None = None) -> Response:
        """Have the server do it, perhaps with another body."""
        sent = self.body if body is None else body
        headers = {
            name: value
            for name, value in self._handler.headers.items()
            if name.lower() not in _HOP_BY_HOP
        }
        if "Content-Length" in headers:
            headers["Content-Length"] = str(len(sent))
        server = http.client.HTTPConnection(self.proxy.server, timeout=30)
        try:
            server.request(self.method, self._handler.path, sent, headers)
            answer = server.getresponse()
            return Response(answer.status, dict(answer.headers), answer.read())
        finally:
            server.close()

    def answer(self, response: Response, body: bytes | None = None) -> None:
        """Answer, perhaps with fewer bytes than are promised."""
        self._handler.send_response(response.status)
        for name, value in response.headers.items():
            if name.lower() not in {*_HOP_BY_HOP, "content-length", "date", "server"}:
                self._handler.send_header(name, value)
        length = response.headers.get("Content-Length", str(len(response.body)))
        self._handler.send_header("Content-Length", length)
        self._handler.end_headers()
        if self.method != "HEAD":
            self._handler.wfile.write(response.body if body is None else body)
        if body is not None:
            self.cut()

    def cut(self) -> None:
        """Close the connection."""
        self._handler.close_connection = True


Fault = Callable[[Exchange], None]


def unavailable(exchange: Exchange) -> None:
    """503, as a store says that is overloaded."""
    text = b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"
    exchange.answer(Response(503, {}, text))


def cut(exchange: Exchange) -> None:
    """The connection ends without an answer; nothing is done."""
    exchange.cut()


def lose_answer(exchange: Exchange) -> None:
    """The connection ends without an answer; all is done."""
    exchange.forward()
    exchange.cut()


def hang(exchange: Exchange) -> None:
    """No answer ever, and nothing is done."""
    exchange.proxy.hanging.set()
    exchange.proxy.closed.wait()
    exchange.cut()


def slow(exchange: Exchange) -> None:
    """The answer takes a while."""
    exchange.proxy.closed.wait(0.1)
    exchange.answer(exchange.forward())


def truncate(exchange: Exchange) -> None:
    """The last byte never arrives, and the store does not mind."""
    exchange.answer(exchange.forward(exchange.body[:-1]))


def corrupt(exchange: Exchange) -> None:
    """One bit arrives as another, and the store does not mind."""
    middle = len(exchange.body) // 2
    flipped = bytes([exchange.body[middle] ^ 1])
    exchange.answer(
        exchange.forward(exchange.body[:middle] + flipped + exchange.body[middle + 1 :])
    )


def truncate_answer(exchange: Exchange) -> None:
    """What is read ends too soon."""
    response = exchange.forward()
    exchange.answer(response, response.body[: len(response.body) // 2])


@dataclass(eq=False)
class Rule:
    """Which requests fail, how, and how often."""

    fault: Fault
    method: str
    part: str
    query: str
    times: float
    count: int = 0
    """How often it has happened."""

    def is_about(self, exchange: Exchange) -> bool:
        """Whether this request is to fail."""
        return (
            self.count < self.times
            and self.method == exchange.method
            and self.part in exchange.key
            and self.query in exchange.query
        )


@dataclass
class Proxy:
    """Forwards everything that no rule is about."""

    server: str
    url: str = ""
    hanging: threading.Event = field(default_factory=threading.Event)
    """Set once a request hangs."""
    closed: threading.Event = field(default_factory=threading.Event)
    after_write: Callable[[], object] = lambda: None
    """Called after each write, one at a time."""
    errors: list[Exception] = field(default_factory=list)
    """What `after_write` raised."""
    _rules: list[Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(
        self, fault: Fault, method: str, part: str, *, query: str = "", times: float = inf
    ) -> Rule:
        """From now on, requests whose key has this part fail in that way, so often."""
        rule = Rule(fault, method, part, query, times)
        self._rules.append(rule)
        return rule

    @contextmanager
    def failing(self, fault: Fault, method: str, part: str) -> Iterator[Rule]:
        """For a while, requests whose key has this part fail in that way."""
        rule = self.fail(fault, method, part)
        try:
            yield rule
        finally:
            self._rules.remove(rule)

    def handle(self, exchange: Exchange) -> None:
        """Forward, or fail."""
        with self._lock:
            rule = next((rule for rule in self._rules if rule.is_about(exchange)), None)
            if rule is not None:
                rule.count += 1
        if rule is not None:
            rule.fault(exchange)
            return
        exchange.answer(exchange.forward())
        if exchange.method in {"PUT", "POST", "DELETE"}:
            with self._lock:
                try:
                    self.after_write()
                except Exception as error:
                    self.errors.append(error)


@contextmanager
def proxy_before(endpoint: str) -> Iterator[Proxy]:
    """A proxy before the server at this URL."""
    proxy = Proxy(urlsplit(endpoint).netloc)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            proxy.handle(Exchange(self, proxy))

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that is gone is what the tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.closed.set()
        server.shutdown()
        server.server_close()
