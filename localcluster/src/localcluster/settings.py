"""What a person chooses about a cluster."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from localcluster.errors import LocalclusterError
from localcluster.files import write_atomically


@dataclass(frozen=True)
class Publish:
    """A port of the host that leads to a Service's node port."""

    host: str
    port: int
    node_port: int

    @classmethod
    def parse(cls, text: str) -> Publish:
        """Read `HOST:PORT:NODE_PORT`.

        Raises:
            LocalclusterError: the text has another form, or a port is out of range.
        """
        match = re.fullmatch(r"([0-9.]+):(\d+):(\d+)", text)
        if match is None:
            raise LocalclusterError(
                f"--publish {text!r}: write ADDRESS:PORT:NODEPORT, as in 127.0.0.1:8000:30800"
            )
        publish = cls(match[1], int(match[2]), int(match[3]))
        if not 1 <= publish.port <= 65535:
            raise LocalclusterError(f"--publish {text!r}: the port must be 1 to 65535")
        if not 30000 <= publish.node_port <= 32767:
            raise LocalclusterError(f"--publish {text!r}: the node port must be 30000 to 32767")
        return publish

    def __str__(self) -> str:
        return f"{self.host}:{self.port}:{self.node_port}"


@dataclass(frozen=True)
class Settings:
    """Everything the supervisor needs to know; a change of it restarts the components."""

    node_binary: str
    program: str = ""
    """Key of this package's own code, so that `up` after an update applies it."""
    publish: tuple[Publish, ...] = ()
    registry_port: int = 5050
    pod_mtu: int = 1500

    @property
    def registry(self) -> str:
        """The registry's address, as images are named by it."""
        return f"127.0.0.1:{self.registry_port}"

    def save(self, path: Path) -> None:
        """Write the settings for the supervisor."""
        write_atomically(path, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> Settings | None:
        """Read what `save` wrote; None where there is nothing usable."""
        try:
            raw: dict[str, Any] = json.loads(path.read_text())
            publish = tuple(Publish(**entry) for entry in raw.pop("publish"))
            return cls(publish=publish, **raw)
        except (OSError, ValueError, TypeError, KeyError):
            return None
