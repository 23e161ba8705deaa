"""What can be found out about a table in seconds, before a model library is imported.

Columns that cannot serve are left out with a warning; what only a person can judge is a warning;
what cannot end well is refused. All of it looks at a sample of the training rows at most, except
where it counts: ids and duplicates.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trainyard_trainer.columns import ColumnKind, numbers
from trainyard_trainer.leakage import leak
from trainyard_trainer.split import Rows
from trainyard_trainer.target import Target, Task

_SAMPLE_ROWS = 20_000
_RARE_SHARE = 0.1
"""A class with less than this part of an equal share is rare."""
_FEW_HOLDOUT_ROWS = 10
_MIN_ID_ROWS = 100
_ID_SPREAD = 2
"""Whole numbers that all differ and lie in a range of at most twice their count were counted up."""


class Findings(NamedTuple):
    """What is to be done about the columns, and what is to be told."""

    left_out: dict[str, str]
    """A warning for each column that is not to be learned from."""
    warnings: list[str]
    """All others."""


def examine(
    features: pa.Table, kinds: dict[str, ColumnKind], target: Target, training: Rows, holdout: Rows
) -> Findings:
    """Look at each column of `kinds`, at the classes and at repeated rows."""
    random = np.random.default_rng(0)
    sample = random.permutation(training)[:_SAMPLE_ROWS]
    left_out: dict[str, str] = {}
    warnings = []
    for name, kind in kinds.items():
        problem = _row_number(features[name], kind)
        if problem is None:
            found = leak(features[name].take(pa.array(sample)), kind, target, sample)
            if found is not None and not found.is_copy:
                warnings.append(f"column {name!r} {found.text}")
                continue
            problem = None if found is None else found.text
        if problem is not None:
            left_out[name] = f"column {name!r} was left out: it {problem}"
    kept = [name for name in kinds if name not in left_out]
    warnings += _rare_classes(target, holdout)
    warnings += _duplicates(features.select(kept), target, training, holdout)
    return Findings(left_out, warnings)


def _row_number(column: pa.ChunkedArray, kind: ColumnKind) -> str | None:
    """A column that numbers the rows says nothing, or gives away how the table is sorted."""
    if kind != ColumnKind.NUMBER or column.null_count or len(column) <= _MIN_ID_ROWS:
        return None
    if pa.types.is_floating(column.type):
        whole = pc.all(pc.equal(column, pc.floor(column))).as_py()
        if not whole:
            return None
    limits = pc.min_max(column).as_py()
    if limits["max"] - limits["min"] > _ID_SPREAD * len(column):
        return None
    if pc.count_distinct(column).as_py() < len(column):
        return None
    return f"counts the rows, like an id: {len(column)} whole numbers, all different"


def _rare_classes(target: Target, holdout: Rows) -> list[str]:
    if target.task == Task.REGRESSION:
        return []
    counts = np.bincount(target.values, minlength=len(target.classes))
    measured = np.bincount(target.values[holdout], minlength=len(target.classes))
    rare = int(counts.argmin())
    numbers = (
        f"{counts[rare]} of {len(target.values)} rows, {measured[rare]} of {len(holdout)} in the "
        "holdout"
    )
    label = f"class {target.classes[rare]!r} of {target.name!r}"
    if counts[rare] < _RARE_SHARE * len(target.values) / len(counts):
        return [f"{label} is rare: {numbers}; accuracy says little, judge by the other metrics"]
    if measured[rare] < _FEW_HOLDOUT_ROWS:
        return [f"{label} has {numbers}, too few for more than rough metrics"]
    return []


def row_hashes(table: pa.Table, target: npt.NDArray[np.generic]) -> npt.NDArray[np.uint64]:
    """(n,) a number for each row's values and target: equal rows have equal numbers.

    Mixed as in splitmix64 (Steele, Lea and Flood 2014). Among a million rows, two different ones
    meet with a chance of 3e-8.
    """
    mixed = np.ascontiguousarray(target).view(np.uint64).copy()
    for column in table.columns:
        mixed += _words(column) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed


def _words(column: pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    """(n,) a word for each value; equal values have equal words."""
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        values = numbers(column) + 0.0  # -0 becomes 0
        values[np.isnan(values)] = np.nan  # there are many, of different bits
        return values.view(np.uint64)
    codes = column.combine_chunks().dictionary_encode(null_encoding="encode").indices
    words: npt.NDArray[np.uint64] = codes.to_numpy().astype(np.uint64)
    return words


def _duplicates(features: pa.Table, target: Target, training: Rows, holdout: Rows) -> list[str]:
    if not features.num_columns:
        return []
    hashes = row_hashes(features, target.values)
    repeated = int((np.diff(np.sort(hashes)) == 0).sum())
    if not repeated:
        return []
    seen = int(np.isin(hashes[holdout], hashes[training]).sum())
    warning = f"{repeated} of {len(hashes)} rows repeat another row in every column used"
    if seen:
        warning += (
            f"; {seen} of {len(holdout)} holdout rows ({seen / len(holdout):.1%}) are in the "
            "training part too and make its metrics look better: remove duplicates if they are "
            "slips of the export"
        )
    return [warning]
