"""Whether a candidate is at most so much worse than the champion.

Both are scored on the same rows, and each bootstrap sample of these rows gives both their metric: a
paired bootstrap (Efron and Tibshirani 1993, chapters 13 and 16; for systems on one test set Koehn
2004, "Statistical significance tests for machine translation evaluation"). What makes rows hard for
both cancels out, so that small differences show. Non-inferiority: the lower end of the one-sided
interval of the difference is not below minus the margin (Piaggio et al. 2012, CONSORT).
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field
from trainyard_schema import LOWER_IS_BETTER, Model

from trainyard_trainer.decisions import DEFAULT_THRESHOLD
from trainyard_trainer.intervals import ROWS_AT_ONCE, draw
from trainyard_trainer.metrics import Floats, one
from trainyard_trainer.target import Task

_FEWEST, _MOST = 1000, 10_000
_BEYOND = 10
"""Replicates below the bound; with fewer it would hang on single ones."""


class Scores(NamedTuple):
    """What a version makes of some rows."""

    prediction: Floats
    threshold: float = DEFAULT_THRESHOLD


class Comparison(Model):
    """Of a metric of the same rows."""

    metric: str
    candidate: float
    champion: float
    confidence: float
    lower_bound: float | None = Field(
        description="Of how much better the candidate is, one-sided. None: no sample had a value."
    )
    replicates: int


def value_of(name: str, task: Task, truth: npt.NDArray[np.generic], scores: Scores) -> float | None:
    """A metric by its name; None where it has no meaning."""
    measure = one(name, task, truth, scores.prediction, threshold=scores.threshold)
    value = float(measure(np.ones((1, len(truth))))[0])
    return None if math.isnan(value) else value


def replicates_for(confidence: float) -> int:
    """Enough for some to lie beyond the bound."""
    return min(_MOST, max(_FEWEST, math.ceil(_BEYOND / (1 - confidence))))


def lower_bound(
    name: str,
    task: Task,
    truth: npt.NDArray[np.generic],
    candidate: Scores,
    champion: Scores,
    *,
    confidence: float,
    seed: int,
) -> float | None:
    """Lower end of the one-sided interval of how much better the candidate is; negative: it may be
    worse. For errors such as log_loss less is better.

    Takes some 5 ms for each replicate of 200,000 rows, and memory for a few arrays of one.
    """
    rows, replicates = len(truth), replicates_for(confidence)
    measures = [
        one(name, task, truth, scores.prediction, threshold=scores.threshold)
        for scores in (candidate, champion)
    ]
    sign = -1.0 if name in LOWER_IS_BETTER else 1.0
    random = np.random.default_rng(seed)
    at_once = max(1, ROWS_AT_ONCE // rows)
    found: list[Floats] = []
    for start in range(0, replicates, at_once):
        counts = draw(random, min(at_once, replicates - start), rows)
        new, old = (measure(counts) for measure in measures)
        found.append(sign * (new - old) + 0.0)  # -0 is 0
    better = np.concatenate(found)
    better = better[~np.isnan(better)]
    # Never between two replicates: the bound is to be one that was seen, or a lower one.
    return float(np.quantile(better, 1 - confidence, method="lower")) if len(better) else None


def compare(
    name: str,
    task: Task,
    truth: npt.NDArray[np.generic],
    candidate: Scores,
    champion: Scores,
    *,
    confidence: float,
    seed: int,
) -> Comparison | None:
    """The metric of both and how sure the difference is; None where it has no meaning on these
    rows, such as roc_auc where only one class occurs.
    """
    new, old = (value_of(name, task, truth, scores) for scores in (candidate, champion))
    if new is None or old is None:
        return None
    return Comparison(
        metric=name,
        candidate=new,
        champion=old,
        confidence=confidence,
        lower_bound=lower_bound(
            name, task, truth, candidate, champion, confidence=confidence, seed=seed
        ),
        replicates=replicates_for(confidence),
    )
