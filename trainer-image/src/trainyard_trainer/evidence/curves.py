"""What the plots of a classifier show, as numbers. Tests compare with scikit-learn."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
_BINS = 10
_Z = 1.959964
"""Of a 95 % interval."""


class Reliability(NamedTuple):
    """Rows grouped by their score; only groups that have rows."""

    score: Floats
    """(b,) mean score."""
    share: Floats
    """(b,) share of positive rows."""
    low: Floats
    high: Floats
    """(b,) the 95 % interval of `share`."""
    rows: npt.NDArray[np.int64]


def _counts(positive: Flags, score: Floats) -> tuple[Floats, Floats]:
    """Rows and positive rows at or above each distinct score, from the highest one on."""
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    taken = np.flatnonzero(last_of_tie) + 1
    return taken.astype(np.float64), np.cumsum(positive[order])[last_of_tie].astype(np.float64)


def roc(positive: Flags, score: Floats) -> tuple[Floats, Floats]:
    """False and true positive rate at each threshold, from (0, 0) to (1, 1). Both classes must
    occur.
    """
    taken, hits = _counts(positive, score)
    misses = taken - hits
    return np.append(0.0, misses / misses[-1]), np.append(0.0, hits / hits[-1])


def precision_recall(positive: Flags, score: Floats) -> tuple[Floats, Floats]:
    """Recall and precision at each threshold, as the corners of steps: the precision of a recall in
    between is that of the next threshold, as average precision counts it. Both classes must
    occur.
    """
    taken, hits = _counts(positive, score)
    recall, precision = hits / hits[-1], hits / taken
    return np.append(0.0, np.repeat(recall, 2)[:-1]), np.repeat(precision, 2)


def reliability(positive: Flags, score: Floats, bins: int = _BINS) -> Reliability:
    """How often rows of about the same score are positive, over bins of equal width.

    The interval is Wilson's (Probable inference, 1927), which holds for few rows too.
    """
    group = np.minimum((score * bins).astype(np.int64), bins - 1)
    rows = np.bincount(group, minlength=bins)
    filled = rows > 0
    n = rows[filled].astype(np.float64)
    share = np.bincount(group, positive, minlength=bins)[filled] / n
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    mean = np.bincount(group, score, minlength=bins)[filled] / n
    return Reliability(mean, share, middle - half, middle + half, rows[filled])


def confusion(
    truth: npt.NDArray[np.int64], guess: npt.NDArray[np.int64], n_classes: int
) -> npt.NDArray[np.int64]:
    """(n_classes, n_classes) rows by actual class, then by predicted class."""
    return np.bincount(truth * n_classes + guess, minlength=n_classes**2).reshape(
        n_classes, n_classes
    )
