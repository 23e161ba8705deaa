"""The operator's process: as in its image, with what the chart allows it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trainyard_controller.settings import Settings

from ...component.control_plane import OPERATOR, ControlPlane, free_ports, program, wait_until_ok
from ...component.s3_gateway import CREDENTIALS
from .meters import OperatorMetrics


@dataclass(frozen=True)
class Operator:
    """A running operator."""

    process: "subprocess.Popen[bytes]"
    port: int

    @property
    def pid(self) -> int:
        return self.process.pid

    def metrics(self) -> OperatorMetrics:
        """As they are now."""
        return OperatorMetrics(f"http://127.0.0.1:{self.port}/metrics")


@contextmanager
def operator(plane: ControlPlane, settings: Settings, log: Path) -> Iterator[Operator]:
    """An operator that is being started, until the block ends."""
    (port,) = free_ports(1)
    environment = {
        "PATH": os.environ["PATH"],
        "KUBECONFIG": str(plane.kubeconfigs[OPERATOR]),
        **CREDENTIALS,
        **{
            f"TRAINYARD_{name.upper()}": str(value)
            for name, value in settings.model_dump(exclude_defaults=True).items()
        },
        "TRAINYARD_NAMESPACES": ",".join(settings.namespaces),
        "TRAINYARD_METRICS_PORT": str(port),
    }
    command = [sys.executable, "-m", "trainyard_controller.main"]
    with program(command, log, env=environment) as process:
        yield Operator(process, port)


def wait_until_ready(one: Operator, log: Path) -> None:
    """Until it answers."""
    wait_until_ok(one.process, f"http://127.0.0.1:{one.port}/healthz", log)
