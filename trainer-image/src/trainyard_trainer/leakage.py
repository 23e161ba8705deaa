"""Columns that give the target away: a copy of it, or something that is known only with it.

A copy, or the target under other names, is left out: such a column will not be there, or not be
known, when the model is used, so a model that leans on it is worth nothing, while the other columns
may well do. It is not refused, since the run is of use without the column and the warning names it.
A column that predicts almost perfectly but is no copy may be an honest measurement (the petals of
an iris), and only a person can tell; it is kept, with a warning.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trainyard_trainer.columns import ColumnKind, numbers
from trainyard_trainer.metrics import ranks, roc_auc
from trainyard_trainer.split import Rows
from trainyard_trainer.target import Target, Task

_NEAR_PERFECT_AUC = 0.995
_NEAR_PERFECT_RANKS = 0.999
_SAME_UP_TO = 1e-6
"""Share of the target's variance: a straight line through the column leaves less than that."""
_MIN_ROWS = 100
"""Fewer rows are put in order by a good column by chance."""
_MIN_CLASS_ROWS = 10
_BINS = 64

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


class Leak(NamedTuple):
    """What a column gives away."""

    is_copy: bool
    text: str
    """Goes on after the column's name."""


def leak(column: pa.ChunkedArray, kind: ColumnKind, target: Target, rows: Rows) -> Leak | None:
    """What the (n,) values of a column at `rows` say about the target; None: nothing odd."""
    truth = target.values[rows]
    if target.task == Task.REGRESSION:
        return _leak_of_numbers(column, kind, target.name, truth)
    codes = _codes(column)
    if _one_to_one(codes, truth, len(target.classes)):
        return Leak(
            is_copy=True,
            text=f"is {target.name!r} itself under other names: each of its "
            f"{len(target.classes)} values stands for one class",
        )
    auc = _lone_auc(_binned(column, kind, codes), truth, len(target.classes))
    if auc is None or auc < _NEAR_PERFECT_AUC:
        return None
    return Leak(
        is_copy=False,
        text=f"alone predicts {target.name!r} almost perfectly (ROC AUC {auc:.3f}); if it is known "
        "only after the fact, add it to spec.data.exclude",
    )


def _codes(column: pa.ChunkedArray) -> Codes:
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    codes: Codes = encoded.indices.to_numpy().astype(np.int64)
    return codes


def _one_to_one(codes: Codes, truth: Codes, n_classes: int) -> bool:
    if codes.max() + 1 != n_classes or len(np.unique(truth)) != n_classes:
        return False
    return len(np.unique(codes * n_classes + truth)) == n_classes


def _binned(column: pa.ChunkedArray, kind: ColumnKind, codes: Codes) -> Codes:
    """Categories as they are, numbers and times by quantile; missing values are a bin too."""
    if kind in (ColumnKind.CATEGORY, ColumnKind.BOOLEAN):
        return codes
    values = _values(column, kind)
    missing = np.isnan(values)
    if missing.all():
        return codes
    edges = np.unique(np.quantile(values[~missing], np.linspace(0, 1, _BINS + 1)[1:-1]))
    bins = np.searchsorted(edges, np.where(missing, 0.0, values), side="right")
    return np.where(missing, len(edges) + 1, bins).astype(np.int64)


def _values(column: pa.ChunkedArray, kind: ColumnKind) -> Floats:
    return numbers(column.cast(pa.int64()) if kind == ColumnKind.TIME else column)


def _lone_auc(bins: Codes, truth: Codes, n_classes: int) -> float | None:
    """ROC AUC (of several classes, their mean, each against the rest) on one half of the rows of
    the class's share in each bin, counted on the other half. None: too few rows to tell.
    """
    learned, tried = slice(0, None, 2), slice(1, None, 2)
    counts = np.bincount(truth[tried], minlength=n_classes)
    if len(truth) < _MIN_ROWS or counts.min() < _MIN_CLASS_ROWS:
        return None
    width = int(bins.max()) + 1
    rows_in_bin = np.bincount(bins[learned], minlength=width)
    aucs = []
    for positive in range(1 if n_classes == 2 else 0, n_classes):
        hit = truth == positive
        hits_in_bin = np.bincount(bins[learned], weights=hit[learned], minlength=width)
        score = (hits_in_bin + hit[learned].mean()) / (rows_in_bin + 1)
        aucs.append(roc_auc(hit[tried], score[bins[tried]]))
    return float(np.mean(aucs))


def _leak_of_numbers(
    column: pa.ChunkedArray, kind: ColumnKind, name: str, truth: Floats
) -> Leak | None:
    if kind == ColumnKind.CATEGORY:
        return None
    values = _values(column, kind)
    known = ~np.isnan(values)
    values, truth = values[known], truth[known]
    if known.sum() < 0.5 * len(known) or values.std() == 0 or truth.std() == 0:
        return None
    if 1 - np.corrcoef(values, truth)[0, 1] ** 2 < _SAME_UP_TO:
        return Leak(
            is_copy=True,
            text=f"is {name!r} itself, perhaps in another unit: a straight line leads from one to "
            "the other",
        )
    order = abs(float(np.corrcoef(ranks(values), ranks(truth))[0, 1]))
    if len(values) < _MIN_ROWS or order < _NEAR_PERFECT_RANKS:
        return None
    return Leak(
        is_copy=False,
        text=f"alone puts the rows almost perfectly in the order of {name!r} (rank correlation "
        f"{order:.4f}); if it is known only after the fact, add it to spec.data.exclude",
    )
