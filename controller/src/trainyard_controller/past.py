"""What earlier runs took: the measure for those to come."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Self

from trainyard_schema import TERMINAL_PHASES, ModelType, Stage

from trainyard_controller.objects import Document, parse_time

RUNS = 10
"""How many of the latest runs of the same work are kept."""
WORKS = 5000
"""Of how many works; those that ended the longest ago are forgotten first."""


class Work(NamedTuple):
    """Runs of the same work are a measure for each other."""

    namespace: str
    model: str
    model_type: ModelType
    mode: str
    folds: int
    gated: bool

    @classmethod
    def of(cls, namespace: str, name: str, spec: Document, model_type: ModelType) -> Self:
        """The work of a TrainingJob of this name and stored spec, for one of its model types."""
        return cls(
            namespace=namespace,
            model=spec.get("model") or name,
            model_type=model_type,
            mode=spec.get("mode", "full"),
            folds=(spec.get("crossValidation") or {}).get("folds", 0),
            gated=spec.get("gate") is not None,
        )


@dataclass(frozen=True, slots=True)
class PastRun:
    """What one attempt took from beginning to end."""

    ended: datetime
    seconds: tuple[float, ...]
    """By stage, in the order of `Stage`; 0 for one that it did not have."""
    units: int
    """Rounds, trees or epochs that it trained."""


def measured(training_job: Document) -> Iterator[tuple[Work, PastRun]]:
    """What the versions of a TrainingJob that has ended tell, as stored by any operator."""
    status, metadata = training_job.get("status") or {}, training_job["metadata"]
    ended = status.get("completionTime")
    if ended is None or status.get("phase") not in TERMINAL_PHASES:
        return
    for version in status.get("models") or ():
        seconds, units = version.get("stageSeconds"), version.get("units")
        if not seconds or units is None or version.get("partial"):
            continue
        work = Work.of(
            metadata["namespace"],
            metadata["name"],
            training_job.get("spec") or {},
            ModelType(version["modelType"]),
        )
        by_stage = tuple(float(seconds.get(stage, 0.0)) for stage in Stage)
        yield work, PastRun(parse_time(ended), by_stage, units)


class PastRuns:
    """The latest runs of each work. It stays when their TrainingJobs are deleted."""

    def __init__(self, *, works: int = WORKS) -> None:
        self._runs: dict[Work, dict[str, PastRun]] = {}
        self._works = works

    def of(self, work: Work) -> Sequence[PastRun]:
        """The latest runs of a work, the last one last."""
        return list(self._runs.get(work, {}).values())

    def by_type(
        self, namespace: str, name: str, spec: Document, model_types: Iterable[ModelType]
    ) -> dict[ModelType, Sequence[PastRun]]:
        """The latest runs of the work of each of these model types of a TrainingJob."""
        return {kind: self.of(Work.of(namespace, name, spec, kind)) for kind in model_types}

    def note(self, training_job: Document) -> None:
        """Take note of a TrainingJob, if it has ended. Each is counted once."""
        for work, run in measured(training_job):
            known = self._runs.setdefault(work, {})
            known[training_job["metadata"]["uid"]] = run
            latest = sorted(known.items(), key=lambda item: item[1].ended)[-RUNS:]
            self._runs[work] = dict(latest)
        if len(self._runs) > self._works:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        """A tenth at once, so that it is done seldom."""
        by_age = sorted(self._runs, key=lambda work: self.of(work)[-1].ended)
        for work in by_age[: self._works // 10]:
            del self._runs[work]
