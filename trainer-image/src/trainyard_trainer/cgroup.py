"""What the cgroup of this process allows: the folders to look into, for v1 and v2."""

from collections.abc import Iterator
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def _levels(mount: Path, path: str) -> Iterator[Path]:
    """The cgroup's folder and those above it. A limit anywhere on the way to the root holds.

    In a container the mount may already start at the container's own cgroup, and `path` then leads
    nowhere.
    """
    folder = mount / path.strip("/")
    yield folder
    while folder != mount:
        folder = folder.parent
        yield folder


def folders(controller: str, cgroup: Path, membership: Path) -> Iterator[tuple[int, Path]]:
    """The version of cgroups (1 or 2) and each folder that may limit this process."""
    for line in membership.read_text().splitlines() if membership.exists() else []:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            for folder in _levels(cgroup, path):
                yield 2, folder
        elif controller in controllers.split(","):
            for mount in {cgroup / controller, cgroup / controllers}:
                for folder in _levels(mount, path):
                    yield 1, folder


def number(file: Path) -> float | None:
    """The number in a file; None if the file is not there or holds a word."""
    try:
        return float(file.read_text())
    except (OSError, ValueError):
        return None
