"""Programs as processes that start in a tenth of a second: see `server`."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

_SERVER = Path(__file__).with_name("server.py")


class Fork:
    """A process of its own, whose parent is the fork server."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ended: Future[int] = Future()
        """Its exit code; minus the signal's number where a signal ended it."""

    def send_signal(self, number: int) -> None:
        if not self.ended.done():
            # Its end may be known to its parent only.
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def poll(self) -> int | None:
        return self.ended.result() if self.ended.done() else None

    def wait(self, timeout: float | None = None) -> int:
        """As the one of `subprocess.Popen`."""
        try:
            return self.ended.result(timeout)
        except TimeoutError:
            raise subprocess.TimeoutExpired(f"fork {self.pid}", timeout or 0) from None


class ForkServer:
    """Starts processes of one program. Closing it ends those that still run."""

    def __init__(self, module: str) -> None:
        """`module` has the program's `main`."""
        self._server = subprocess.Popen(
            [sys.executable, "-P", str(_SERVER), module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={},  # each process is given all of its own
            text=True,
        )
        self._asking = threading.Lock()
        self._started: queue.SimpleQueue[Fork] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._server.stdout is not None
        running: dict[int, Fork] = {}
        for line in self._server.stdout:
            told = json.loads(line)
            if "code" in told:
                running.pop(told["pid"]).ended.set_result(told["code"])
            else:
                fork = running[told["pid"]] = Fork(told["pid"])
                self._started.put(fork)
        for fork in running.values():
            fork.ended.set_result(-signal.SIGKILL)

    def start(self, environment: Mapping[str, str], log: Path, prelude: str = "") -> Fork:
        """Start one; returns as soon as its process is there."""
        order = {"environment": dict(environment), "log": str(log), "prelude": prelude}
        assert self._server.stdin is not None
        with self._asking:
            self._server.stdin.write(json.dumps(order) + "\n")
            self._server.stdin.flush()
            return self._started.get(timeout=90)

    def close(self) -> None:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait()
        self._reader.join()
        self._server.stdout.close()
