"""Processes, named so that a reused number is never mistaken for its former owner."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from localcluster.layout import STATE_VARIABLE

PROC = Path("/proc")


@dataclass(frozen=True)
class ProcessId:
    """A process of this boot or an earlier one."""

    pid: int
    started: int
    """Clock ticks between the boot and the process's start."""
    boot: str
    """The kernel's id of the boot."""

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """Identity of a running process; None if there is none of that number."""
        started = _started(pid)
        return None if started is None else cls(pid, started, boot_id())

    def alive(self) -> bool:
        """Whether exactly this process still runs."""
        return self.boot == boot_id() and _started(self.pid) == self.started


def boot_id() -> str:
    """The kernel's id of the present boot."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def _started(pid: int) -> int | None:
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    # A zombie does nothing any more, and waits only for its parent.
    return None if fields[0] in "ZX" else int(fields[19])


def processes() -> Iterator[int]:
    """Numbers of all running processes."""
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            yield int(entry.name)


def environment(pid: int) -> dict[str, str]:
    """The environment a process was started with; empty where it cannot be read."""
    try:
        raw = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return {}
    pairs = (entry.partition(b"=") for entry in raw.split(b"\0") if b"=" in entry)
    return {key.decode(errors="replace"): value.decode(errors="replace") for key, _, value in pairs}


def command_name(pid: int) -> str:
    """Name of a process's program, as the kernel keeps it (15 characters)."""
    try:
        return (PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def processes_of(state: Path) -> list[int]:
    """Processes that a cluster's supervisor started, and their children, but not pods."""
    return [
        pid
        for pid in processes()
        if pid != os.getpid() and environment(pid).get(STATE_VARIABLE) == str(state)
    ]


def end(pids: Iterable[int], *, grace_seconds: float = 0.0) -> None:
    """End processes: politely with a grace period, then for certain; waits until they are gone."""
    identities = [identity for pid in pids if (identity := ProcessId.of(pid)) is not None]
    if grace_seconds:
        _signal(identities, signal.SIGTERM)
        _await_end(identities, grace_seconds)
    _signal(identities, signal.SIGKILL)
    _await_end(identities, 10.0)


def _signal(identities: Iterable[ProcessId], number: signal.Signals) -> None:
    for identity in identities:
        if identity.alive():
            try:
                os.kill(identity.pid, number)
            except ProcessLookupError:
                continue


def _await_end(identities: Iterable[ProcessId], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(identity.alive() for identity in identities):
        time.sleep(0.05)
