"""A category of very many levels, told by what the target was at each of them.

Of thousands of levels most are too rare to be split on, or to have a column of their own, but
together they may say much. Each becomes the mean of the target of its rows, drawn towards the mean
of all rows the more, the fewer rows it has (Micci-Barreca 2001, "A preprocessing scheme for
high-cardinality categorical attributes"). How much follows from the variances between and within
levels (Searle, Casella and McCulloch 1992, "Variance components", chapter 3): where levels do not
differ by more than chance, nothing is left of them.

The rows that a mean comes from know it too well, so a model learns from means of other rows
(`cross_fit`), as scikit-learn's TargetEncoder does.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from trainyard_schema import Model

from trainyard_trainer.target import Target, Task

MAX_LEVELS = 20_000
_MAX_CLASSES = 20
_FOLDS = 5

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


def outcomes(target: Target) -> Floats:
    """(n, k) what means are taken of: the value, the positive class, or each of several classes."""
    if target.task == Task.MULTICLASS:
        if len(target.classes) > _MAX_CLASSES:
            return np.empty((len(target.values), 0))
        one_hot: Floats = np.eye(len(target.classes))[target.values]
        return one_hot
    return target.values.astype(np.float64)[:, None]


def _codes(values: pa.ChunkedArray, levels: list[str]) -> Codes:
    found = pc.index_in(values, value_set=pa.array(levels, pa.string()))
    codes: Codes = pc.fill_null(found, -1).to_numpy().astype(np.int64)
    return codes


def _means(codes: Codes, n_levels: int, outcome: Floats) -> Floats:
    """(n_levels, k) means of the levels, drawn towards that of all rows."""
    overall = outcome.mean(axis=0)
    known = codes >= 0
    codes, outcome = codes[known], outcome[known] - overall
    counts = np.bincount(codes, minlength=n_levels).astype(np.float64)[:, None]
    sums = np.stack([np.bincount(codes, weights=y, minlength=n_levels) for y in outcome.T], axis=1)
    raw = sums / np.maximum(counts, 1)
    rows, seen = len(codes), int((counts > 0).sum())
    if rows <= seen or seen < 2:
        return np.tile(overall, (n_levels, 1))
    explained = (counts * raw**2).sum(axis=0)
    within = np.maximum((outcome**2).sum(axis=0) - explained, 0) / (rows - seen)
    typical_count = (rows - (counts**2).sum() / rows) / (seen - 1)
    between = np.maximum(explained / (seen - 1) - within, 0) / typical_count
    spread = counts * between
    trust = np.divide(spread, spread + within, out=np.zeros_like(spread), where=spread > 0)
    means: Floats = overall + trust * raw
    return means


class TargetMeans(Model):
    """The levels of a column and what the target was at each."""

    levels: list[str]
    means: list[list[float]]
    """By level, one number for each column of the outcome."""
    overall: list[float]
    """For levels that training did not see, and for missing values."""
    scale: list[float]
    """What is divided by, after `overall` is taken away."""

    @classmethod
    def fit(cls, values: pa.ChunkedArray, outcome: Floats, *, scale: bool) -> "TargetMeans":
        """Learn from (n,) training values and their (n, k) outcomes."""
        counts = sorted(
            (-item["counts"], item["values"])
            for item in pc.value_counts(values).to_pylist()
            if item["values"] is not None
        )
        levels = sorted(level for _, level in counts[:MAX_LEVELS])
        codes = _codes(values, levels)
        means = _means(codes, len(levels), outcome)
        spread = means[codes[codes >= 0]].std(axis=0)
        return cls(
            levels=levels,
            means=means.tolist(),
            overall=outcome.mean(axis=0).tolist(),
            scale=np.where(spread > 0, spread, 1.0).tolist() if scale else [1.0] * len(spread),
        )

    def names(self, name: str) -> list[str]:
        """Names of the matrix columns."""
        if len(self.overall) == 1:
            return [f"{name} by target"]
        return [f"{name} by target {number}" for number in range(len(self.overall))]

    def values(self, column: pa.ChunkedArray) -> Floats:
        """(n, k) means of the levels of (n,) values."""
        # The last one is for values without a level: their code is -1.
        means = np.array([*self.means, self.overall])
        return self._scaled(means[_codes(column, self.levels)])

    def cross_fit(self, column: pa.ChunkedArray, outcome: Floats, seed: int) -> Floats:
        """(n, k) the same for training rows, each by the rows of other folds."""
        codes = _codes(column, self.levels)
        fold = np.random.default_rng(seed).permutation(len(codes)) % _FOLDS
        found = np.empty_like(outcome)
        for number in range(_FOLDS):
            rest = fold != number
            means = _means(codes[rest], len(self.levels), outcome[rest])
            means = np.vstack([means, outcome[rest].mean(axis=0)])
            found[~rest] = means[codes[~rest]]
        return self._scaled(found)

    def _scaled(self, found: Floats) -> Floats:
        if set(self.scale) == {1.0}:
            return found
        scaled: Floats = (found - np.array(self.overall)) / np.array(self.scale)
        return scaled
