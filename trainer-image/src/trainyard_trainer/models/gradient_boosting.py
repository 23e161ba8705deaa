"""XGBoost. Missing values and categories go in as they are."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost as xgb
from trainyard_schema import XGBoostHyperparameters

from trainyard_trainer.models import Part, Prediction, Report, Shape
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


class _Progress(xgb.callback.TrainingCallback):
    def __init__(self, report: Report, total: int) -> None:
        self._report = report
        self._total = total

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
        """Tell how far; False goes on."""
        losses = {
            f"{part}_{name}": float(values[-1])
            for part, logged in evals_log.items()
            for name, values in logged.items()
        }
        self._report(epoch + 1, self._total, losses)
        return False


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


def planned_units(hyperparameters: XGBoostHyperparameters) -> int:
    """Boosting rounds at most."""
    return hyperparameters.n_estimators


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
) -> Booster:
    """Boost until the validation loss stops falling; keep the best round."""
    done = 0 if start is None else start.units
    objective, metric = _OBJECTIVES[shape.task]
    parameters: dict[str, Any] = {
        **hyperparameters.model_dump(exclude=_OWN_NAMES),
        "objective": objective,
        "eval_metric": metric,
        "tree_method": "hist",
        "max_bin": hyperparameters.max_bin,
        "nthread": threads,
        # Rounds draw rows and columns by seed and number, which begins at 0 in a continued model.
        "seed": seed + done,
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
    callbacks: list[xgb.callback.TrainingCallback] = [
        _Progress(report, hyperparameters.n_estimators)
    ]
    if validation is not None:
        watched.append((matrix(validation, data), "validation"))
        callbacks.append(
            xgb.callback.EarlyStopping(rounds=hyperparameters.early_stopping_rounds, save_best=True)
        )
    booster = xgb.train(
        parameters,
        data,
        num_boost_round=hyperparameters.n_estimators,
        evals=watched,
        callbacks=callbacks,
        verbose_eval=False,
        xgb_model=None if start is None else start._booster,
    )
    if start is not None and validation is not None:
        before = float(start._booster.eval(watched[-1][0]).rpartition(":")[2])
        if booster.best_score >= before:
            return start
    return Booster(booster, shape, threads)


def load(path: Path, shape: Shape, *, threads: int) -> Booster:
    """Read UBJSON."""
    booster = xgb.Booster({"nthread": threads})
    booster.load_model(path)
    return Booster(booster, shape, threads)
