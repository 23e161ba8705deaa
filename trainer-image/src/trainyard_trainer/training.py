"""One run in memory: from the table to a trained and measured model. No network, no files."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import structlog
from trainyard_schema import DataSpec, Hyperparameters, ModelType, Reason

from trainyard_trainer import models
from trainyard_trainer.columns import ColumnKind, understand
from trainyard_trainer.errors import TrainerError
from trainyard_trainer.metrics import evaluate
from trainyard_trainer.models import Fitted, Implementation, Part, Shape
from trainyard_trainer.preprocessing import Preprocessor, rows_of, select_features
from trainyard_trainer.split import Rows, folds, strata, take_share
from trainyard_trainer.table_rows import TableRows
from trainyard_trainer.target import (
    Target,
    Task,
    check_columns,
    take_rows_with_target,
    understand_target,
)

_log = structlog.get_logger()


class Dataset(NamedTuple):
    """A table that can be learned from."""

    features: pa.Table
    kinds: dict[str, ColumnKind]
    target: Target
    training: Rows
    holdout: Rows
    warnings: list[str]


@dataclass(frozen=True)
class Learner:
    """How to train one model type; the same for the model and for each fold."""

    model_type: ModelType
    hyperparameters: Hyperparameters
    seed: int
    threads: int
    implementation: Implementation


@dataclass
class History:
    """The losses after each round, chunk of trees or epoch of every fit, and how far all fits
    are.
    """

    on_units: Callable[[int, int], None]
    fits: int
    units_per_fit: int
    records: list[dict[str, Any]] = field(default_factory=list)
    _finished_fits: int = 0

    def reporter(self, fit: str) -> models.Report:
        """The callback of one fit."""
        since = time.monotonic()

        def report(done: int, total: int, losses: dict[str, float]) -> None:
            elapsed = round(time.monotonic() - since, 3)
            self.records.append(
                {"fit": fit, "done": done, "total": total, "seconds": elapsed, **losses}
            )
            self.on_units(
                self._finished_fits * self.units_per_fit + done, self.fits * self.units_per_fit
            )

        return report

    def finish_fit(self) -> None:
        """A fit is over; early stopping may have left units undone."""
        self._finished_fits += 1
        self.on_units(self._finished_fits * self.units_per_fit, self.fits * self.units_per_fit)


@dataclass(frozen=True)
class TrainedModel:
    """A model and the preprocessing that goes before it."""

    fitted: Fitted
    preprocessor: Preprocessor
    shape: Shape

    def predict(self, table: pa.Table | TableRows) -> models.Prediction:
        """(n, n_classes) probabilities, or (n,) values, of raw rows."""
        return self.fitted.predict(self.preprocessor.transform(table))


def validate(table: pa.Table, spec: DataSpec, seed: int) -> Dataset:
    """Check the table against the spec and split it. Raises InvalidData."""
    check_columns(table.column_names, spec)
    table, warnings = take_rows_with_target(table, spec.target)
    target = understand_target(table, spec.target)
    understood = {
        name: understand(name, table[name])
        for name in table.column_names
        if name != spec.target and name not in spec.exclude
    }
    features = pa.table({name: column for name, (_, column) in understood.items()})
    kinds, left_out = select_features(
        features, {name: kind for name, (kind, _) in understood.items()}
    )
    warnings += left_out
    for warning in warnings:
        _log.warning(warning)
    if not kinds:
        raise TrainerError(
            Reason.INVALID_DATA,
            "no column is left to learn from: " + ("; ".join(left_out) or "all are excluded"),
        )
    training, holdout = take_share(strata(target), spec.holdout_fraction, seed)
    return Dataset(features.select(list(kinds)), kinds, target, training, holdout, warnings)


def learner_for(
    dataset: Dataset,
    model_type: ModelType,
    hyperparameters: Hyperparameters,
    *,
    seed: int,
    threads: int,
) -> Learner:
    """The learner of a run, its library imported and its hyperparameters complete."""
    implementation = models.implementation(model_type)
    complete = implementation.complete(hyperparameters, len(dataset.training))
    return Learner(model_type, complete, seed, threads, implementation)


def fit(learner: Learner, dataset: Dataset, rows: Rows, report: models.Report) -> TrainedModel:
    """Train on some rows; early stopping watches a part of them."""
    target = dataset.target
    train_rows, validation_rows = rows, None
    share = learner.implementation.validation_share(learner.hyperparameters)
    if share:
        rest, watched = take_share(strata(target)[rows], share, learner.seed + 1)
        train_rows, validation_rows = rows[rest], rows[watched]
    table = rows_of(dataset.features, train_rows, list(dataset.kinds))
    preprocessor = Preprocessor.fit(table, dataset.kinds, learner.model_type)
    shape = Shape(target.task, len(target.classes), preprocessor.matrix_columns())

    def part(rows: Rows) -> Part:
        raw = rows_of(dataset.features, rows, list(dataset.kinds))
        return Part(preprocessor.transform(raw), target.values[rows])

    fitted = learner.implementation.fit(
        shape,
        part(train_rows),
        None if validation_rows is None else part(validation_rows),
        learner.hyperparameters,
        seed=learner.seed,
        threads=learner.threads,
        report=report,
    )
    return TrainedModel(fitted, preprocessor, shape)


def measure(model: TrainedModel, dataset: Dataset, rows: Rows) -> dict[str, float]:
    """Metrics of a model on some rows."""
    table = rows_of(dataset.features, rows, list(dataset.kinds))
    return evaluate(dataset.target.task, dataset.target.values[rows], model.predict(table))


def check_folds(dataset: Dataset, count: int) -> None:
    """Raises InvalidData if a class has too few training rows for every fold to have one."""
    if dataset.target.task == Task.REGRESSION:
        return
    counts = np.bincount(dataset.target.values[dataset.training])
    rarest = int(counts.argmin())
    if counts[rarest] < count:
        raise TrainerError(
            Reason.INVALID_DATA,
            f"class {dataset.target.classes[rarest]!r} has {counts[rarest]} training rows, "
            f"too few for {count} folds; lower spec.crossValidation.folds or turn it off",
        )


def cross_validate(
    learner: Learner, dataset: Dataset, count: int, history: History
) -> dict[str, float]:
    """Mean and standard deviation (`<name>_std`) of each metric over the folds of the training
    part.
    """
    results: list[dict[str, float]] = []
    groups = strata(dataset.target)[dataset.training]
    for number, (train, test) in enumerate(folds(groups, count, learner.seed), 1):
        report = history.reporter(f"fold {number}")
        model = fit(learner, dataset, dataset.training[train], report)
        history.finish_fit()
        results.append(measure(model, dataset, dataset.training[test]))
        _log.info("fold measured", fold=number, folds=count, **results[-1])
    summary: dict[str, float] = {}
    for name in results[0]:
        values = [result[name] for result in results if name in result]
        summary[name] = float(np.mean(values))
        summary[f"{name}_std"] = float(np.std(values, ddof=1))
    return summary
