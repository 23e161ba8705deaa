"""The detached process that keeps a cluster's components running."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from localcluster.components import Component
from localcluster.errors import LocalclusterError
from localcluster.files import write_atomically
from localcluster.layout import NODE_IP, POD_CIDR, SERVICE_CIDR, STATE_VARIABLE, Layout
from localcluster.probe import Prober
from localcluster.processes import ProcessId
from localcluster.volumes import keep_volumes_available

PROBE_SECONDS = 0.25
STOP_SECONDS = 10.0
FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 30.0
STABLE_SECONDS = 60.0
"""A component that ran this long starts again with the first backoff."""
LOG_LIMIT_BYTES = 32 * 1024 * 1024
LOG_CHECK_SECONDS = 60.0


@dataclass
class ComponentState:
    """What `status` shows of one component."""

    state: str = "waiting"  # waiting, starting, ready, backoff, stopped
    pid: int | None = None
    restarts: int = 0
    last_exit: int | None = None


@dataclass
class Supervisor:
    """Starts components in order of their dependencies and restarts those that end."""

    layout: Layout
    wanted: tuple[Component, ...]
    prober: Prober
    states: dict[str, ComponentState] = field(default_factory=dict)
    _once_ready: dict[str, asyncio.Event] = field(default_factory=dict)

    async def run(self) -> None:
        """Supervise until SIGTERM or SIGINT, then stop everything, dependants first."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        for component in self.wanted:
            self.states[component.name] = ComponentState()
            self._once_ready[component.name] = asyncio.Event()
        self._publish()
        tasks = {c.name: asyncio.create_task(self._keep_running(c)) for c in self.wanted}
        housekeeping = [
            asyncio.create_task(self._bound_logs()),
            asyncio.create_task(self._keep_volumes()),
        ]
        await stop.wait()
        for task in housekeeping:
            task.cancel()
        for component in reversed(self.wanted):
            tasks[component.name].cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await tasks[component.name]
        self._publish()

    async def _keep_running(self, component: Component) -> None:
        state = self.states[component.name]
        for name in component.after:
            await self._once_ready[name].wait()
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            began = time.monotonic()
            process = await self._start(component)
            state.pid, state.state = process.pid, "starting"
            self._publish()
            watching = asyncio.create_task(self._watch_readiness(component, state))
            try:
                state.last_exit = await process.wait()
            except asyncio.CancelledError:
                await _stop(process)
                state.pid, state.state = None, "stopped"
                raise
            finally:
                watching.cancel()
            if time.monotonic() - began > STABLE_SECONDS:
                backoff = FIRST_BACKOFF_SECONDS
            state.pid, state.state, state.restarts = None, "backoff", state.restarts + 1
            self._publish()
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)

    async def _start(self, component: Component) -> asyncio.subprocess.Process:
        with self.layout.log(component.name).open("a") as log:
            # Components must not outlive a killed supervisor: nothing would restart or stop them.
            return await asyncio.create_subprocess_exec(
                "setpriv",
                "--pdeathsig=KILL",
                "--",
                *component.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**component_environment(os.environ), STATE_VARIABLE: str(self.layout.state)},
            )

    async def _watch_readiness(self, component: Component, state: ComponentState) -> None:
        while not await self.prober.ready(component.ready):  # noqa: ASYNC110 - asks a server
            await asyncio.sleep(PROBE_SECONDS)
        state.state = "ready"
        self._once_ready[component.name].set()
        self._publish()

    async def _bound_logs(self) -> None:
        while True:
            await asyncio.sleep(LOG_CHECK_SECONDS)
            for component in self.wanted:
                bound_log(self.layout.log(component.name), LOG_LIMIT_BYTES)

    async def _keep_volumes(self) -> None:
        await self._once_ready["kube-apiserver"].wait()
        await keep_volumes_available(self.layout)

    def _publish(self) -> None:
        identity = ProcessId.of(os.getpid())
        assert identity is not None
        document = {
            "supervisor": asdict(identity),
            "components": {name: asdict(state) for name, state in self.states.items()},
        }
        write_atomically(self.layout.supervisor, json.dumps(document, indent=2) + "\n")


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def component_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of components: a proxy of the machine is not asked for cluster addresses."""
    excepted = ",".join((NODE_IP, POD_CIDR, SERVICE_CIDR))
    extended = {
        name: f"{inherited[name]},{excepted}" if inherited.get(name) else excepted
        for name in ("NO_PROXY", "no_proxy")
    }
    return {**inherited, **extended}


def bound_log(log: Path, limit: int) -> None:
    """Move a log that has grown over `limit` bytes to `.1`, in place: its writer appends on."""
    if not log.exists() or log.stat().st_size <= limit:
        return
    log.with_suffix(".log.1").write_bytes(log.read_bytes())
    os.truncate(log, 0)


@dataclass(frozen=True)
class SupervisorReport:
    """What the supervisor last said of itself."""

    identity: ProcessId
    components: dict[str, ComponentState]

    @property
    def alive(self) -> bool:
        """Whether the supervisor that said it still runs."""
        return self.identity.alive()

    @classmethod
    def read(cls, layout: Layout) -> SupervisorReport | None:
        """The report of a state folder; None where there is none."""
        try:
            raw: dict[str, Any] = json.loads(layout.supervisor.read_text())
            return cls(
                ProcessId(**raw["supervisor"]),
                {name: ComponentState(**state) for name, state in raw["components"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None


def start_detached(layout: Layout) -> ProcessId:
    """Start the supervisor so that it outlives the shell that asked for it."""
    layout.logs.mkdir(parents=True, exist_ok=True)
    layout.supervisor.unlink(missing_ok=True)
    log = str(layout.log("supervisor"))
    # Not subprocess.Popen: it would expect us to wait for a process that is to outlive us.
    pid = os.posix_spawn(
        sys.executable,
        (sys.executable, "-m", "localcluster.supervise", str(layout.state)),
        {**os.environ, STATE_VARIABLE: str(layout.state)},
        file_actions=(
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ),
        setsid=True,
    )
    identity = ProcessId.of(pid)
    if identity is None:
        raise LocalclusterError(f"the supervisor ended at once; its log: {log}")
    return identity
