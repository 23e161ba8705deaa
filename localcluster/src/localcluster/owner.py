"""The machine-wide record of the one cluster that may exist at a time."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from localcluster.files import write_atomically
from localcluster.processes import ProcessId, boot_id

RUN = Path("/run/localcluster")
RECORD = RUN / "owner.json"
LOCK = RUN / "lock"
"""Held while a cluster is being brought up or down."""


@dataclass(frozen=True)
class Owner:
    """Whose cluster it is, and what the machine was like before it."""

    state: str
    boot: str
    sysctls: dict[str, str]
    """Values of kernel settings before `up` changed any."""
    paths: tuple[str, ...] = ()
    """Folders outside the state folder that did not exist before."""
    supervisor: ProcessId | None = None

    @property
    def alive(self) -> bool:
        """Whether the cluster's supervisor runs."""
        return self.supervisor is not None and self.supervisor.alive()

    @property
    def this_boot(self) -> bool:
        """Whether the record was written since the machine started."""
        return self.boot == boot_id()

    def save(self, path: Path = RECORD) -> None:
        """Write the record."""
        write_atomically(path, json.dumps(asdict(self), indent=2) + "\n")


def read_owner(path: Path = RECORD) -> Owner | None:
    """The record; None where there is none or it is damaged."""
    try:
        raw = dict(json.loads(path.read_text()))
        supervisor = raw.pop("supervisor")
        paths = tuple(raw.pop("paths"))
        return Owner(paths=paths, supervisor=ProcessId(**supervisor) if supervisor else None, **raw)
    except (OSError, ValueError, TypeError, KeyError):
        return None
