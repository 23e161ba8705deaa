"""From which probability on a row counts as positive."""

import numpy as np

from trainyard_trainer.decisions import DEFAULT_THRESHOLD
from trainyard_trainer.metrics import Codes, Floats

_MIN_CLASS_ROWS = 10


def best_threshold(codes: Codes, probability: Floats) -> float:
    """The threshold that makes the F1 of the rarer class the highest, for (n,) probabilities of
    rows that the model did not learn from.

    F1, since it asks for both: to find the rare rows, and to be right about those found. Balanced
    accuracy would call any number of common rows rare to find one more. The best threshold on a
    probability is half the best F1 (Lipton, Elkan and Naryanaswamy 2014, "Optimal thresholding of
    classifiers to maximize F1 measure"); the height of F1's flat top is known far better than its
    place. With fewer than 10 rows of a class it is not known well enough, and one half is kept.
    """
    counts = np.bincount(codes, minlength=2)
    if counts.min() < _MIN_CLASS_ROWS:
        return DEFAULT_THRESHOLD
    rarer = int(counts.argmin())
    score = probability if rarer == 1 else 1 - probability
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    hits = np.cumsum(codes[order] == rarer)[last_of_tie]
    taken = np.flatnonzero(last_of_tie) + 1
    best = float((2 * hits / (counts[rarer] + taken)).max())
    return best / 2 if rarer == 1 else 1 - best / 2
