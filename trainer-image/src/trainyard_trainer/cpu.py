"""How many threads to start: what the cgroup's CPU quota pays for, not what the host has."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

# Each library reads its own variable, once, when it is imported.
_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "ARROW_IO_THREADS",
)


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


def _number(file: Path) -> float | None:
    try:
        return float(file.read_text())
    except (OSError, ValueError):
        return None


def _quota_v1(folder: Path) -> float | None:
    quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
    return quota / period if quota is not None and quota > 0 and period else None


def _quota_v2(folder: Path) -> float | None:
    try:
        quota, period = (folder / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else float(quota) / float(period)


def cpu_quota(
    cgroup: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")
) -> float | None:
    """Cores that this process may use at most, by cgroup v1 or v2; None where nothing limits it."""
    quotas: list[float | None] = []
    for line in membership.read_text().splitlines() if membership.exists() else []:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            quotas += [_quota_v2(folder) for folder in _levels(cgroup, path)]
        elif "cpu" in controllers.split(","):
            for mount in {cgroup / "cpu", cgroup / controllers}:
                quotas += [_quota_v1(folder) for folder in _levels(mount, path)]
    return min((quota for quota in quotas if quota is not None), default=None)


def thread_count(quota: float | None, available: int) -> int:
    """Whole cores within the quota, at least one: a thread beyond it would only be throttled."""
    return available if quota is None else max(1, min(available, math.floor(quota)))


def limit_threads() -> int:
    """Hold numeric libraries to the quota. Call it before the first of them is imported."""
    threads = thread_count(cpu_quota(), len(os.sched_getaffinity(0)))
    for variable in _VARIABLES:
        os.environ[variable] = str(threads)
    # A thread that spins while it waits for another eats the quota that the other needs.
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    return threads
