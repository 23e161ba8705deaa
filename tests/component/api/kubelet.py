"""An API server whose pods have logs: there is no kubelet in these tests.

Requests for the log of a pod are answered as the API server answers them; every other request goes
through to the real one.
"""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml


class Logs:
    """What the containers print, by the names of their pods."""

    def __init__(self) -> None:
        self._printed: dict[str, bytes] = {}
        self._ended: set[str] = set()
        self._news = threading.Condition()

    def append(self, pod: str, text: str, *, ended: bool = False) -> None:
        with self._news:
            self._printed[pod] = self._printed.get(pod, b"") + text.encode()
            if ended:
                self._ended.add(pod)
            self._news.notify_all()

    def read(self, pod: str, *, follow: bool) -> Iterator[bytes]:
        """The log in chunks; the last one when the container has ended."""
        sent = 0
        while True:
            with self._news:
                while follow and len(self._printed[pod]) == sent and pod not in self._ended:
                    self._news.wait()
                chunk, over = self._printed[pod][sent:], pod in self._ended or not follow
            sent += len(chunk)
            if chunk:
                yield chunk
            if over:
                return

    def __contains__(self, pod: str) -> bool:
        return pod in self._printed


@contextmanager
def with_logs(kubeconfig: Path, folder: Path, logs: Logs) -> Iterator[Path]:
    """The kubeconfig of the API server in front of that of `kubeconfig`."""
    document = yaml.safe_load(kubeconfig.read_text())
    real = urlsplit(document["clusters"][0]["cluster"]["server"])
    upstream: set[HTTPSConnection] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def _serve(self) -> None:
            url = urlsplit(self.path)
            *_, pod, last = url.path.split("/")
            if last == "log" and pod in logs:
                query = parse_qs(url.query)
                assert query["container"] == ["trainer"]
                self.send_response(200)
                follow = query.get("follow", [""])[0].lower() == "true"
                self._stream(logs.read(pod, follow=follow))
            else:
                self._forward()

        def _forward(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            connection = HTTPSConnection(
                real.hostname or "", real.port, context=ssl._create_unverified_context()
            )
            upstream.add(connection)
            headers = {name: value for name, value in self.headers.items() if name != "Host"}
            connection.request(self.command, self.path, self.rfile.read(length), headers)
            with closing(connection), connection.getresponse() as answer:
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers["Content-Type"])
                self._stream(iter(lambda: answer.read1(65536), b""))
            upstream.discard(connection)

        def _stream(self, chunks: Iterator[bytes]) -> None:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            try:
                for chunk in chunks:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                self.wfile.write(b"0\r\n\r\n")
            except (OSError, ValueError):
                # One of the two sides has gone; http.client says so by a ValueError, too.
                self.close_connection = True

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815 - the names that http.server asks for

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    # Their ends are waited for.
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    document["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{server.server_port}"}
    path = folder / "kubeconfig-with-logs"
    path.write_text(yaml.safe_dump(document))
    try:
        yield path
    finally:
        server.shutdown()
        for connection in list(upstream):
            if connection.sock is not None:
                connection.sock.shutdown(socket.SHUT_RDWR)
        server.server_close()
        thread.join()
