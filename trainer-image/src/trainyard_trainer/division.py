"""Which rows are learned from and which ones measure the model: drawn from the table, or frozen.

A frozen holdout comes from elsewhere than the table, so that versions trained at different times
are measured on the same rows. A row of the table that is in it too is not learned from.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from trainyard_schema import DataSpec, Reason
from trainyard_schema.spec import MIN_ROWS

from trainyard_trainer.columns import ColumnKind, convert, understand
from trainyard_trainer.errors import TrainerError
from trainyard_trainer.preflight import row_hashes
from trainyard_trainer.split import Rows, strata, take_share
from trainyard_trainer.target import (
    MIN_ROWS_PER_CLASS,
    Target,
    Task,
    check_columns,
    take_rows_with_target,
    understand_target,
)


class Frozen(NamedTuple):
    """Rows to measure on that come from elsewhere than the table."""

    table: pa.Table
    name: str
    """What messages call it."""
    required: bool
    """Whether a run without it is a failure; otherwise a holdout is drawn where it cannot serve."""


class Division(NamedTuple):
    """A table with a target in every row, and what its rows are for."""

    table: pa.Table
    target: Target
    training: Rows
    holdout: Rows
    warnings: list[str]
    frozen: bool
    """Whether the holdout is the frozen one; its rows are then the last ones."""


class _CannotServeError(Exception):
    """A frozen holdout lacks what it would take to measure a model of this table."""


class Known(NamedTuple):
    """What the columns to learn from are, and what is learned, where that is settled."""

    kinds: dict[str, ColumnKind]
    task: Task


def divide(
    table: pa.Table,
    spec: DataSpec,
    seed: int,
    frozen: Frozen | None = None,
    known: Known | None = None,
) -> Division:
    """Check target and columns against the spec, and decide which rows are for what. Columns that
    are known must be of their kinds already.

    The table is used up: who gives its only reference away never holds it twice. Raises
    InvalidData, InsufficientData, and SchemaMismatch if columns of a frozen holdout hold other
    kinds of values, or if it is required and cannot serve.
    """
    check_columns(table.column_names, spec)
    table, warnings = take_rows_with_target(table, spec.target)
    names = _columns(table, spec) if known is None else list(known.kinds)
    regression = known is not None and known.task == Task.REGRESSION
    if frozen is not None:
        try:
            _check_servable(table, names, spec.target, frozen, regression=regression)
        except _CannotServeError as error:
            if frozen.required:
                raise TrainerError(
                    Reason.SCHEMA_MISMATCH,
                    f"{frozen.name} {error}; it needs every column of the data that is not in "
                    "spec.data.exclude, and no other class",
                ) from None
            warnings.append(f"{frozen.name} {error}, so a new holdout was drawn")
        else:
            columns = dict(zip(table.column_names, table.columns, strict=True))
            del table
            division = _with_frozen(columns, names, spec.target, frozen, known)
            return division._replace(warnings=warnings + division.warnings)
    target = understand_target(table, spec.target, regression=regression)
    training, holdout = take_share(strata(target), spec.holdout_fraction, seed)
    return Division(table, target, training, holdout, warnings, frozen=False)


def _columns(table: pa.Table, spec: DataSpec) -> list[str]:
    return [name for name in table.column_names if name not in (spec.target, *spec.exclude)]


def _check_servable(
    table: pa.Table, names: list[str], target: str, frozen: Frozen, *, regression: bool
) -> None:
    missing = [name for name in (target, *names) if name not in frozen.table.column_names]
    if missing:
        more = f" and {len(missing) - 1} more" if missing[1:] else ""
        raise _CannotServeError(f"lacks column {missing[0]!r}{more}")
    rows, _ = take_rows_with_target(frozen.table.select([target]), target)
    if not len(rows):
        raise _CannotServeError(f"has no row with a target {target!r}")
    try:
        both = _join(target, table[target], rows[target])
    except _KindsDifferError as error:
        raise _mismatch(frozen, [str(error)]) from None
    whole = understand_target(pa.table({target: both}), target, regression=regression)
    if whole.task == Task.REGRESSION:
        return
    learned, measured = (
        np.bincount(codes, minlength=len(whole.classes))
        for codes in np.split(whole.values, [len(table)])
    )
    for number, label in enumerate(whole.classes):
        if not learned[number]:
            raise _CannotServeError(f"has class {label!r} of {target!r}, which the data lack")
        # A person may leave a rare class out, but versions are compared by the classes of both.
        if not measured[number] and not frozen.required:
            raise _CannotServeError(f"has no row of class {label!r} of {target!r}")
    if np.count_nonzero(measured) < 2:
        raise _CannotServeError(f"has rows of one class of {target!r} only")


def _with_frozen(
    columns: dict[str, pa.ChunkedArray],
    names: list[str],
    target: str,
    frozen: Frozen,
    known: Known | None,
) -> Division:
    """One table of the rows that are not in the holdout, followed by the holdout. `columns` are
    taken away one by one.
    """
    rows, warnings = take_rows_with_target(frozen.table.select([target, *names]), target)
    warnings = [f"{frozen.name}: {warning}" for warning in warnings]
    joined, differences = {}, []
    labels = columns.pop(target)
    given = len(labels)
    joined[target] = _join(target, labels, rows[target])
    for name in names:
        try:
            kind = None if known is None else known.kinds[name]
            joined[name] = _join(name, columns.pop(name), rows[name], kind)
        except _KindsDifferError as error:
            differences.append(str(error))
    if differences:
        raise _mismatch(frozen, differences)
    regression = known is not None and known.task == Task.REGRESSION
    whole = understand_target(pa.table({target: joined[target]}), target, regression=regression)
    kept = _not_in_holdout(pa.table({name: joined[name] for name in names}), whole, given)
    learned = int(kept[:given].sum())
    if learned < given:
        warnings.append(
            f"{given - learned} of {given} rows are in {frozen.name} too and were not learned from"
        )
        mask = pa.array(kept)
        for name, column in joined.items():
            joined[name] = column.filter(mask)
        whole = whole._replace(values=whole.values[kept])
    _check_enough(whole, learned, given, frozen.name)
    training, holdout = np.split(np.arange(len(whole.values)), [learned])
    return Division(pa.table(joined), whole, training, holdout, warnings, frozen=True)


def _mismatch(frozen: Frozen, differences: list[str]) -> TrainerError:
    return TrainerError(
        Reason.SCHEMA_MISMATCH,
        f"the data and {frozen.name} differ: {'; '.join(differences)}; give the columns the same "
        "kind of values, or exclude them",
    )


def _not_in_holdout(features: pa.Table, target: Target, given: int) -> npt.NDArray[np.bool_]:
    """(n,) whether a row is to be kept: all of the holdout, which begins at row `given`, and those
    of the table whose values and target no row of the holdout has.
    """
    kept = np.ones(len(target.values), dtype=np.bool_)
    if features.num_columns:
        hashes = row_hashes(features, target.values)
        kept[:given] = ~np.isin(hashes[:given], hashes[given:])
    return kept


def _check_enough(target: Target, learned: int, given: int, name: str) -> None:
    """Raises InsufficientData if the rows that are not in the holdout are too few."""
    problem = None
    if learned < MIN_ROWS:
        problem = f"at least {MIN_ROWS} are needed"
    elif target.task != Task.REGRESSION:
        counts = np.bincount(target.values[:learned], minlength=len(target.classes))
        rarest = int(counts.argmin())
        if counts[rarest] < MIN_ROWS_PER_CLASS:
            problem = (
                f"class {target.classes[rarest]!r} has {counts[rarest]} of them, but each class "
                f"needs {MIN_ROWS_PER_CLASS}"
            )
    if problem is not None:
        raise TrainerError(
            Reason.INSUFFICIENT_DATA,
            f"{learned} of {given} rows are not in {name} and can be learned from: {problem}; "
            "add rows, or a column that tells rows apart",
        )


class _KindsDifferError(Exception):
    """Two columns whose values have no common form."""


def _join(
    name: str, first: pa.ChunkedArray, second: pa.ChunkedArray, known: ColumnKind | None = None
) -> pa.ChunkedArray:
    """The values of both columns, one after the other, understood alike: as of the known kind, else
    whole numbers and others are numbers, and text with anything is text.
    """
    if known is not None:
        try:
            second = convert(name, second, known)
        except TrainerError as error:
            raise _KindsDifferError(error.message) from None
        return pa.chunked_array([*first.chunks, *second.chunks], second.type)
    (kind, values), (other, more) = understand(name, first), understand(name, second)
    if kind == ColumnKind.EMPTY:
        values = _nulls(values, more.type)
    elif other == ColumnKind.EMPTY:
        more = _nulls(more, values.type)
    elif kind != other:
        if ColumnKind.CATEGORY not in (kind, other):
            raise _KindsDifferError(f"column {name!r} is {kind} in the data but {other} there")
        values, more = (convert(name, column, ColumnKind.CATEGORY) for column in (first, second))
    elif values.type != more.type:
        values, more = (column.cast(pa.float64(), safe=False) for column in (values, more))
    return pa.chunked_array([*values.chunks, *more.chunks], values.type)


def _nulls(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.nulls(len(column), kind)])
