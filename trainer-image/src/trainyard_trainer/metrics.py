"""How good predictions are. Plain numpy, so that no model type imports another's library; tests
compare with scikit-learn.

The first metric of a task is its primary one. Every metric takes (b, n) weights of the rows and
gives (b,) values: weights of one are the metric itself, counts of drawn rows are its bootstrap.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from trainyard_trainer.decisions import DEFAULT_THRESHOLD, decide
from trainyard_trainer.target import ClassLabel, Task

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
_EPSILON = float(np.finfo(np.float64).eps)


def ranks(values: Floats) -> Floats:
    """(n,) 1 for the smallest; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    rank: Floats = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return rank


def _ratio(part: Floats, whole: Floats, empty: float) -> Floats:
    some = whole > 0
    ratio: Floats = np.where(some, part / np.where(some, whole, 1.0), empty)
    return ratio


def _ranking(positive: Booleans, score: Floats, weights: Floats) -> dict[str, Floats]:
    """ROC AUC, the share of pairs of a positive and a negative row that the score puts in order
    (ties count half), and average precision. NaN where only one class has weight.
    """
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=np.inf))
    weights = weights[:, order]
    # One column for each distinct score, the highest first.
    hits = np.add.reduceat(weights * positive[order], starts, axis=1)
    taken = np.add.reduceat(weights, starts, axis=1)
    all_hits, all_taken = np.cumsum(hits, axis=1), np.cumsum(taken, axis=1)
    misses, all_misses = taken - hits, all_taken - all_hits
    positives, negatives = all_hits[:, -1], all_misses[:, -1]
    above = (misses * (all_hits - hits / 2)).sum(axis=1)
    precision = _ratio(all_hits, all_taken, 0.0)
    return {
        "roc_auc": _ratio(above, positives * negatives, np.nan),
        "pr_auc": np.where(
            negatives > 0, _ratio((hits * precision).sum(axis=1), positives, np.nan), np.nan
        ),
    }


def roc_auc(positive: Booleans, score: Floats) -> float:
    """ROC AUC of (n,) scores; NaN where only one class occurs."""
    return float(_ranking(positive, score, np.ones((1, len(score))))["roc_auc"][0])


def _mean(values: Floats, weights: Floats) -> Floats:
    mean: Floats = weights @ values / weights.sum(axis=1)
    return mean


def log_losses(codes: Codes, probability: Floats) -> Floats:
    """(n,) loss of each row."""
    chosen = probability[np.arange(len(codes)), codes]
    losses: Floats = -np.log(np.clip(chosen, _EPSILON, 1.0))
    return losses


def _by_class(codes: Codes, guess: Codes, n_classes: int, weights: Floats) -> tuple[Floats, ...]:
    """(b, n_classes) weights of rows guessed right, of rows, and of guesses."""
    classes = np.arange(n_classes)
    truth, guessed = codes[:, None] == classes, guess[:, None] == classes
    return weights @ (truth & guessed), weights @ truth, weights @ guessed


def _f1(right: Floats, rows: Floats, guesses: Floats, empty: float) -> Floats:
    return _ratio(2 * right, rows + guesses, empty)


def _nanmean(values: Floats) -> Floats:
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1).astype(float), np.nan)


def _binary(
    codes: Codes, probability: Floats, weights: Floats, threshold: float
) -> dict[str, Floats]:
    score = probability[:, 1]
    guess = decide(Task.BINARY, probability, threshold)
    right, rows, guesses = _by_class(codes, guess, 2, weights)
    return _ranking(codes == 1, score, weights) | {
        "log_loss": _mean(log_losses(codes, probability), weights),
        "brier": _mean((score - codes) ** 2, weights),
        "f1": _f1(right, rows, guesses, 0.0)[:, 1],
        "balanced_accuracy": _nanmean(_ratio(right, rows, np.nan)),
        "accuracy": right.sum(axis=1) / rows.sum(axis=1),
    }


def _multiclass(codes: Codes, probability: Floats, weights: Floats) -> dict[str, Floats]:
    guess = probability.argmax(axis=1)
    right, rows, guesses = _by_class(codes, guess, probability.shape[1], weights)
    return {
        "accuracy": right.sum(axis=1) / rows.sum(axis=1),
        "balanced_accuracy": _nanmean(_ratio(right, rows, np.nan)),
        "f1_macro": _nanmean(_f1(right, rows, guesses, np.nan)),
        "log_loss": _mean(log_losses(codes, probability), weights),
    }


def _regression(truth: Floats, value: Floats, weights: Floats) -> dict[str, Floats]:
    error = value - truth
    centred = truth - truth.mean()
    squares = _mean(error**2, weights)
    spread = _mean(centred**2, weights) - _mean(centred, weights) ** 2
    return {
        "rmse": np.sqrt(squares),
        "mae": _mean(np.abs(error), weights),
        "r2": 1 - _ratio(squares, spread, 1.0),
    }


def weighted(
    task: Task,
    truth: npt.NDArray[np.generic],
    prediction: Floats,
    weights: Floats,
    *,
    threshold: float = DEFAULT_THRESHOLD,
) -> dict[str, Floats]:
    """Metrics by name, (b,) each, for (b, n) weights. `truth` is (n,); `prediction` is
    (n, n_classes) probabilities, or (n,) values; `threshold` is the probability from which a row
    counts as positive. NaN where a metric has no meaning.
    """
    if task == Task.BINARY:
        return _binary(truth.astype(np.int64), prediction, weights, threshold)
    if task == Task.MULTICLASS:
        return _multiclass(truth.astype(np.int64), prediction, weights)
    return _regression(truth.astype(np.float64), prediction, weights)


def evaluate(
    task: Task,
    truth: npt.NDArray[np.generic],
    prediction: Floats,
    *,
    threshold: float = DEFAULT_THRESHOLD,
) -> dict[str, float]:
    """Metrics by name, as in `weighted`. Ranking metrics are absent where only one class occurs."""
    once = np.ones((1, len(truth)))
    values = weighted(task, truth, prediction, once, threshold=threshold)
    return {name: float(value[0]) for name, value in values.items() if not np.isnan(value[0])}


def per_class(
    classes: Sequence[ClassLabel],
    truth: npt.NDArray[np.generic],
    prediction: Floats,
    *,
    threshold: float,
) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and number of rows of each class, by its label."""
    codes = truth.astype(np.int64)
    task = Task.BINARY if len(classes) == 2 else Task.MULTICLASS
    guess = decide(task, prediction, threshold)
    right, rows, guesses = _by_class(codes, guess, len(classes), np.ones((1, len(codes))))
    figures = {
        "precision": _ratio(right, guesses, 0.0),
        "recall": _ratio(right, rows, 0.0),
        "f1": _f1(right, rows, guesses, 0.0),
        "rows": rows,
    }
    return {
        str(label): {name: float(values[0, number]) for name, values in figures.items()}
        for number, label in enumerate(classes)
    }
