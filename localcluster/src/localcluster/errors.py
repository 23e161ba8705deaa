"""Errors whose messages say what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path


class LocalclusterError(Exception):
    """Base of everything this package raises on purpose; the message is meant for a person."""


class CommandFailedError(LocalclusterError):
    """A program that was run for a step ended with an error."""

    def __init__(
        self,
        command: Sequence[str],
        code: int,
        output: str,
        *,
        log: Path | None = None,
        advice: str = "",
    ) -> None:
        self.command = tuple(command)
        self.code = code
        tail = "\n".join(f"    {line}" for line in output.strip().splitlines()[-20:])
        parts = [f"command failed with exit code {code}: {shlex.join(command)}"]
        if tail:
            parts.append(tail)
        if log is not None:
            parts.append(f"whole log: {log}")
        if advice:
            parts.append(advice)
        super().__init__("\n".join(parts))


class ClusterAliveError(LocalclusterError):
    """Another folder's cluster runs on this machine; there can be one at a time."""

    def __init__(self, state: Path) -> None:
        self.state = state
        super().__init__(
            f"the cluster of {state} is running on this machine, and there can be one at a time.\n"
            f"Stop it first: localcluster down --state {state}"
        )


class NotRunningError(LocalclusterError):
    """What was asked for needs a running cluster."""

    def __init__(self, state: Path) -> None:
        super().__init__(
            f"no cluster is running from {state}. Start it: localcluster up --state {state}"
        )
