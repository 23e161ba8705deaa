"""A real HTTP server that answers as a test says: for faults that the real API does not have."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: Any = None
    """JSON; bytes are sent as they are; an iterator is sent piece by piece until it ends."""
    headers: dict[str, str] = field(default_factory=dict)


Route = Callable[[Request], Answer]


def problem(status: int, detail: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"title": "Problem", "status": status, "detail": detail}, named)


def event(name: str, data: Any, identity: str = "") -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    mark = f"id: {identity}\n" if identity else ""
    return f"event: {name}\n{mark}data: {text}\n\n".encode()


def job(name: str = "churn", **fields: Any) -> dict[str, Any]:
    return {
        "job_id": name,
        "status": "running",
        "message": "Training",
        "model_type": "xgboost",
        "model": "churn",
        "phase": "Running",
        "created_at": "2026-11-20T10:00:00Z",
        **fields,
    }


class Api:
    """Routes by `METHOD path`; what was asked is kept in `requests`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.routes: dict[str, Route] = {}
        self.requests: list[Request] = []

    def answers(self, route: str, *answers: Answer) -> None:
        """One answer after the other; the last one is given again and again."""
        left = list(answers)
        self.routes[route] = lambda _: left.pop(0) if len(left) > 1 else left[0]

    def asked(self, route: str) -> list[Request]:
        return [one for one in self.requests if f"{one.method} {one.path}" == route]


@contextmanager
def served() -> Iterator[Api]:
    api: Api

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def answer(self) -> None:
            parts = urlsplit(self.path)
            request = Request(
                self.command,
                parts.path,
                parse_qs(parts.query),
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(int(self.headers.get("Content-Length") or 0)),
            )
            api.requests.append(request)
            route = api.routes.get(f"{request.method} {request.path}")
            found = route(request) if route else problem(404, f"no route {request.path}")
            if isinstance(found.body, Iterator):
                self._stream(found, found.body)
                return
            body = found.body if isinstance(found.body, bytes) else json.dumps(found.body).encode()
            if found.status == 304:
                body = b""
            self.send_response(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _stream(self, found: Answer, pieces: Iterable[bytes]) -> None:
            self.send_response(found.status)
            for name, value in {"Content-Type": "text/event-stream", **found.headers}.items():
                self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                for piece in pieces:
                    self.wfile.write(piece)
                    self.wfile.flush()
            except OSError:
                pass  # the client has gone

        do_GET = do_POST = do_DELETE = answer  # noqa: N815 - the names of the base class

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api = Api(f"http://127.0.0.1:{server.server_port}")
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
