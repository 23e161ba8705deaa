"""What a gate may ask for, given what is known of the data."""

from pathlib import Path

import pyarrow.parquet as pq
from trainyard_schema import Gate, Reason

from trainyard_trainer import memory
from trainyard_trainer.errors import TrainerError
from trainyard_trainer.gate.case import version_key
from trainyard_trainer.metrics import METRICS
from trainyard_trainer.preprocessing import matrix_width
from trainyard_trainer.target import Task
from trainyard_trainer.training import Dataset, Learner


def metric_of(gate: Gate, task: Task) -> str | None:
    """The metric that floors and margin are about; None if the task has no such metric."""
    name = gate.metric or METRICS[task][0]
    return name if name in METRICS[task] else None


def unknown_metric(gate: Gate, task: Task) -> str:
    """Says which metrics there are."""
    return (
        f"gate.metric {gate.metric!r} is no metric of a {task} task; "
        f"choose one of {', '.join(METRICS[task])}"
    )


def check(gate: Gate, dataset: Dataset, holdout: Path) -> None:
    """Raises InvalidSpec, before anything is trained, for a gate that no version of these data
    could pass. A frozen holdout is what it is; what it lacks, the verdict says.
    """
    if metric_of(gate, dataset.target.task) is None:
        raise TrainerError(Reason.INVALID_SPEC, f"spec.{unknown_metric(gate, dataset.target.task)}")
    columns = pq.read_schema(holdout).names
    for number, item in enumerate(gate.slices):
        if item.column not in columns and not dataset.frozen:
            raise TrainerError(
                Reason.INVALID_SPEC,
                f"spec.gate.slices.{number}.column: the table has no column {item.column!r}; "
                f"it has {', '.join(sorted(columns)[:20])}" + (", …" if len(columns) > 20 else ""),
            )


def check_memory(
    learner: Learner, dataset: Dataset, champion: str | None, limit: int | None
) -> list[str]:
    """A warning if run and gate together come close to the memory limit in bytes. Raises
    InsufficientMemory if they clearly cannot do within it.
    """
    key = None if champion is None else version_key(champion)
    rows = len(dataset.training)
    needed = memory.gate_needed(
        learner.hyperparameters,
        {learner.model_type, key.model_type if key else learner.model_type},
        rows=rows,
        columns=matrix_width(dataset.features, dataset.kinds, learner.model_type),
        outputs=len(dataset.target.classes) or 1,
    )
    return memory.check(needed, limit, f"a version of {rows} rows", work="judging")
