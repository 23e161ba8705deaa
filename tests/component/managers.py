"""What other projects' controllers want beside a control plane: all are of controller-runtime."""

import shutil
from pathlib import Path
from typing import Any

from .control_plane import ControlPlane


def manager_configuration(health: int, metrics: int, webhook: int) -> dict[str, Any]:
    """What the configurations of all managers have: ports of 127.0.0.1, and no election."""
    return {
        "kind": "Configuration",
        "health": {"healthProbeBindAddress": f"127.0.0.1:{health}"},
        "metrics": {"bindAddress": f"127.0.0.1:{metrics}"},
        "webhook": {"port": webhook, "host": "127.0.0.1"},
        "leaderElection": {"leaderElect": False},
    }


def put_certificate(plane: ControlPlane, folder: Path) -> None:
    """Make the folder, with the API server's certificate as that of their webhooks."""
    folder.mkdir(parents=True)
    for name in ("crt", "key"):
        shutil.copy(plane.certificates / f"apiserver.{name}", folder / f"tls.{name}")
