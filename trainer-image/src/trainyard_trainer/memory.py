"""How much memory a run needs, and how much the container's limit leaves it."""

import contextlib
import ctypes
import gc
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from trainyard_schema import Hyperparameters, ModelType, RandomForestHyperparameters, Reason

from trainyard_trainer.cgroup import CGROUP, MEMBERSHIP, folders, number
from trainyard_trainer.errors import TrainerError

_UNLIMITED = 2**60
"""cgroup v1 writes "no limit" as a number that no machine has."""


def memory_limit(cgroup: Path = CGROUP, membership: Path = MEMBERSHIP) -> int | None:
    """Bytes that this process may use at most, by cgroup v1 or v2; None where nothing limits it."""
    limits = [
        number(folder / ("memory.max" if version == 2 else "memory.limit_in_bytes"))
        for version, folder in folders("memory", cgroup, membership)
    ]
    known = [limit for limit in limits if limit is not None and limit < _UNLIMITED]
    return int(min(known)) if known else None


def resident(status: Path = Path("/proc/self/status")) -> int:
    """Bytes of memory that this process holds now."""
    return _field("VmRSS", status)


def _field(name: str, status: Path) -> int:
    for line in status.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


def give_back() -> None:
    """Give the system what nothing refers to any more, for another process of this container."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    with contextlib.suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def anonymous(pid: int | str = "self") -> int:
    """Bytes of memory of a process that no file backs: what it shares with no other, and cannot do
    without. 0 if there is no such process.
    """
    try:
        return _field("RssAnon", Path(f"/proc/{pid}/status"))
    except (FileNotFoundError, ProcessLookupError):
        return 0


class _Cost(NamedTuple):
    fixed_bytes: int
    matrix_copies: float


_COSTS = {
    ModelType.XGBOOST: _Cost(15 << 20, 3.5),
    ModelType.RANDOM_FOREST: _Cost(8 << 20, 1.75),
    ModelType.NEURAL_NET: _Cost(80 << 20, 1.1),
}
"""Measured: what the peak of a training run grew by beyond the imported library, at 40,000, 160,000
and 400,000 training rows of 30 columns.
"""
_CONTINUED_COPIES = {ModelType.XGBOOST: 2.0}
"""More of them where a model is continued: XGBoost then needs the values beside their bins.
Measured at 80,000 and 320,000 rows.
"""
_NODES_PER_LEAF_ROWS = 0.9
"""Nodes of a tree for each `min_samples_leaf` of its rows; measured at 14,000 to 110,000 rows."""
_NODE_BYTES = 64
_TWO_PROCESSES = 150 << 20
_LIBRARY = {
    ModelType.XGBOOST: 40 << 20,
    ModelType.RANDOM_FOREST: 85 << 20,
    ModelType.NEURAL_NET: 155 << 20,
}
_LEFT_BYTES = 12
"""For each value of the matrix: what the run cannot give back, and the gate's batches."""
_TOO_MUCH = 1.25
"""The estimate is not exact: only a run that is this far over the limit is refused."""
_CLOSE = 0.8
_STEP = 256 << 20


def needed(
    hyperparameters: Hyperparameters,
    model_type: ModelType,
    *,
    rows: int,
    columns: int,
    outputs: int,
    continued: bool = False,
) -> int:
    """Bytes that training takes beyond what the process holds when the library is imported.

    `rows` and `columns` are those of the matrix, `outputs` the number of classes, or 1; `continued`
    tells a model that continues from another.
    """
    cost = _COSTS[model_type]
    copies = cost.matrix_copies + (_CONTINUED_COPIES.get(model_type, 0) if continued else 0)
    total = cost.fixed_bytes + copies * rows * columns * 4
    return int(total + _nodes(hyperparameters, rows, outputs))


def _nodes(hyperparameters: Hyperparameters, rows: int, outputs: int) -> int:
    """Bytes of a forest's trees; 0 for other models."""
    if isinstance(hyperparameters, RandomForestHyperparameters):
        # Imported here: it brings scikit-learn, which other model types do not need.
        from trainyard_trainer.models.forest_defaults import default_leaf  # noqa: PLC0415

        leaf = hyperparameters.min_samples_leaf or default_leaf(rows)
        nodes = _NODES_PER_LEAF_ROWS * rows / leaf
        if hyperparameters.max_depth is not None:
            nodes = min(nodes, 2.0 ** (hyperparameters.max_depth + 1))
        return int(hyperparameters.n_estimators * nodes * (_NODE_BYTES + 8 * outputs))
    return 0


def gate_needed(
    hyperparameters: Hyperparameters,
    model_types: Collection[ModelType],
    *,
    rows: int,
    columns: int,
    outputs: int,
) -> int:
    """Bytes that the gate and the run that waits for it take together, those apart that files back.

    Measured at 2,000 and 200,000 rows of 30 columns. `model_types` are those of candidate and
    champion; the rest is as in `needed`.
    """
    libraries = sum(_LIBRARY[model_type] for model_type in model_types)
    left = _LEFT_BYTES * rows * columns
    return _TWO_PROCESSES + 2 * libraries + left + 2 * _nodes(hyperparameters, rows, outputs)


def _quantity(size: float) -> str:
    return f"{size / 2**20:.0f}Mi"


def check(total: int, limit: int | None, shape: str, work: str = "training on") -> list[str]:
    """A warning if `total` bytes come close to the limit. Raises InsufficientMemory if they are
    clearly more; `work` and `shape` say for what.
    """
    if limit is None or total <= _CLOSE * limit:
        return []
    enough = _quantity(-(-int(total * _TOO_MUCH) // _STEP) * _STEP)
    text = (
        f"{work} {shape} takes about {_quantity(total)} of memory and the limit is "
        f"{_quantity(limit)}; set spec.resources.limits.memory to {enough}"
    )
    if total > _TOO_MUCH * limit:
        raise TrainerError(Reason.INSUFFICIENT_MEMORY, text)
    return [text + " if the run is OOMKilled"]
