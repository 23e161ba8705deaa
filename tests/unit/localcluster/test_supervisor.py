import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from localcluster.components import Component
from localcluster.layout import Layout
from localcluster.pki import ensure_pki
from localcluster.probe import Prober
from localcluster.supervisor import (
    ComponentState,
    Supervisor,
    SupervisorReport,
    bound_log,
    component_environment,
)

# Its components would be in the lifecycle tests' picture of the machine.
pytestmark = pytest.mark.alone

SERVE = (
    "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen();\n"
    "while True: s.accept()"
)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    layout.logs.mkdir()
    ensure_pki(layout.pki)
    return layout


def server(layout: Layout, name: str, *, after: tuple[str, ...] = ()) -> Component:
    socket = layout.state / f"{name}.sock"
    start = f"import os; os.path.exists(p := {str(socket)!r}) and os.unlink(p); {SERVE}"
    return Component(name, (sys.executable, "-c", start, str(socket)), f"unix:{socket}", after)


async def until(layout: Layout, condition: Callable[[dict[str, ComponentState]], bool]) -> None:
    async with asyncio.timeout(20):
        while True:
            report = SupervisorReport.read(layout)
            if report is not None and condition(report.components):
                return
            await asyncio.sleep(0.02)


def pid_of(layout: Layout, name: str) -> int:
    report = SupervisorReport.read(layout)
    assert report is not None
    pid = report.components[name].pid
    assert pid is not None
    return pid


async def test_a_killed_component_is_started_again_and_all_stop_in_the_end(layout: Layout) -> None:
    wanted = (
        server(layout, "kube-apiserver"),
        server(layout, "dependant", after=("kube-apiserver",)),
    )
    running = asyncio.create_task(Supervisor(layout, wanted, Prober(layout.pki)).run())
    await until(layout, lambda states: all(s.state == "ready" for s in states.values()))
    killed = pid_of(layout, "dependant")
    os.kill(killed, signal.SIGKILL)
    await until(layout, lambda s: s["dependant"].restarts == 1 and s["dependant"].state == "ready")
    assert pid_of(layout, "dependant") != killed

    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 20)
    report = SupervisorReport.read(layout)
    assert report is not None
    assert {state.state for state in report.components.values()} == {"stopped"}


async def test_a_dependant_waits_for_what_it_needs(layout: Layout) -> None:
    never = Component("kube-apiserver", ("sleep", "60"), f"unix:{layout.state}/none")
    wanted = (never, server(layout, "dependant", after=("kube-apiserver",)))
    running = asyncio.create_task(Supervisor(layout, wanted, Prober(layout.pki)).run())
    await until(layout, lambda states: states["kube-apiserver"].state == "starting")
    report = SupervisorReport.read(layout)
    assert report is not None
    assert report.components["dependant"] == ComponentState()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 20)


@pytest.mark.parametrize("content", ["", "{}", json.dumps({"supervisor": {}, "components": {}})])
def test_a_damaged_report_counts_as_none(tmp_path: Path, content: str) -> None:
    layout = Layout(tmp_path)
    layout.supervisor.write_text(content)
    assert SupervisorReport.read(layout) is None


def test_a_proxy_is_not_asked_for_the_clusters_addresses() -> None:
    found = component_environment({"NO_PROXY": "example.org", "HTTPS_PROXY": "http://proxy"})
    assert found["NO_PROXY"] == "example.org,10.243.0.1,10.244.0.0/16,10.96.0.0/16"
    assert found["no_proxy"] == "10.243.0.1,10.244.0.0/16,10.96.0.0/16"
    assert found["HTTPS_PROXY"] == "http://proxy"


def test_a_log_is_bounded_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "etcd.log"
    with log.open("a") as writer:
        writer.write("x" * 100)
        writer.flush()
        bound_log(log, 50)
        writer.write("y")
    assert log.read_text() == "y"
    assert (tmp_path / "etcd.log.1").read_text() == "x" * 100
