"""How good predictions are. Plain numpy, so that no model type imports another's library; tests
compare with scikit-learn.

The first metric of a task is its primary one. Every metric takes (b, n) weights of the rows and
gives (b,) values: weights of one are the metric itself, counts of drawn rows are its bootstrap.
What does not depend on the weights, such as the order of the scores, is found once.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from trainyard_trainer.decisions import DEFAULT_THRESHOLD, decide
from trainyard_trainer.target import ClassLabel, Task

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
Metrics = Callable[[Floats], dict[str, Floats]]
"""Some metrics of one prediction: (b,) values by name, from (b, n) weights."""

METRICS: Mapping[Task, tuple[str, ...]] = {
    Task.BINARY: (
        "roc_auc", "pr_auc", "log_loss", "brier", "f1", "balanced_accuracy", "accuracy",
    ),
    Task.MULTICLASS: ("accuracy", "balanced_accuracy", "f1_macro", "log_loss"),
    Task.REGRESSION: ("rmse", "mae", "r2"),
}  # fmt: skip
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


def _ranking(positive: Booleans, score: Floats) -> Metrics:
    """ROC AUC, the share of pairs of a positive and a negative row that the score puts in order
    (ties count half), and average precision. NaN where only one class has weight.
    """
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=np.inf))
    ordered = positive[order]
    tied = len(starts) < len(order)

    def measure(weights: Floats) -> dict[str, Floats]:
        # One column for each distinct score, the highest first.
        taken = weights[:, order]
        hits = taken * ordered
        if tied:
            hits = np.add.reduceat(hits, starts, axis=1)
            taken = np.add.reduceat(taken, starts, axis=1)
        all_hits, all_taken = np.cumsum(hits, axis=1), np.cumsum(taken, axis=1)
        misses = taken - hits
        positives = all_hits[:, -1]
        negatives = all_taken[:, -1] - positives
        above = np.einsum("ij,ij->i", misses, all_hits) - np.einsum("ij,ij->i", misses, hits) / 2
        precision = _ratio(all_hits, all_taken, 0.0)
        gained = np.einsum("ij,ij->i", hits, precision)
        return {
            "roc_auc": _ratio(above, positives * negatives, np.nan),
            "pr_auc": np.where(negatives > 0, _ratio(gained, positives, np.nan), np.nan),
        }

    return measure


def roc_auc(positive: Booleans, score: Floats) -> float:
    """ROC AUC of (n,) scores; NaN where only one class occurs."""
    return float(_ranking(positive, score)(np.ones((1, len(score))))["roc_auc"][0])


def _means(rows: Mapping[str, Floats]) -> Metrics:
    """Weighted means of (n,) figures of the rows, by name."""
    figures = np.column_stack([*rows.values()])

    def measure(weights: Floats) -> dict[str, Floats]:
        means = weights @ figures / weights.sum(axis=1, keepdims=True)
        return dict(zip(rows, means.T, strict=True))

    return measure


def log_losses(codes: Codes, probability: Floats) -> Floats:
    """(n,) loss of each row."""
    chosen = probability[np.arange(len(codes)), codes]
    losses: Floats = -np.log(np.clip(chosen, _EPSILON, 1.0))
    return losses


def _by_class(codes: Codes, guess: Codes, n_classes: int, weights: Floats) -> tuple[Floats, ...]:
    """(b, n_classes) weights of rows guessed right, of rows, and of guesses."""
    cell = codes * n_classes + guess
    table: Floats = np.array([np.bincount(cell, weight, n_classes**2) for weight in weights])
    table = table.reshape(-1, n_classes, n_classes)
    return table.diagonal(axis1=1, axis2=2), table.sum(axis=2), table.sum(axis=1)


def _f1(right: Floats, rows: Floats, guesses: Floats, empty: float) -> Floats:
    return _ratio(2 * right, rows + guesses, empty)


def _nanmean(values: Floats) -> Floats:
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1).astype(float), np.nan)


def _decisions(codes: Codes, guess: Codes, n_classes: int) -> Metrics:
    """Of (n,) guessed classes."""

    def measure(weights: Floats) -> dict[str, Floats]:
        right, rows, guesses = _by_class(codes, guess, n_classes, weights)
        return {
            "f1": _f1(right, rows, guesses, 0.0)[:, -1],
            "f1_macro": _nanmean(_f1(right, rows, guesses, np.nan)),
            "balanced_accuracy": _nanmean(_ratio(right, rows, np.nan)),
            "accuracy": right.sum(axis=1) / rows.sum(axis=1),
        }

    return measure


def _regression(truth: Floats, value: Floats) -> Metrics:
    centred = truth - truth.mean()
    error = value - truth
    means = _means(
        {"square": error**2, "mae": np.abs(error), "centred": centred, "spread": centred**2}
    )

    def measure(weights: Floats) -> dict[str, Floats]:
        mean = means(weights)
        spread = mean["spread"] - mean["centred"] ** 2
        return {
            "rmse": np.sqrt(mean["square"]),
            "mae": mean["mae"],
            "r2": 1 - _ratio(mean["square"], spread, 1.0),
        }

    return measure


def _families(
    task: Task, truth: npt.NDArray[np.generic], prediction: Floats, threshold: float
) -> dict[str, Metrics]:
    """By the name of each metric, what computes it; several may share one."""
    if task == Task.REGRESSION:
        return dict.fromkeys(METRICS[task], _regression(truth.astype(np.float64), prediction))
    codes = truth.astype(np.int64)
    losses = {"log_loss": log_losses(codes, prediction)}
    guess = decide(task, prediction, threshold)
    families = dict.fromkeys(METRICS[task], _decisions(codes, guess, prediction.shape[1]))
    if task == Task.BINARY:
        score = prediction[:, 1]
        losses["brier"] = (score - codes) ** 2
        families |= dict.fromkeys(("roc_auc", "pr_auc"), _ranking(codes == 1, score))
    return families | dict.fromkeys(losses, _means(losses))


def one(
    name: str,
    task: Task,
    truth: npt.NDArray[np.generic],
    prediction: Floats,
    *,
    threshold: float = DEFAULT_THRESHOLD,
) -> Callable[[Floats], Floats]:
    """One metric of one prediction: (b,) values from (b, n) weights. Arguments as in `weighted`."""
    family = _families(task, truth, prediction, threshold)[name]
    return lambda weights: family(weights)[name]


def weighted(
    task: Task,
    truth: npt.NDArray[np.generic],
    prediction: Floats,
    *,
    threshold: float = DEFAULT_THRESHOLD,
) -> Metrics:
    """All metrics of one prediction, in the order of `METRICS`. `truth` is (n,); `prediction` is
    (n, n_classes) probabilities, or (n,) values; `threshold` is the probability from which a row
    counts as positive. NaN where a metric has no meaning.
    """
    families = _families(task, truth, prediction, threshold)

    def measure(weights: Floats) -> dict[str, Floats]:
        found: dict[str, Floats] = {}
        for family in dict.fromkeys(families.values()):
            found |= family(weights)
        return {name: found[name] for name in METRICS[task]}

    return measure


def evaluate(
    task: Task,
    truth: npt.NDArray[np.generic],
    prediction: Floats,
    *,
    threshold: float = DEFAULT_THRESHOLD,
) -> dict[str, float]:
    """Metrics by name, as in `weighted`. Ranking metrics are absent where only one class occurs."""
    values = weighted(task, truth, prediction, threshold=threshold)(np.ones((1, len(truth))))
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
