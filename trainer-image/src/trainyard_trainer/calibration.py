"""Probabilities that mean what they say: of the rows given 0.3, three in ten are positive.

Two classes: logistic calibration of the log odds, slope and intercept (Cox 1958; Platt 1999, on log
odds instead of margins). More: one temperature for all classes (Guo et al. 2017, "On calibration of
modern neural networks"). Neither changes the order of rows, or which class is the most probable.
"""

import numpy as np
from trainyard_schema import Model

from trainyard_trainer.metrics import Codes, Floats, log_losses

_FOLDS = 5
_MIN_ROWS = 100
_MIN_CLASS_ROWS = 10
_FLOOR = 1e-6
"""A forest may say 0 where none of its trees has seen a class; the logarithm needs more."""
_STEPS = 50


class Calibration(Model):
    """`softmax(slope * log p + intercept)`, the intercept for the second of two classes."""

    slope: float
    intercept: float = 0.0

    def apply(self, probability: Floats) -> Floats:
        """(n, n_classes) probabilities from those of the model."""
        return _softmax(self._scores(_logs(probability)))

    def _scores(self, logs: Floats) -> Floats:
        scores = self.slope * logs
        scores[:, -1] += self.intercept
        return scores


def _logs(probability: Floats) -> Floats:
    logs: Floats = np.log(np.clip(probability, _FLOOR, 1.0))
    return logs


def _softmax(scores: Floats) -> Floats:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    share: Floats = raised / raised.sum(axis=1, keepdims=True)
    return share


def _fit(codes: Codes, probability: Floats) -> Calibration:
    """Lowest log loss, by Newton's method: the loss is convex in slope and intercept."""
    logs = _logs(probability)
    two = probability.shape[1] == 2
    rows = np.arange(len(codes))
    theta = np.array([1.0, 0.0])
    for _ in range(_STEPS):
        found = Calibration(slope=float(theta[0]), intercept=float(theta[1]))
        share = found.apply(probability)
        mean = (share * logs).sum(axis=1)
        variance = (share * logs**2).sum(axis=1) - mean**2
        gradient = np.array([(mean - logs[rows, codes]).mean(), 0.0])
        hessian = np.diag([variance.mean() + 1e-9, 1.0])
        if two:
            last = share[:, 1]
            gradient[1] = (last - codes).mean()
            hessian[1, 1] = (last * (1 - last)).mean() + 1e-9
            hessian[0, 1] = hessian[1, 0] = (last * (logs[:, 1] - mean)).mean()
        step = np.linalg.solve(hessian, gradient)
        theta = theta - np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-8:
            break
    return Calibration(slope=float(theta[0]), intercept=float(theta[1]))


def calibrate(codes: Codes, probability: Floats, seed: int) -> Calibration | None:
    """The calibration of (n, n_classes) probabilities of rows that the model did not learn from.

    None if it does not help: if, fitted on four fifths of the rows and tried on the last one, in
    turn, it does not lower the log loss by more than two standard errors of that gain, or if a
    class has too few rows to tell.
    """
    counts = np.bincount(codes, minlength=probability.shape[1])
    if len(codes) < _MIN_ROWS or counts.min() < _MIN_CLASS_ROWS:
        return None
    fold = np.random.default_rng(seed).permutation(len(codes)) % _FOLDS
    gain = log_losses(codes, probability)
    for number in range(_FOLDS):
        tried = fold == number
        fitted = _fit(codes[~tried], probability[~tried])
        gain[tried] -= log_losses(codes[tried], fitted.apply(probability[tried]))
    if gain.mean() <= 2 * gain.std(ddof=1) / np.sqrt(len(gain)):
        return None
    found = _fit(codes, probability)
    return found if found.slope > 0 else None
