"""What the operator asks the API server for, by the log of the API server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..control_plane import OPERATOR

Permission = tuple[str, str, str]
"""API group, resource with subresource, verb."""


class Audit:
    """What was asked for since this was made."""

    def __init__(self, path: Path, namespace: str) -> None:
        self._path = path
        self._namespace = namespace
        self._start = path.stat().st_size

    def entries(self) -> Iterator[tuple[Permission, dict[str, Any]]]:
        with self._path.open() as log:
            log.seek(self._start)
            for line in log:
                entry = json.loads(line)
                reference = entry.get("objectRef") or {}
                # Without one it is discovery, which everybody may do.
                if reference.get("resource") and reference.get("namespace") == self._namespace:
                    assert entry["user"]["username"] == OPERATOR
                    resource = [reference["resource"], reference.get("subresource")]
                    group = reference.get("apiGroup", "")
                    yield (group, "/".join(filter(None, resource)), entry["verb"]), entry

    def used(self) -> set[Permission]:
        return {permission for permission, entry in self.entries() if _allowed(entry)}

    def refused(self) -> list[str]:
        return [
            f"{' '.join(permission)}: {entry['requestURI']}"
            for permission, entry in self.entries()
            if not _allowed(entry)
        ]


def _allowed(entry: dict[str, Any]) -> bool:
    return bool(entry["annotations"]["authorization.k8s.io/decision"] == "allow")
