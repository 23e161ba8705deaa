"""What is to be predicted.

The rule for the task: a target with two distinct values is binary. Otherwise text is multiclass;
whole numbers with at
most 20 distinct values are multiclass too, as codes; every other number is regression. Classes are
sorted, numbers by
value and text by letter; the positive class of a binary target is the later one (No < Yes, 0 < 1,
false < true).
"""

import difflib
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from trainyard_schema import DataSpec, Reason
from trainyard_schema.spec import MIN_ROWS

from trainyard_trainer.columns import ColumnKind, understand
from trainyard_trainer.errors import TrainerError

MIN_ROWS_PER_CLASS = 2
MAX_NUMERIC_CLASSES = 20
MAX_CLASSES = 200
_LARGEST_CODE = 2**53
"""Beyond, not every whole number is a float."""

ClassLabel = str | int | float | bool


class Task(StrEnum):
    """What kind of prediction is learned."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class Target(NamedTuple):
    """The target of the rows that have one."""

    name: str
    task: Task
    classes: list[ClassLabel]
    """In the order of the columns of a prediction; empty for regression."""
    values: npt.NDArray[Any]
    """(n,) class numbers (int64), or values (float64) for regression."""


def _invalid(message: str) -> TrainerError:
    return TrainerError(Reason.INVALID_DATA, message)


def _nearest(name: str, columns: Sequence[str]) -> str:
    folded = {column.casefold(): column for column in columns}
    close = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)
    if close:
        return f"nearest: {', '.join(repr(folded[match]) for match in close)}"
    shown = ", ".join(repr(column) for column in columns[:10])
    return f"columns: {shown}" + (", …" if len(columns) > 10 else "")


def check_columns(columns: Sequence[str], spec: DataSpec) -> None:
    """Raises InvalidData if a column that the spec names is not there."""
    for field, names in (("target", [spec.target]), ("exclude", spec.exclude)):
        for name in names:
            if name not in columns:
                raise _invalid(
                    f"spec.data.{field}: the table has no column {name!r} "
                    f"({_nearest(name, columns)})"
                )


def take_rows_with_target(table: pa.Table, name: str) -> tuple[pa.Table, list[str]]:
    """The rows that can be learned from, the target in its understood form, and warnings."""
    _, target = understand(name, table[name])
    if pa.types.is_floating(target.type):
        target = pc.if_else(pc.is_nan(target), pa.scalar(None, target.type), target)
    table = table.set_column(table.column_names.index(name), name, target)
    if not target.null_count:
        return table, []
    kept = table.filter(pc.is_valid(target))
    warning = f"{target.null_count} of {len(table)} rows have no {name!r} and were left out"
    return kept, [warning]


def _is_code(label: float) -> bool:
    return label.is_integer() and abs(label) <= _LARGEST_CODE


def _classes(name: str, column: pa.ChunkedArray) -> Target:
    counts = pc.value_counts(column).to_pylist()
    number_of = {item["values"]: item["counts"] for item in counts}
    labels = sorted(number_of)
    if len(labels) > MAX_CLASSES:
        raise _invalid(
            f"target {name!r} is text with {len(labels)} different values, "
            f"more than {MAX_CLASSES} classes; "
            "choose another spec.data.target"
        )
    rare = min(labels, key=number_of.__getitem__)
    if number_of[rare] < MIN_ROWS_PER_CLASS:
        raise TrainerError(
            Reason.INSUFFICIENT_DATA,
            f"target {name!r}: class {rare!r} has {number_of[rare]} row, but each class needs "
            f"{MIN_ROWS_PER_CLASS}; remove the class or add rows",
        )
    if pa.types.is_floating(column.type) and all(map(_is_code, labels)):
        column, labels = column.cast(pa.int64()), [int(label) for label in labels]
    codes = pc.index_in(column, value_set=pa.array(labels, type=column.type))
    task = Task.BINARY if len(labels) == 2 else Task.MULTICLASS
    return Target(name, task, labels, codes.to_numpy().astype(np.int64))


def understand_target(table: pa.Table, name: str, *, regression: bool = False) -> Target:
    """The target of a table without missing targets; `regression`: numbers are values, however few
    different ones there are. Raises InvalidData or InsufficientData if nothing can be learned from
    it.
    """
    kind, column = understand(name, table[name])
    if pa.types.is_floating(column.type):
        column = pc.add(column, 0.0)  # -0 becomes 0, or they would be two classes
    if len(column) < MIN_ROWS:
        raise TrainerError(
            Reason.INSUFFICIENT_DATA,
            f"{len(column)} rows with a target are too few to learn from; give at least {MIN_ROWS}",
        )
    if kind == ColumnKind.TIME:
        raise _invalid(f"target {name!r} holds times; give a number or classes instead")
    if pa.types.is_floating(column.type) and not pc.all(pc.is_finite(column)).as_py():
        raise _invalid(f"target {name!r} holds infinite values; remove those rows or correct them")
    distinct = len(pc.unique(column))
    if distinct == 1:
        raise _invalid(
            f"target {name!r} has the same value {column[0].as_py()!r} in every row; "
            "nothing can be learned from it"
        )
    numeric = kind == ColumnKind.NUMBER
    whole = (
        not pa.types.is_floating(column.type) or pc.all(pc.equal(column, pc.floor(column))).as_py()
    )
    few = distinct == 2 or (whole and distinct <= MAX_NUMERIC_CLASSES)
    if numeric and (regression or not few):
        return Target(name, Task.REGRESSION, [], column.cast(pa.float64(), safe=False).to_numpy())
    return _classes(name, column)
