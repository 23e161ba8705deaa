"""Telling a person what is being done, and for how long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape

HEARTBEAT_SECONDS = 20.0


class Progress:
    """Prints each step when it starts, while it lasts and when it ends; safe across threads."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._started = time.monotonic()

    def say(self, text: str) -> None:
        """Print one line."""
        elapsed = time.monotonic() - self._started
        self._console.print(f"[dim]{elapsed:6.1f}s[/dim]  {escape(text)}", soft_wrap=True)

    @contextmanager
    def step(self, name: str, log: Path | None = None) -> Iterator[None]:
        """Announce a step; one that lasts is mentioned again with the last line of its log."""
        began = time.monotonic()
        finished = threading.Event()

        def beat() -> None:
            while not finished.wait(HEARTBEAT_SECONDS):
                detail = last_line(log) if log else ""
                lasted = time.monotonic() - began
                self.say(f"… {name}, {lasted:.0f} s so far" + (f": {detail}" if detail else ""))

        self.say(name)
        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        except BaseException:
            self.say(f"✗ {name}, after {time.monotonic() - began:.1f} s")
            raise
        else:
            self.say(f"✓ {name}, {time.monotonic() - began:.1f} s")
        finally:
            finished.set()
            thread.join()


def last_line(log: Path, *, limit: int = 100) -> str:
    """The last non-empty line of a file, shortened; empty where there is none."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - 4000))
            lines = stream.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    filled = [line.strip() for line in lines if line.strip()]
    return filled[-1][:limit] if filled else ""
