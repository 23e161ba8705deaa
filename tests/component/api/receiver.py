"""A receiver of webhooks that verifies what it gets, and answers what a test tells it to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import standardwebhooks


@dataclass(frozen=True)
class Delivery:
    """A request whose signature is right."""

    id: str
    timestamp: int
    path: str
    body: bytes
    payload: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Receiver:
    """What arrived, in order. `answer` may block: the sender then waits."""

    secret: str
    url: str = ""
    deliveries: list[Delivery] = field(default_factory=list)
    forged: list[str] = field(default_factory=list)
    answer: Callable[[Delivery], Answer] = lambda _: Answer()

    @property
    def ids(self) -> list[str]:
        return [delivery.id for delivery in self.deliveries]

    def take(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        try:
            payload = standardwebhooks.Webhook(self.secret).verify(body, headers)
        except standardwebhooks.WebhookVerificationError as error:
            self.forged.append(str(error))
            return Answer(401)
        delivery = Delivery(
            headers["webhook-id"], int(headers["webhook-timestamp"]), path, body, payload
        )
        self.deliveries.append(delivery)
        return self.answer(delivery)


@contextmanager
def receiving(secret: str) -> Iterator[Receiver]:
    receiver = Receiver(secret)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = receiver.take(self.path, headers, body)
            try:
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)
            except (BrokenPipeError, ConnectionResetError):
                # The sender was killed.
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        receiver.url = f"http://127.0.0.1:{server.server_port}/hooks/token-of-the-receiver"
        Thread(target=server.serve_forever, daemon=True).start()
        yield receiver
        server.shutdown()
