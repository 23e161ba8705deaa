"""Which rows are for what. Depends only on the target's values and the seed, so model types share
one split.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from trainyard_trainer.target import Target, Task

Rows = npt.NDArray[np.int64]
_QUANTILES = 10


def strata(target: Target) -> npt.NDArray[np.int64]:
    """(n,) the group that each row is drawn from: its class, or the tenth of the range that its
    value lies in.
    """
    if target.task != Task.REGRESSION:
        return target.values.astype(np.int64)
    edges = np.quantile(target.values, np.linspace(0, 1, _QUANTILES + 1)[1:-1])
    return np.searchsorted(edges, target.values, side="right").astype(np.int64)


def take_share(groups: npt.NDArray[np.int64], share: float, seed: int) -> tuple[Rows, Rows]:
    """Divide rows into the rest and a `share` of each group, both sorted. The rest keeps at least
    one row of each.
    """
    random = np.random.default_rng(seed)
    taken = []
    for group in np.unique(groups):
        rows = random.permutation(np.flatnonzero(groups == group))
        count = min(max(round(len(rows) * share), 1), len(rows) - 1)
        taken.append(rows[:count])
    chosen = np.sort(np.concatenate(taken))
    rest = np.setdiff1d(np.arange(len(groups)), chosen, assume_unique=True)
    return rest, chosen


def folds(groups: npt.NDArray[np.int64], count: int, seed: int) -> Iterator[tuple[Rows, Rows]]:
    """`count` pairs of (training rows, test rows), each group spread evenly over the test parts."""
    random = np.random.default_rng(seed)
    fold_of = np.empty(len(groups), dtype=np.int64)
    offset = 0
    for group in np.unique(groups):
        rows = random.permutation(np.flatnonzero(groups == group))
        fold_of[rows] = (np.arange(len(rows)) + offset) % count
        offset += len(rows)
    for fold in range(count):
        yield np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
