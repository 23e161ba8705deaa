"""XGBoost. Missing values and categories go in as they are."""

import json
import math
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xgboost as xgb
from trainyard_schema import XGBoostHyperparameters

from trainyard_trainer.models import Checkpoints, Part, Prediction, Report, Shape
from trainyard_trainer.preprocessing import Matrix
from trainyard_trainer.target import Task

_OBJECTIVES = {
    Task.BINARY: ("binary:logistic", "logloss"),
    Task.MULTICLASS: ("multi:softprob", "mlogloss"),
    Task.REGRESSION: ("reg:squarederror", "rmse"),
}
_OWN_NAMES = {"n_estimators", "early_stopping_rounds", "max_bin"}
FIXED: tuple[str, ...] = ()
_VALIDATION_SHARE = 0.15
_CHECKPOINT = "checkpoint"
_ROWS_PER_WEIGHT = 1000
_LARGEST_DEFAULT_WEIGHT = 5.0


def _feature_types(shape: Shape) -> list[str]:
    return ["c" if column.categorical else "q" for column in shape.columns]


class Booster:
    """A trained booster."""

    def __init__(self, booster: xgb.Booster, shape: Shape, threads: int) -> None:
        self._booster = booster
        self._shape = shape
        self._threads = threads

    @property
    def units(self) -> int:
        """Rounds in the model."""
        return int(self._booster.num_boosted_rounds())

    @property
    def chosen(self) -> dict[str, Any]:
        """Nothing: all are complete before."""
        return {}

    @property
    def out_of_bag(self) -> None:
        """The validation part tells more."""
        return None

    def predict(self, features: Matrix) -> Prediction:
        """(n, n_classes) probabilities, or (n,) values."""
        data = xgb.DMatrix(
            features,
            feature_types=_feature_types(self._shape),
            enable_categorical=True,
            nthread=self._threads,
        )
        raw = self._booster.predict(data).astype(np.float64)
        return np.column_stack([1 - raw, raw]) if self._shape.task == Task.BINARY else raw

    def importance(self, features: Matrix) -> npt.NDArray[np.float64]:  # noqa: ARG002
        """(p,) loss reduction that the splits on each column brought."""
        gain = self._booster.get_score(importance_type="total_gain")
        return np.array([float(gain.get(f"f{i}", 0)) for i in range(len(self._shape.columns))])  # type: ignore[arg-type]

    def save(self, path: Path) -> None:
        """Write UBJSON."""
        self._booster.save_model(path)


def _losses(evaluation: str) -> dict[str, float]:
    """The numbers in what `Booster.eval_set` says: `[7]\ttrain-logloss:0.5\tvalidation-…`."""
    pairs = (item.rsplit(":", 1) for item in evaluation.split()[1:])
    return {name.replace("-", "_"): float(value) for name, value in pairs}


class _Best(NamedTuple):
    """The least validation loss, and the round (from 0) that had it."""

    loss: float = math.inf
    round: int = 0


def _write(booster: xgb.Booster, best: _Best, path: Path) -> None:
    """A checkpoint: the rounds, and among the model's attributes what early stopping knows."""
    booster.set_attr(**{_CHECKPOINT: json.dumps(best)})
    try:
        booster.save_model(path)
    finally:
        booster.set_attr(**{_CHECKPOINT: None})


def _resume(booster: xgb.Booster, path: Path) -> _Best:
    booster.load_model(path)
    best = _Best(*json.loads(str(booster.attr(_CHECKPOINT))))
    booster.set_attr(**{_CHECKPOINT: None})
    return best


def complete(hyperparameters: XGBoostHyperparameters, training_rows: int) -> XGBoostHyperparameters:
    """Leaves of a small table may be small: confident rows weigh little; none would be split."""
    if hyperparameters.min_child_weight is not None:
        return hyperparameters
    weight = max(1.0, min(_LARGEST_DEFAULT_WEIGHT, training_rows / _ROWS_PER_WEIGHT))
    return hyperparameters.model_copy(update={"min_child_weight": weight})


def validation_share(
    hyperparameters: XGBoostHyperparameters,
    training_rows: int,  # noqa: ARG001
    *,
    continued: bool = False,  # noqa: ARG001
) -> float:
    """None is needed without early stopping."""
    return _VALIDATION_SHARE if hyperparameters.early_stopping_rounds else 0.0


def fit(
    shape: Shape,
    train: Part,
    validation: Part | None,
    hyperparameters: XGBoostHyperparameters,
    *,
    seed: int,
    threads: int,
    report: Report,
    start: Booster | None = None,
    checkpoints: Checkpoints | None = None,
) -> Booster:
    """Boost until the validation loss stops falling; keep the best round."""
    older = 0 if start is None else start.units
    objective, metric = _OBJECTIVES[shape.task]
    parameters: dict[str, Any] = {
        **hyperparameters.model_dump(exclude=_OWN_NAMES),
        "objective": objective,
        "eval_metric": metric,
        "tree_method": "hist",
        "max_bin": hyperparameters.max_bin,
        "nthread": threads,
        # Each round draws rows and columns by seed and number, so that a resumed fit draws the
        # same. Numbers begin at 0 in a continued model too.
        "seed": seed + older,
        "seed_per_iteration": True,
    }
    if shape.task == Task.MULTICLASS:
        parameters["num_class"] = shape.n_classes

    def matrix(part: Part, reference: xgb.DMatrix | None) -> xgb.DMatrix:
        common: dict[str, Any] = {
            "feature_types": _feature_types(shape),
            "enable_categorical": True,
            "nthread": threads,
        }
        if start is not None:
            # A quantile matrix has only the bins of these rows, in which trees that were grown on
            # others are off by much.
            return xgb.DMatrix(part.features, part.target, **common)
        return xgb.QuantileDMatrix(
            part.features, part.target, max_bin=hyperparameters.max_bin, ref=reference, **common
        )

    data = matrix(train, None)
    watched = [(data, "train")]
    if validation is not None:
        watched.append((matrix(validation, data), "validation"))
    caches = [data for data, _ in watched]
    booster = xgb.Booster(parameters, caches, None if start is None else start._booster)
    best, total = _Best(), hyperparameters.n_estimators
    if checkpoints is not None and checkpoints.resume is not None:
        best = _resume(booster, checkpoints.resume)
    for number in range(booster.num_boosted_rounds() - older, total):
        booster.update(data, iteration=number)
        losses = _losses(booster.eval_set(watched, number))
        stop = report(number + 1, total, losses)
        if validation is not None and losses[f"validation_{metric}"] < best.loss:
            best = _Best(losses[f"validation_{metric}"], number)
        patience = hyperparameters.early_stopping_rounds
        if stop or (validation is not None and number - best.round >= patience):
            break
        if checkpoints is not None and number + 1 < total:
            checkpoints.keep(partial(_write, booster, best))
    if validation is not None:
        if start is not None:
            before = _losses(start._booster.eval_set(watched))[f"validation_{metric}"]
            if best.loss >= before:
                return start
        booster = booster[: older + best.round + 1]
    return Booster(booster.reset(), shape, threads)


def load(path: Path, shape: Shape, *, threads: int) -> Booster:
    """Read UBJSON."""
    booster = xgb.Booster({"nthread": threads})
    booster.load_model(path)
    return Booster(booster, shape, threads)
