"""Run the trainer and the plain script in a pod of the trainer's image, stage `bench`."""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from trainyard_schema import RunConfig

from trainyard_devtools.kube import Kube
from trainyard_devtools.pods import run_in_pod
from trainyard_devtools.steps import StepError

_TIMEOUT_SECONDS = 1200
_MARK = "FIGURES "

Program = Literal["trainer", "plain"]
Figure = Literal["seconds", "cpuSeconds", "peakMb", "firstProgressSeconds"]


class Case(NamedTuple):
    """One run of one model type, to be measured."""

    name: str
    run: RunConfig
    repeats: int
    programs: Sequence[Program] = ("trainer", "plain")


class Figures:
    """What `trainer-image/bench/measure.py` printed: one entry for each run of each program."""

    def __init__(self, entries: Iterable[Mapping[str, Any]]) -> None:
        self.entries = list(entries)

    def values(self, case: str, program: Program, figure: Figure) -> list[float]:
        """One figure of every run: seconds, or megabytes of the largest resident size."""
        return [
            entry[figure]
            for entry in self.entries
            if (entry["case"], entry["program"]) == (case, program)
        ]

    def median(self, case: str, program: Program, figure: Figure) -> float:
        """The median over the runs."""
        return statistics.median(self.values(case, program, figure))

    def ratio(self, case: str, figure: Figure) -> float:
        """The trainer's median over the plain script's."""
        return self.median(case, "trainer", figure) / self.median(case, "plain", figure)


def measure(kube: Kube, image: str, cases: Sequence[Case], limits: Mapping[str, str]) -> Figures:
    """Run all cases one after another in one pod."""
    documents = [{**case._asdict(), "run": case.run.to_dict()} for case in cases]
    log = run_in_pod(
        kube,
        image,
        ["python", "/opt/bench/measure.py"],
        environment={"CASES": json.dumps(documents)},
        limits=limits,
        timeout_seconds=_TIMEOUT_SECONDS,
    )
    marked = [line for line in log.splitlines() if line.startswith(_MARK)]
    if not marked:
        raise StepError(f"the trainer benchmark ended without figures:\n{log[-4000:]}")
    return Figures(json.loads(marked[0].removeprefix(_MARK)))
