"""How good predictions are. Plain numpy, so that no model type imports another's library; tests
compare with scikit-learn.

The first metric of a task is its primary one.
"""

import numpy as np
import numpy.typing as npt

from trainyard_trainer.target import Task

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
_EPSILON = float(np.finfo(np.float64).eps)


def _roc_auc(positive: npt.NDArray[np.bool_], score: Floats) -> float:
    """Share of pairs of a positive and a negative row that the score puts in order; ties count
    half.
    """
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives = int(positive.sum())
    negatives = len(positive) - positives
    return float((rank[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _average_precision(positive: npt.NDArray[np.bool_], score: Floats) -> float:
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(positive[order])
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    hits, taken = hits[last_of_tie], np.flatnonzero(last_of_tie) + 1
    recall_gain = np.diff(hits, prepend=0) / hits[-1]
    return float(np.sum(recall_gain * hits / taken))


def _log_loss(codes: Codes, probability: Floats) -> float:
    chosen = probability[np.arange(len(codes)), codes]
    return float(-np.log(np.clip(chosen, _EPSILON, 1.0)).mean())


def _f1(truth: npt.NDArray[np.bool_], guess: npt.NDArray[np.bool_]) -> float:
    total = int(truth.sum() + guess.sum())
    return float(2 * (truth & guess).sum() / total) if total else 0.0


def _binary(codes: Codes, probability: Floats) -> dict[str, float]:
    positive, score = codes == 1, probability[:, 1]
    ranking = {}
    if positive.any() and not positive.all():
        ranking["roc_auc"] = _roc_auc(positive, score)
        ranking["pr_auc"] = _average_precision(positive, score)
    return ranking | {
        "log_loss": _log_loss(codes, probability),
        "brier": float(np.mean((score - positive) ** 2)),
        "f1": _f1(positive, score >= 0.5),
        "accuracy": float(np.mean((score >= 0.5) == positive)),
    }


def _multiclass(codes: Codes, probability: Floats) -> dict[str, float]:
    guess = probability.argmax(axis=1)
    present = np.unique(codes)
    return {
        "accuracy": float(np.mean(guess == codes)),
        "balanced_accuracy": float(np.mean([np.mean(guess[codes == c] == c) for c in present])),
        "f1_macro": float(
            np.mean([_f1(codes == c, guess == c) for c in np.union1d(present, guess)])
        ),
        "log_loss": _log_loss(codes, probability),
    }


def _regression(truth: Floats, value: Floats) -> dict[str, float]:
    error = value - truth
    spread = float(np.sum((truth - truth.mean()) ** 2))
    return {
        "rmse": float(np.sqrt(np.mean(error**2))),
        "mae": float(np.mean(np.abs(error))),
        "r2": 1 - float(np.sum(error**2)) / spread if spread else 0.0,
    }


def evaluate(task: Task, truth: npt.NDArray[np.generic], prediction: Floats) -> dict[str, float]:
    """Metrics by name. `truth` is (n,); `prediction` is (n, n_classes) probabilities, or (n,)
    values.

    Ranking metrics are absent where only one class occurs.
    """
    if task == Task.BINARY:
        return _binary(truth.astype(np.int64), prediction)
    if task == Task.MULTICLASS:
        return _multiclass(truth.astype(np.int64), prediction)
    return _regression(truth.astype(np.float64), prediction)
