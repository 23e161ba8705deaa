"""Entry point of the supervisor's process."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from localcluster.components import components
from localcluster.layout import Layout
from localcluster.probe import Prober
from localcluster.settings import Settings
from localcluster.supervisor import Supervisor


def main() -> None:
    """Supervise the cluster of the state folder given as the only argument."""
    os.chdir("/")  # the folder it was started in may be removed
    layout = Layout(Path(sys.argv[1]))
    settings = Settings.load(layout.settings)
    if settings is None:
        raise SystemExit(f"{layout.settings} is missing or unreadable: run `localcluster up`")
    supervisor = Supervisor(layout, components(layout, settings), Prober(layout.pki))
    asyncio.run(supervisor.run())


if __name__ == "__main__":
    main()
