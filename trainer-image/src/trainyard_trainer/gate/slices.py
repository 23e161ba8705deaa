"""Bounds on a metric, for all rows and for the rows of each value of a column."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field
from trainyard_schema import LOWER_IS_BETTER, Model
from trainyard_schema.spec import SliceFloor

from trainyard_trainer.gate.comparison import Scores, value_of
from trainyard_trainer.target import Task

_SHOWN = 3
_LONGEST_VALUE = 40
MISSING = "(missing)"


class SliceValue(Model):
    """The metric of the rows with one value of a column."""

    column: str
    value: str
    rows: int
    metric: float | None = Field(
        default=None, description="Absent: it has no meaning for these rows."
    )
    floor: float
    passed: bool


def below(name: str, value: float, floor: float) -> bool:
    """Whether a metric is worse than its floor; for errors the floor is the greatest value."""
    return value > floor if name in LOWER_IS_BETTER else value < floor


def floor_failure(name: str, value: float, floor: float | None) -> str | None:
    """Why the value of all rows does not pass; None if it does."""
    if floor is None or not below(name, value, floor):
        return None
    side = "above" if name in LOWER_IS_BETTER else "below"
    return f"{name} is {value:.4g}, {side} the floor of {floor:g}"


def measure(
    name: str,
    task: Task,
    truth: npt.NDArray[np.generic],
    scores: Scores,
    values: pa.ChunkedArray,
    *,
    asked: SliceFloor,
) -> list[SliceValue]:
    """The metric of each value of a column that enough rows have, the most frequent first. Missing
    is a value too.
    """
    encoded = values.combine_chunks().dictionary_encode()
    labels = [str(label) for label in encoded.dictionary.to_pylist()]
    codes = encoded.indices.fill_null(len(labels)).to_numpy(zero_copy_only=False)
    labels.append(MISSING)
    counts = np.bincount(codes, minlength=len(labels))
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(counts)
    found = []
    for code in sorted(np.flatnonzero(counts >= asked.min_rows), key=lambda code: -counts[code]):
        rows = order[ends[code] - counts[code] : ends[code]]
        part = Scores(scores.prediction[rows], scores.threshold)
        value = value_of(name, task, truth[rows], part)
        found.append(
            SliceValue(
                column=asked.column,
                value=labels[code],
                rows=int(counts[code]),
                metric=value,
                floor=asked.floor,
                passed=value is None or not below(name, value, asked.floor),
            )
        )
    return found


def slice_reasons(
    name: str, asked: SliceFloor, found: list[SliceValue]
) -> tuple[list[str], list[str]]:
    """What fails, and what a person should know, of one column's slices."""
    failed = [item for item in found if not item.passed]
    silent = [item for item in found if item.metric is None]
    failures, notes = [], []
    if failed:
        side = "above" if name in LOWER_IS_BETTER else "below"
        failed.sort(key=lambda item: -abs((item.metric or 0.0) - item.floor))
        shown = ", ".join(
            f"{_cut(item.value)} {item.metric:.4g} ({item.rows} rows)" for item in failed[:_SHOWN]
        )
        more = f" and {len(failed) - _SHOWN} more" if failed[_SHOWN:] else ""
        failures.append(
            f"{name} is {side} {asked.floor:g} for {len(failed)} of {len(found)} values of "
            f"{asked.column!r}: {shown}{more}"
        )
    if silent:
        notes.append(
            f"{name} has no meaning for {len(silent)} of {len(found)} values of {asked.column!r}, "
            f"such as {_cut(silent[0].value)}; they were left out"
        )
    if not found:
        notes.append(
            f"no value of {asked.column!r} has {asked.min_rows} holdout rows; none was looked at"
        )
    return failures, notes


def _cut(value: str) -> str:
    return value if len(value) <= _LONGEST_VALUE else value[: _LONGEST_VALUE - 1] + "…"
