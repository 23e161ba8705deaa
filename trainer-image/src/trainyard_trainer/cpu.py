"""How many threads to start: what the cgroup's CPU quota pays for, not what the host has."""

import math
import os
from pathlib import Path

from trainyard_trainer.cgroup import CGROUP, MEMBERSHIP, folders, number

# Each library reads its own variable, once, when it is imported.
_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "ARROW_IO_THREADS",
)


def _quota_v1(folder: Path) -> float | None:
    quota, period = number(folder / "cpu.cfs_quota_us"), number(folder / "cpu.cfs_period_us")
    return quota / period if quota is not None and quota > 0 and period else None


def _quota_v2(folder: Path) -> float | None:
    try:
        quota, period = (folder / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else float(quota) / float(period)


def cpu_quota(cgroup: Path = CGROUP, membership: Path = MEMBERSHIP) -> float | None:
    """Cores that this process may use at most, by cgroup v1 or v2; None where nothing limits it."""
    quotas = [
        _quota_v2(folder) if version == 2 else _quota_v1(folder)
        for version, folder in folders("cpu", cgroup, membership)
    ]
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
