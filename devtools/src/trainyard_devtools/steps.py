"""Run long commands so that a person sees what is done, how far it is, and why it failed."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from trainyard_devtools.repo import LOGS

console = Console(highlight=False, soft_wrap=True)
_HEARTBEAT_SECONDS = 20.0
_TAIL_LINES = 20


class StepError(Exception):
    """A step failed. The message says which command, the end of its log, and what to do."""


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print the title at once and the elapsed time at the end."""
    console.print(f"[bold]▸ {title}[/bold]")
    started = time.monotonic()
    yield
    console.print(f"  [green]✓[/green] {title} ({time.monotonic() - started:.1f} s)")


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """The last lines of a log, indented; empty if there is no log."""
    if not log.exists():
        return ""
    last = log.read_text(errors="replace").splitlines()[-lines:]
    return "\n".join(f"    {line}" for line in last)


def run(
    command: Sequence[str | Path],
    *,
    log: str,
    hint: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a command with its output in `.trainyard/logs/<log>.log`.

    On a terminal the last line of output is shown while it runs; elsewhere a line is printed every
    20 s. Raises `StepError` with the command, the end of its log and `hint` when it fails.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f"{log}.log"
    words = [str(word) for word in command]
    with path.open("wb") as output:
        process = subprocess.Popen(
            words,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            cwd=cwd,
        )
        try:
            code = _follow(process, path)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if code != 0:
        raise StepError(
            f"This command failed with exit code {code}:\n    {' '.join(words)}\n"
            f"The end of its log {path}:\n{tail(path)}\nWhat to do: {hint}"
        )


def _follow(process: subprocess.Popen[bytes], log: Path) -> int:
    started = time.monotonic()
    heartbeat = started + _HEARTBEAT_SECONDS
    with console.status("") as status:
        while True:
            try:
                return process.wait(timeout=0.25)
            except subprocess.TimeoutExpired:
                elapsed = time.monotonic() - started
                line = tail(log, 1).strip()[:100]
                if sys.stdout.isatty():
                    status.update(f"{elapsed:4.0f} s  {line}")
                elif time.monotonic() >= heartbeat:
                    heartbeat += _HEARTBEAT_SECONDS
                    console.print(f"  … {elapsed:.0f} s  {line}")


def output(command: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> str:
    """What a quick command prints. Raises `StepError` with its error output when it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env={**os.environ, **(env or {})}
    )
    if done.returncode != 0:
        raise StepError(
            f"This command failed with exit code {done.returncode}:\n    {' '.join(words)}\n"
            f"{(done.stderr or done.stdout).strip()}"
        )
    return done.stdout
