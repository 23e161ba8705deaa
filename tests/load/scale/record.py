"""What happened to each run, by the harness's own clock, and what follows from it."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trainyard_devtools.bench import percentile

from .cases import CANCELLED, SUCCEEDS


def milliseconds(seconds: list[float]) -> dict[str, float] | None:
    """Median and 99th percentile; None of nothing."""
    if not seconds:
        return None
    return {
        "p50": round(percentile(seconds, 0.5) * 1000, 1),
        "p99": round(percentile(seconds, 0.99) * 1000, 1),
    }


@dataclass
class Record:
    """Monotonic seconds at which something was sent, or seen by a watch, by the run's name."""

    fates: Mapping[str, str]
    started: float = 0.0
    seen: dict[str, float] = field(default_factory=dict)
    jobs: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The uids of the Jobs that a run has ever had."""
    job_seen: dict[str, float] = field(default_factory=dict)
    job_ended: dict[str, float] = field(default_factory=dict)
    cancel_sent: dict[str, float] = field(default_factory=dict)
    pod_gone: dict[str, float] = field(default_factory=dict)
    ends: dict[str, tuple[str, float]] = field(default_factory=dict)
    reopened: set[str] = field(default_factory=set)
    """Runs that ended twice, and differently: no end may change."""

    def end(self, name: str, outcome: str, moment: float) -> None:
        """Take note of an end; the first one counts."""
        before, _ = self.ends.setdefault(name, (outcome, moment))
        if before != outcome:
            self.reopened.add(name)

    @property
    def done(self) -> bool:
        """Whether nothing more is to happen."""
        ended = len(self.ends) == len(self.fates)
        return ended and self.cancel_sent.keys() <= self.pod_gone.keys()

    @property
    def succeeded_per_second(self) -> float:
        """From the first creation to the last success."""
        times = [moment for outcome, moment in self.ends.values() if outcome == SUCCEEDS]
        return len(times) / (max(times) - self.started)

    @property
    def create_to_job(self) -> dict[str, float] | None:
        """Milliseconds from the run to its Job."""
        return milliseconds([self.job_seen[name] - self.seen[name] for name in self.job_seen])

    @property
    def status_lag(self) -> dict[str, float] | None:
        """Milliseconds from the Job's end to that of the run; 0 where the run's came first."""
        return milliseconds(
            [
                max(0.0, self.ends[name][1] - self.job_ended.get(name, math.inf))
                for name in self.job_seen
                if self.fates[name] != CANCELLED
            ]
        )

    @property
    def cancel_to_pod_gone(self) -> dict[str, float] | None:
        """Milliseconds from the wish to the pod's end."""
        return milliseconds(
            [moment - self.cancel_sent[name] for name, moment in self.pod_gone.items()]
        )

    def ledger(self) -> dict[str, Any]:
        """How many ended how, and what is wrong: whole where `wrong` is empty."""
        counts = Counter(outcome for outcome, _ in self.ends.values())
        wrong = [
            f"{name}: meant {fate}, ended {self.ends.get(name, ('not at all',))[0]}"
            for name, fate in self.fates.items()
            if self.ends.get(name, (None,))[0] != fate
        ]
        wrong += [f"{name}: its end changed" for name in sorted(self.reopened)]
        wrong += [f"{name}: {len(uids)} Jobs" for name, uids in self.jobs.items() if len(uids) > 1]
        return {"created": len(self.seen), **dict(sorted(counts.items())), "wrong": wrong}
