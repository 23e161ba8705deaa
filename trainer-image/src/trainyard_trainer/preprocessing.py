"""From typed columns to the matrix that a model sees. Fitted on training rows only; saved as
readable JSON.

Model types differ in what they take: trees of XGBoost take missing values and category codes as
they are, the forest
wants missing values filled, and the net wants one column per category and comparable scales. A
missing value that was filled is marked in a column of its own.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from trainyard_schema import Model, ModelType

from trainyard_trainer.columns import ColumnKind, convert, numbers, time_parts
from trainyard_trainer.table_rows import TableRows
from trainyard_trainer.target_encoding import TargetMeans

MAX_LEVELS = 100
"""Categories of a column that are told apart; the less frequent ones count as one, and all of them
also become the mean of their target.
"""
MIN_LEVEL_ROWS = 3
"""A category seen in fewer training rows says nothing that holds up."""
_CLIP = 5.0
"""Standard deviations: an outlier must not dominate a net's first layer."""

Matrix = npt.NDArray[np.float32]


class Style(NamedTuple):
    """How a model type wants its matrix."""

    fill: bool
    scale: bool
    one_hot_levels: int
    """Columns with at most so many categories become one column per category; others become codes.
    """


STYLES = {
    ModelType.XGBOOST: Style(fill=False, scale=False, one_hot_levels=0),
    ModelType.RANDOM_FOREST: Style(fill=True, scale=False, one_hot_levels=10),
    ModelType.NEURAL_NET: Style(fill=True, scale=True, one_hot_levels=MAX_LEVELS),
}


class Column(NamedTuple):
    """A column of the matrix."""

    source: str
    name: str
    categorical: bool = False


class NumericFeature(Model):
    """One column of numbers, and one that marks missing values if there were any."""

    fill: float | None = None
    mark_missing: bool = False
    center: float = 0.0
    scale: float = 1.0
    clip: float | None = None

    @classmethod
    def fit(cls, values: npt.NDArray[np.float64], style: Style) -> "NumericFeature":
        """Learn from (n,) training values, NaN where missing."""
        missing = np.isnan(values)
        if not style.fill:
            return cls()
        fill = 0.0 if missing.all() else float(np.nanmedian(values))
        mark = bool(missing.any())
        if not style.scale:
            return cls(fill=fill, mark_missing=mark)
        filled = np.where(missing, fill, values)
        return cls(
            fill=fill,
            mark_missing=mark,
            center=float(filled.mean()),
            scale=float(filled.std()) or 1.0,
            clip=_CLIP,
        )

    def names(self, name: str) -> list[str]:
        """Names of the matrix columns."""
        return [name, f"{name} is missing"] if self.mark_missing else [name]

    def write(self, values: npt.NDArray[np.float64], out: Matrix) -> None:
        """Fill the (n, width) part `out` of the matrix."""
        missing = np.isnan(values)
        if self.fill is not None and missing.any():
            values = np.where(missing, self.fill, values)
        if self.clip is not None:
            values = np.clip((values - self.center) / self.scale, -self.clip, self.clip)
        out[:, 0] = values
        if self.mark_missing:
            out[:, 1] = missing


class CategoryFeature(Model):
    """Categories as codes in one column, or as one column each.

    Rare categories, and those that training did not see, count as `other` where training had rare
    ones; otherwise, and without `missing`, they are what a missing value is: no category at all.
    """

    levels: list[str]
    other: bool
    missing: bool
    one_hot: bool

    @classmethod
    def fit(cls, values: pa.ChunkedArray, style: Style) -> "CategoryFeature":
        """Learn from (n,) training values."""
        counts = [
            (-item["counts"], item["values"])
            for item in pc.value_counts(values).to_pylist()
            if item["values"] is not None
        ]
        kept = [(count, level) for count, level in sorted(counts) if -count >= MIN_LEVEL_ROWS]
        levels = sorted(level for _, level in kept[:MAX_LEVELS])
        return cls(
            levels=levels,
            other=len(levels) < len(counts),
            missing=values.null_count > 0,
            one_hot=len(levels) <= style.one_hot_levels,
        )

    def names(self, name: str) -> list[str]:
        """Names of the matrix columns."""
        if not self.one_hot:
            return [name]
        return [
            *(f"{name}={level}" for level in self.levels),
            *([f"{name} is rare"] if self.other else []),
            *([f"{name} is missing"] if self.missing else []),
        ]

    def write(self, values: pa.ChunkedArray, out: Matrix, *, fill: bool) -> None:
        """Fill the (n, width) part `out` of the matrix. `fill`: a code for missing values instead
        of NaN.
        """
        found = pc.index_in(values, value_set=pa.array(self.levels, pa.string()))
        known = pc.fill_null(found, -1).to_numpy()
        rare = (known < 0) & pc.is_valid(values).to_numpy()
        codes = np.where(rare & self.other, len(self.levels), known)
        if not self.one_hot:
            out[:, 0] = codes if fill else np.where(codes < 0, np.nan, codes)
            return
        codes = np.where((codes < 0) & self.missing, out.shape[1] - 1, codes)
        hot = np.flatnonzero(codes >= 0)
        out[:] = 0
        out[hot, codes[hot]] = 1


class FittedColumn(Model):
    """A column of the table and what becomes of it."""

    name: str
    kind: ColumnKind
    numeric: dict[str, NumericFeature] = Field(
        default_factory=dict, description="By part: '' for the value itself."
    )
    category: CategoryFeature | None = None
    target_means: TargetMeans | None = Field(
        default=None, description="Beside the category, where it has very many levels."
    )

    def matrix_columns(self) -> Iterator[Column]:
        """The columns of the matrix that come from this one."""
        if self.category is not None:
            for name in self.category.names(self.name):
                yield Column(self.name, name, categorical=not self.category.one_hot)
        if self.target_means is not None:
            for name in self.target_means.names(self.name):
                yield Column(self.name, name)
        for part, feature in self.numeric.items():
            for name in feature.names(f"{self.name} {part}".strip()):
                yield Column(self.name, name)


def _parts(kind: ColumnKind, values: pa.ChunkedArray) -> dict[str, npt.NDArray[np.float64]]:
    return time_parts(values) if kind == ColumnKind.TIME else {"": numbers(values)}


class Preprocessor(Model):
    """Fitted preprocessing: `transform` gives any rows the matrix that the model was trained on."""

    columns: list[FittedColumn]
    fill: bool

    @classmethod
    def fit(
        cls,
        table: pa.Table | TableRows,
        kinds: dict[str, ColumnKind],
        model_type: ModelType,
        outcome: npt.NDArray[np.float64],
    ) -> "Preprocessor":
        """Learn from the training rows of the feature columns `kinds`, and from their (n, k)
        outcomes, as `target_encoding.outcomes` gives them.
        """
        style = STYLES[model_type]
        columns = []
        for name, kind in kinds.items():
            values = convert(name, table[name], kind)
            if kind == ColumnKind.CATEGORY:
                feature = CategoryFeature.fit(values, style)
                means = None
                if outcome.shape[1] and feature.other and len(feature.levels) == MAX_LEVELS:
                    means = TargetMeans.fit(values, outcome, scale=style.scale)
                    if feature.one_hot:
                        # The means say what a hundred columns would, with less to learn by heart.
                        feature = feature.model_copy(update={"levels": []})
                columns.append(
                    FittedColumn(name=name, kind=kind, category=feature, target_means=means)
                )
            else:
                parts = {
                    part: NumericFeature.fit(array, style)
                    for part, array in _parts(kind, values).items()
                }
                columns.append(FittedColumn(name=name, kind=kind, numeric=parts))
        return cls(columns=columns, fill=style.fill)

    def matrix_columns(self) -> list[Column]:
        """The columns of the matrix, in order."""
        return [entry for column in self.columns for entry in column.matrix_columns()]

    def transform(self, table: pa.Table | TableRows) -> Matrix:
        """The (n, p) matrix of raw rows. Raises InvalidData if a value is not of its column's
        kind.
        """
        matrix = np.empty((len(table), len(self.matrix_columns())), dtype=np.float32)
        start = 0
        for column in self.columns:
            values = convert(column.name, table[column.name], column.kind)
            if column.category is not None:
                width = len(column.category.names(column.name))
                column.category.write(values, matrix[:, start : start + width], fill=self.fill)
                start += width
                if column.target_means is not None:
                    width = len(column.target_means.overall)
                    matrix[:, start : start + width] = column.target_means.values(values)
                    start += width
                continue
            parts = _parts(column.kind, values)
            for part, feature in column.numeric.items():
                width = len(feature.names(column.name))
                feature.write(parts[part], matrix[:, start : start + width])
                start += width
        return matrix

    def cross_fit(
        self,
        table: pa.Table | TableRows,
        outcome: npt.NDArray[np.float64],
        matrix: Matrix,
        seed: int,
    ) -> None:
        """Replace the target's means in the matrix of the training rows by means of other rows."""
        start = 0
        for column in self.columns:
            if column.target_means is not None:
                assert column.category is not None
                first = start + len(column.category.names(column.name))
                values = convert(column.name, table[column.name], column.kind)
                found = column.target_means.cross_fit(values, outcome, seed)
                matrix[:, first : first + found.shape[1]] = found
            start += len(list(column.matrix_columns()))


def select_features(
    table: pa.Table, kinds: dict[str, ColumnKind]
) -> tuple[dict[str, ColumnKind], list[str]]:
    """The columns worth learning from, and a warning for each that is not."""
    kept, warnings = {}, []
    for name, kind in kinds.items():
        problem = _useless(table[name], kind)
        if problem:
            warnings.append(f"column {name!r} was left out: {problem}")
        else:
            kept[name] = kind
    return kept, warnings


def _useless(column: pa.ChunkedArray, kind: ColumnKind) -> str | None:
    if column.null_count == len(column):
        return "it has no values"
    valid = len(column) - column.null_count
    if kind != ColumnKind.CATEGORY:
        least, most = pc.min_max(column).as_py().values()
        if least < most:  # counting distinct numbers takes much longer
            return None
    distinct = pc.count_distinct(column, mode="only_valid").as_py()
    if distinct == 1 and not column.null_count:
        return "it has the same value in every row"
    if kind == ColumnKind.CATEGORY and valid > MAX_LEVELS and distinct > 0.5 * valid:
        return f"it is text with {distinct} different values in {valid} rows, like an id"
    return None


def matrix_width(table: pa.Table, kinds: dict[str, ColumnKind], model_type: ModelType) -> int:
    """About how many columns the matrix of a table will have, to tell how large it gets."""
    style = STYLES[model_type]
    width = 0
    for name, kind in kinds.items():
        column = table[name]
        if kind == ColumnKind.CATEGORY:
            levels = min(pc.count_distinct(column).as_py(), MAX_LEVELS)
            width += levels + 2 if levels <= style.one_hot_levels else 1
        else:
            parts = len(time_parts(column[:0])) if kind == ColumnKind.TIME else 1
            width += parts * (2 if style.fill and column.null_count else 1)
    return width


def rows_of(table: pa.Table, rows: npt.NDArray[np.int64], names: Sequence[str]) -> TableRows:
    """The named columns of some rows."""
    return TableRows(table.select(list(names)), rows)
