"""How long runs take, by those that have succeeded."""

from bisect import insort
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import NamedTuple

from trainyard_schema import Phase

from trainyard_controller.objects import TrainingJob

KEPT = 10
"""Past runs that count: the last ones, since data and machines change."""


class _Past(NamedTuple):
    completed: datetime
    uid: str
    seconds: float


@dataclass
class _Recent:
    """The last runs of a kind by the time of their end."""

    runs: list[_Past] = field(default_factory=list)

    def note(self, past: _Past) -> None:
        if past not in self.runs:
            insort(self.runs, past)
            del self.runs[:-KEPT]

    def typical(self, elapsed: float) -> float | None:
        """The median of those that took longer than a run has so far; None if none did."""
        longer = [past.seconds for past in self.runs if past.seconds > elapsed]
        return median(longer) if longer else None


class Durations:
    """Past runs of the same model and type, else those of the same type."""

    def __init__(self) -> None:
        self._by_model: defaultdict[tuple[str, str, str], _Recent] = defaultdict(_Recent)
        self._by_type: defaultdict[str, _Recent] = defaultdict(_Recent)

    def note(self, finished: TrainingJob) -> None:
        """Take note of a finished run. Only one that succeeded tells how long runs take."""
        status, model_type = finished.status, finished.model_type
        started, ended = status.start_time, status.completion_time
        if status.phase is not Phase.SUCCEEDED or not (started and ended and model_type):
            return
        past = _Past(ended, finished.uid, (ended - started).total_seconds())
        self._by_model[_kind(finished)].note(past)
        self._by_type[model_type].note(past)

    def expected(self, training_job: TrainingJob, *, elapsed: float = 0.0) -> float | None:
        """Seconds that a run will have taken in the end, of which some are over; None: unknown."""
        model = self._by_model.get(_kind(training_job)) or _Recent()
        of_type = self._by_type.get(training_job.model_type or "") or _Recent()
        found = model.typical(elapsed)
        return of_type.typical(elapsed) if found is None else found

    def left(self, training_job: TrainingJob, now: datetime) -> float | None:
        """Seconds until a run that has been let go ends; None: unknown.

        Its own estimate knows the present; where there is none, past runs tell.
        """
        status = training_job.status
        progress, started = status.progress, status.start_time
        if progress is not None and progress.eta_seconds is not None and not progress.stale:
            return max(0.0, progress.eta_seconds - (now - progress.updated_at).total_seconds())
        elapsed = (now - started).total_seconds() if started else 0.0
        expected = self.expected(training_job, elapsed=elapsed)
        return None if expected is None else expected - elapsed


def _kind(training_job: TrainingJob) -> tuple[str, str, str]:
    return training_job.namespace, training_job.model, training_job.model_type or ""
