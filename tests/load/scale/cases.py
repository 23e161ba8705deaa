"""What is measured: how many runs, how they come, and how fast the Job controller may write."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

STEADY_RATE = 20.0
"""Runs per second of a steady case."""
DEFAULT_QPS = 20
"""What kube-controller-manager has by default (`--kube-api-qps`)."""
DEFAULTS = (
    "burst_1000_qps20",
    "steady_1000_qps20",
    "burst_1000_qps400",
    "steady_1000_qps400",
    "burst_10000_qps400",
    "steady_10000_qps400",
)
"""What fits into an hour and a half. At 20 QPS, 10,000 runs alone take two hours."""
FAILING_OF_100 = 2
CANCELLED_OF_100 = 2

SUCCEEDS, FAILS, CANCELLED = "succeeds", "fails", "cancelled"


@dataclass(frozen=True)
class Case:
    """One measurement."""

    steady: bool
    count: int
    qps: int

    def __str__(self) -> str:
        return f"{'steady' if self.steady else 'burst'}_{self.count}_qps{self.qps}"

    @property
    def rate(self) -> float | None:
        """Runs created per second; None for as many as the API server takes."""
        return STEADY_RATE if self.steady else None

    @property
    def manager_flags(self) -> list[str]:
        """Those of kube-controller-manager; none where it has its defaults."""
        if self.qps == DEFAULT_QPS:
            return []
        return [
            f"--kube-api-qps={self.qps}",
            f"--kube-api-burst={self.qps}",
            "--concurrent-job-syncs=20",
        ]

    def fates(self) -> Iterator[tuple[str, str]]:
        """Names of the runs, and how each is meant to end: failures and cancels are spread out."""
        for number in range(self.count):
            place = number * 37 % 100
            if place < FAILING_OF_100:
                fate = FAILS
            elif place < FAILING_OF_100 + CANCELLED_OF_100:
                fate = CANCELLED
            else:
                fate = SUCCEEDS
            yield f"run-{number:05}", fate


def read_case(name: str) -> Case:
    """The case of a name such as `burst_1000_qps20`. Raises `ValueError` for what is none."""
    found = re.fullmatch(r"(burst|steady)_([1-9]\d*)_qps([1-9]\d*)", name)
    if found is None:
        raise ValueError(
            f"CASES: {name!r} is no case; name them as in burst_1000_qps20 or steady_10000_qps400"
        )
    return Case(steady=found[1] == "steady", count=int(found[2]), qps=int(found[3]))


def select(names: str | None) -> list[Case]:
    """The cases of a list separated by commas or spaces; the default ones where it is empty."""
    chosen = re.split(r"[,\s]+", names.strip()) if names and names.strip() else DEFAULTS
    return [read_case(name) for name in chosen]
