"""How large the leaves of a forest should be, and how many features a split should look at.

Noisy tables want large leaves and clean ones small leaves, and no rule over rows and columns tells
which a table is. A few small forests do: each row is predicted by the trees that did not draw it,
so nothing has to be kept apart (Breiman 2001, "Random forests", section 3.1). Only small tables are
asked: with many rows the difference is small, and small leaves cost memory.
"""

import warnings
from typing import TypeAlias

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from trainyard_schema import RandomForestHyperparameters

from trainyard_trainer.metrics import evaluate
from trainyard_trainer.models import Part, Prediction
from trainyard_trainer.target import Task

Forest: TypeAlias = RandomForestClassifier | RandomForestRegressor

_ROWS_PER_LEAF_ROW = 500
_LARGEST_LEAF = 20
_ASKED_ROWS = 10_000
_PILOT_ROWS = 5000
_PILOT_TREES = 64
_SMALL_LEAF = 1
_REGRESSION_SHARE = 1 / 3


def default_leaf(training_rows: int) -> int:
    """Leaves that grow with the table: small ones follow noise, and cost memory."""
    return max(1, min(_LARGEST_LEAF, training_rows // _ROWS_PER_LEAF_ROW))


def out_of_bag(model: Forest) -> Prediction:
    """Takes the out-of-bag predictions, (n, n_classes) or (n,), out of a forest, whose file is not
    to hold them. NaN where every tree has drawn the row.
    """
    found: Prediction
    if isinstance(model, RandomForestRegressor):
        found = np.asarray(model.oob_prediction_, dtype=np.float64)
        del model.oob_prediction_, model.oob_score_
        return found
    found = np.asarray(model.oob_decision_function_, dtype=np.float64)
    del model.oob_decision_function_, model.oob_score_
    found[found.sum(axis=1) == 0] = np.nan
    return found


def _quality(model: Forest, task: Task, train: Part) -> float:
    """The first metric of the task, more is better, on rows that trees did not draw."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Some inputs do not have OOB scores", UserWarning)
        # scikit-learn casts the target to see whether it is whole; huge values do not fit.
        warnings.filterwarnings("ignore", "invalid value encountered in cast", RuntimeWarning)
        model.fit(train.features, train.target)
    prediction = out_of_bag(model)
    known = ~np.isnan(prediction if prediction.ndim == 1 else prediction[:, 0])
    metrics = evaluate(task, train.target[known], prediction[known])
    return -metrics["rmse"] if task == Task.REGRESSION else next(iter(metrics.values()))


def complete(
    task: Task,
    train: Part,
    hyperparameters: RandomForestHyperparameters,
    *,
    seed: int,
    threads: int,
) -> RandomForestHyperparameters:
    """The hyperparameters with `min_samples_leaf` and `max_features` chosen where they are not
    given.
    """
    rows = len(train.target)
    asked = rows <= _ASKED_ROWS
    leaf, share = hyperparameters.min_samples_leaf, hyperparameters.max_features
    leaves = [leaf] if leaf is not None else [default_leaf(rows)]
    if leaf is None and asked and leaves[0] > _SMALL_LEAF:
        leaves.append(_SMALL_LEAF)
    usual = "sqrt" if task != Task.REGRESSION else _REGRESSION_SHARE
    shares = [share] if share != "auto" else [usual]
    if share == "auto" and asked and task == Task.REGRESSION:
        shares.append(1.0)
    candidates = [
        hyperparameters.model_copy(update={"min_samples_leaf": one, "max_features": other})
        for one in leaves
        for other in shares
    ]
    if len(candidates) == 1:
        return candidates[0]
    random = np.random.default_rng(seed)
    chosen = random.permutation(rows)[:_PILOT_ROWS]
    pilot = Part(train.features[chosen], train.target[chosen])
    kind = RandomForestRegressor if task == Task.REGRESSION else RandomForestClassifier

    def quality(candidate: RandomForestHyperparameters) -> float:
        settings = candidate.model_dump() | {"n_estimators": _PILOT_TREES}
        model = kind(**settings, oob_score=True, n_jobs=threads, random_state=seed)
        return _quality(model, task, pilot)

    return max(candidates, key=quality)
