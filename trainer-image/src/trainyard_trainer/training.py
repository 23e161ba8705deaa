"""One run in memory: from the table to a trained and measured model. No network, no files."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import structlog
from trainyard_schema import DataSpec, Hyperparameters, ModelType, Reason

from trainyard_trainer import memory, models
from trainyard_trainer.calibration import Calibration, calibrate
from trainyard_trainer.columns import ColumnKind, understand
from trainyard_trainer.decisions import DEFAULT_THRESHOLD
from trainyard_trainer.division import Division, divide
from trainyard_trainer.errors import TrainerError
from trainyard_trainer.intervals import bootstrap
from trainyard_trainer.metrics import evaluate, per_class
from trainyard_trainer.models import Fitted, Implementation, Part, Shape
from trainyard_trainer.preflight import examine
from trainyard_trainer.preprocessing import Preprocessor, matrix_width, rows_of, select_features
from trainyard_trainer.split import Rows, folds, strata, take_share
from trainyard_trainer.table_rows import TableRows
from trainyard_trainer.target import Target, Task
from trainyard_trainer.target_encoding import outcomes
from trainyard_trainer.threshold import best_threshold

_log = structlog.get_logger()


class Dataset(NamedTuple):
    """A table that can be learned from."""

    features: pa.Table
    kinds: dict[str, ColumnKind]
    target: Target
    training: Rows
    holdout: Rows
    warnings: list[str]
    frozen: bool = False
    """Whether the holdout's rows come from elsewhere than the data."""


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
    _finished_units: int = 0
    _done: int = 0
    """Units of the present fit."""

    def resume(self, records: Sequence[dict[str, Any]]) -> None:
        """Take over what an earlier attempt of the next fit has told."""
        self.records.extend(records)
        self._tell(records[-1]["done"])

    def reporter(self, fit: str) -> models.Report:
        """The callback of one fit."""
        earlier = [record["seconds"] for record in self.records if record["fit"] == fit]
        since = time.monotonic() - max(earlier, default=0.0)

        def report(done: int, total: int, losses: dict[str, float]) -> None:
            elapsed = round(time.monotonic() - since, 3)
            self.records.append(
                {"fit": fit, "done": done, "total": total, "seconds": elapsed, **losses}
            )
            self._tell(done)

        return report

    def finish_fit(self) -> None:
        """A fit is over. What early stopping left undone is no longer to be done."""
        self._finished_fits += 1
        self._finished_units += self._done
        self._tell(0)

    def _tell(self, done: int) -> None:
        self._done = done
        planned = (self.fits - self._finished_fits) * self.units_per_fit
        self.on_units(self._finished_units + done, self._finished_units + planned)


@dataclass(frozen=True)
class TrainedModel:
    """A model and the preprocessing that goes before it."""

    fitted: Fitted
    preprocessor: Preprocessor
    shape: Shape
    calibration: Calibration | None = None
    threshold: float = DEFAULT_THRESHOLD
    """Probability from which a row counts as positive; for two classes."""

    def predict(self, table: pa.Table | TableRows) -> models.Prediction:
        """(n, n_classes) probabilities, or (n,) values, of raw rows."""
        prediction = self.fitted.predict(self.preprocessor.transform(table))
        return prediction if self.calibration is None else self.calibration.apply(prediction)


class Evaluation(NamedTuple):
    """How good a model is on some rows."""

    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    """95 % confidence intervals by bootstrap."""
    per_class: dict[str, dict[str, float]]
    """Empty for regression."""


def validate(table: pa.Table, spec: DataSpec, seed: int) -> Dataset:
    """Check the table against the spec and split it. Raises InvalidData, InsufficientData."""
    return prepare(divide(table, spec, seed), spec)


def prepare(
    division: Division, spec: DataSpec, kinds: dict[str, ColumnKind] | None = None
) -> Dataset:
    """Find out what the columns are, and which of them can be learned from: with `kinds` just
    those, which are of these kinds already. Raises InvalidData.
    """
    table, target, training, holdout, warnings, frozen = division
    if kinds is not None:
        features = table.select(list(kinds))
        useful, _ = select_features(features, kinds)
        warnings = [*warnings, *examine(features, useful, target, training, holdout).warnings]
        return _told(Dataset(features, kinds, target, training, holdout, warnings, frozen))
    understood = {
        name: understand(name, table[name])
        for name in table.column_names
        if name != spec.target and name not in spec.exclude
    }
    features = pa.table({name: column for name, (_, column) in understood.items()})
    kinds, useless = select_features(
        features, {name: kind for name, (kind, _) in understood.items()}
    )
    _check_some_column(kinds, useless)
    findings = examine(features, kinds, target, training, holdout)
    kinds = {name: kind for name, kind in kinds.items() if name not in findings.left_out}
    left_out = [*useless, *findings.left_out.values()]
    _check_some_column(kinds, left_out)
    warnings = [*warnings, *left_out, *findings.warnings]
    features = features.select(list(kinds))
    return _told(Dataset(features, kinds, target, training, holdout, warnings, frozen))


def _told(dataset: Dataset) -> Dataset:
    for warning in dataset.warnings:
        _log.warning(warning)
    return dataset


def _check_some_column(kinds: dict[str, ColumnKind], left_out: list[str]) -> None:
    if not kinds:
        raise TrainerError(
            Reason.INVALID_DATA,
            "no column is left to learn from: " + ("; ".join(left_out) or "all are excluded"),
        )


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


def check_memory(
    learner: Learner, dataset: Dataset, limit: int | None, *, continued: bool = False
) -> list[str]:
    """A warning if training comes close to the memory limit in bytes. Raises InsufficientMemory if
    it clearly cannot be done within it.
    """
    rows = len(dataset.training)
    columns = matrix_width(dataset.features, dataset.kinds, learner.model_type)
    more = memory.needed(
        learner.hyperparameters,
        learner.model_type,
        rows=rows,
        columns=columns,
        outputs=len(dataset.target.classes) or 1,
        continued=continued,
    )
    shape = f"{rows} rows of {columns} columns"
    return memory.check(memory.resident() + more, limit, shape)


def fit(
    learner: Learner,
    dataset: Dataset,
    rows: Rows,
    report: models.Report,
    parent: TrainedModel | None = None,
    *,
    checkpoints: models.Checkpoints | None = None,
) -> TrainedModel:
    """Train on some rows; early stopping watches a part of them. A model that continues from
    `parent` has its preprocessing; calibration and threshold follow from the rows.
    """
    target = dataset.target
    train_rows, validation_rows = rows, None
    share = learner.implementation.validation_share(
        learner.hyperparameters, len(rows), continued=parent is not None
    )
    if share:
        rest, watched = take_share(strata(target)[rows], share, learner.seed + 1)
        train_rows, validation_rows = rows[rest], rows[watched]
    table = rows_of(dataset.features, train_rows, list(dataset.kinds))
    outcome = outcomes(target)[train_rows]
    if parent is None:
        preprocessor = Preprocessor.fit(table, dataset.kinds, learner.model_type, outcome)
        shape = Shape(target.task, len(target.classes), preprocessor.matrix_columns())
    else:
        preprocessor, shape = parent.preprocessor, parent.shape

    def part(rows: Rows) -> Part:
        raw = rows_of(dataset.features, rows, list(dataset.kinds))
        return Part(preprocessor.transform(raw), target.values[rows])

    train, validation = (
        part(train_rows),
        None if validation_rows is None else part(validation_rows),
    )
    if parent is None:
        # The means of a parent's categories come from other rows already.
        preprocessor.cross_fit(table, outcome, train.features, learner.seed)
    fitted = learner.implementation.fit(
        shape,
        train,
        validation,
        learner.hyperparameters,
        seed=learner.seed,
        threads=learner.threads,
        report=report,
        start=None if parent is None else parent.fitted,
        checkpoints=checkpoints,
    )
    calibration, threshold = _decide(fitted, shape, train, validation, learner.seed)
    return TrainedModel(fitted, preprocessor, shape, calibration, threshold)


def _decide(
    fitted: Fitted, shape: Shape, train: Part, validation: Part | None, seed: int
) -> tuple[Calibration | None, float]:
    """Calibration and threshold, from rows that the model did not learn from."""
    if shape.task == Task.REGRESSION:
        return None, DEFAULT_THRESHOLD
    if validation is not None:
        codes, probability = validation.target, fitted.predict(validation.features)
    elif fitted.out_of_bag is not None:
        known = ~np.isnan(fitted.out_of_bag[:, 0])
        codes, probability = train.target[known], fitted.out_of_bag[known]
    else:
        return None, DEFAULT_THRESHOLD
    calibration = calibrate(codes, probability, seed)
    if calibration is not None:
        probability = calibration.apply(probability)
    if shape.task == Task.MULTICLASS:
        return calibration, DEFAULT_THRESHOLD
    return calibration, best_threshold(codes, probability[:, 1])


def predict_rows(model: TrainedModel, dataset: Dataset, rows: Rows) -> models.Prediction:
    """What a model predicts for some rows of the dataset."""
    return model.predict(rows_of(dataset.features, rows, list(dataset.kinds)))


def measure(model: TrainedModel, dataset: Dataset, rows: Rows) -> dict[str, float]:
    """Metrics of a model on some rows."""
    prediction = predict_rows(model, dataset, rows)
    target = dataset.target
    return evaluate(target.task, target.values[rows], prediction, threshold=model.threshold)


def appraise(
    model: TrainedModel, dataset: Dataset, prediction: models.Prediction, *, seed: int
) -> Evaluation:
    """Metrics of what a model predicts for the holdout, and how sure they are."""
    task, truth = dataset.target.task, dataset.target.values[dataset.holdout]
    threshold, classes = model.threshold, dataset.target.classes
    return Evaluation(
        evaluate(task, truth, prediction, threshold=threshold),
        bootstrap(task, truth, prediction, threshold=threshold, seed=seed),
        per_class(classes, truth, prediction, threshold=threshold) if classes else {},
    )


def check_folds(dataset: Dataset, count: int) -> None:
    """Raises InsufficientData if a class has too few training rows for every fold to have one."""
    if dataset.target.task == Task.REGRESSION:
        return
    counts = np.bincount(dataset.target.values[dataset.training])
    rarest = int(counts.argmin())
    if counts[rarest] < count:
        raise TrainerError(
            Reason.INSUFFICIENT_DATA,
            f"class {dataset.target.classes[rarest]!r} has {counts[rarest]} training rows, "
            f"too few for {count} folds; lower spec.crossValidation.folds or turn it off",
        )


def cross_validate(
    learner: Learner,
    dataset: Dataset,
    count: int,
    history: History,
    parent: TrainedModel | None = None,
) -> dict[str, float]:
    """Mean and standard deviation (`<name>_std`) of each metric over the folds of the training
    part.
    """
    results: list[dict[str, float]] = []
    groups = strata(dataset.target)[dataset.training]
    for number, (train, test) in enumerate(folds(groups, count, learner.seed), 1):
        report = history.reporter(f"fold {number}")
        model = fit(learner, dataset, dataset.training[train], report, parent)
        history.finish_fit()
        results.append(measure(model, dataset, dataset.training[test]))
        _log.info("fold measured", fold=number, folds=count, **results[-1])
    summary: dict[str, float] = {}
    for name in results[0]:
        values = [result[name] for result in results if name in result]
        summary[name] = float(np.mean(values))
        summary[f"{name}_std"] = float(np.std(values, ddof=1))
    return summary
