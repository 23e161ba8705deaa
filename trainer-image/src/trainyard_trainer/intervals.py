"""How far a metric would move if the holdout had held other rows like its own."""

import numpy as np
import numpy.typing as npt

from trainyard_trainer.metrics import Floats, weighted
from trainyard_trainer.target import Task

CONFIDENCE = 0.95
_REPLICATES = (100, 1000)
_DRAWN_ROWS = 4_000_000
"""In all replicates together; large holdouts have fewer of them, since their intervals are narrow.
"""
ROWS_AT_ONCE = 250_000
"""Drawn rows of the replicates that are held at a time."""


def draw(random: np.random.Generator, replicates: int, rows: int) -> Floats:
    """(replicates, rows) how often each row is drawn: one bootstrap sample of all rows a line."""
    drawn = random.integers(rows, size=(replicates, rows))
    drawn += np.arange(replicates)[:, None] * rows
    counts = np.bincount(drawn.ravel(), minlength=replicates * rows)
    return counts.reshape(replicates, rows).astype(np.float64)


def bootstrap(
    task: Task,
    truth: npt.NDArray[np.generic],
    prediction: Floats,
    *,
    threshold: float = 0.5,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """95 % percentile intervals of the metrics by name (Efron and Tibshirani 1993, chapter 13).

    1,000 replicates up to 4,000 rows, then fewer, 100 at least. Replicates in which a metric has no
    meaning are left out of it; a metric that never has one is absent.
    """
    rows = len(truth)
    fewest, most = _REPLICATES
    replicates = max(fewest, min(most, _DRAWN_ROWS // rows))
    random = np.random.default_rng(seed)
    measure = weighted(task, truth, prediction, threshold=threshold)
    found: dict[str, list[Floats]] = {}
    at_once = max(1, ROWS_AT_ONCE // rows)
    for start in range(0, replicates, at_once):
        counts = draw(random, min(at_once, replicates - start), rows)
        for name, value in measure(counts).items():
            found.setdefault(name, []).append(value)
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    result = {}
    for name, parts in found.items():
        known = np.concatenate(parts)
        known = known[~np.isnan(known)]
        if len(known):
            low, high = np.quantile(known, tails)
            result[name] = (float(low), float(high))
    return result
