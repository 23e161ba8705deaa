"""Running programs for a step, with their output kept in a log."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from localcluster.errors import CommandFailedError, LocalclusterError

SHOWN_BYTES = 8000
"""How much of a log's end an error looks at."""


def run(
    command: Sequence[str],
    *,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    advice: str = "",
) -> str:
    """Run a program to its end and give what it printed on standard output.

    With `log`, both outputs are appended to that file instead and the result is empty.

    Raises:
        CommandFailedError: the program ended with an error.
        LocalclusterError: the program does not exist.
    """
    environment = {**os.environ, **(env or {})}
    try:
        if log is None:
            return _captured(command, environment, cwd, stdin, advice)
        _logged(command, environment, cwd, log, advice)
    except FileNotFoundError as error:
        raise LocalclusterError(f"program {command[0]!r} was not found on this machine") from error
    return ""


def _captured(
    command: Sequence[str],
    env: Mapping[str, str],
    cwd: Path | None,
    stdin: str | None,
    advice: str,
) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, env=env, cwd=cwd, input=stdin, check=False
    )
    if done.returncode:
        raise CommandFailedError(
            command, done.returncode, done.stderr or done.stdout, advice=advice
        )
    return done.stdout


def _logged(
    command: Sequence[str], env: Mapping[str, str], cwd: Path | None, log: Path, advice: str
) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a+b") as stream:
        start = stream.seek(0, os.SEEK_END)
        done = subprocess.run(
            command,
            stdout=stream,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=env,
            cwd=cwd,
            check=False,
        )
        if done.returncode:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(start, size - SHOWN_BYTES))
            output = stream.read().decode(errors="replace")
            raise CommandFailedError(command, done.returncode, output, log=log, advice=advice)


def succeeds(command: Sequence[str]) -> bool:
    """Whether the program exists and ends without an error; its output is dropped."""
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0
