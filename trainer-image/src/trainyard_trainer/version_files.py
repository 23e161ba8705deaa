"""The files of a version beside its manifest."""

import importlib.metadata
import json
import platform
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from trainyard_schema import Metric, Model, ModelType
from trainyard_schema.artifacts import (
    GOLDEN_ROWS,
    HISTORY,
    HOLDOUT,
    LOG,
    METRICS,
    MODEL_CARD,
    MODEL_FILES,
    PREPROCESSING,
    SCHEMA,
)

from trainyard_trainer.calibration import Calibration
from trainyard_trainer.columns import ColumnKind
from trainyard_trainer.decisions import DEFAULT_THRESHOLD
from trainyard_trainer.target import ClassLabel, Target, Task
from trainyard_trainer.training import Evaluation, TrainedModel

_LIBRARIES = {
    ModelType.XGBOOST: ("xgboost-cpu",),
    ModelType.RANDOM_FOREST: ("scikit-learn", "skops"),
    ModelType.NEURAL_NET: ("safetensors",),
}
_REPORTED_CV_METRICS = 1


class FeatureSchema(Model):
    """One column that the model learns from."""

    name: str
    kind: ColumnKind
    categories: list[str] | None = None


class VersionSchema(Model):
    """`schema.json`: what a version takes and gives."""

    schema_version: int = 1
    model_type: ModelType
    task: Task
    target: str
    classes: list[ClassLabel]
    """In the order of a prediction's columns; the last one of two is the positive class. Empty for
    regression.
    """
    features: list[FeatureSchema]
    threshold: float = DEFAULT_THRESHOLD
    """Probability of the positive class from which a row counts as positive; for two classes."""
    calibration: Calibration | None = None
    """What is done to the probabilities that the model file gives; None: nothing."""


def describe(model_type: ModelType, target: Target, model: TrainedModel) -> VersionSchema:
    """The schema of a trained model."""
    return VersionSchema(
        model_type=model_type,
        task=target.task,
        target=target.name,
        classes=target.classes,
        features=[
            FeatureSchema(
                name=column.name,
                kind=column.kind,
                categories=None if column.category is None else column.category.levels,
            )
            for column in model.preprocessor.columns
        ],
        threshold=model.threshold,
        calibration=model.calibration,
    )


def library_versions(model_type: ModelType) -> dict[str, str]:
    """Versions of Python and of what the model depends on."""
    names = ("trainyard-trainer", "numpy", "pyarrow", *_LIBRARIES[model_type])
    versions = {name: importlib.metadata.version(name) for name in names}
    if model_type == ModelType.NEURAL_NET:
        # Debian's torch is imported, not installed, as far as the metadata know.
        versions["torch"] = str(sys.modules["torch"].__version__)
    return {"python": platform.python_version(), **versions}


def as_metrics(
    model_type: ModelType, holdout: Mapping[str, float], cross_validation: Mapping[str, float]
) -> list[Metric]:
    """All metrics of the holdout, then mean and standard deviation of the first one of the
    cross-validation: at most ten together.
    """

    def metric(name: str, value: float, split: Any) -> Metric:
        return Metric(model_type=model_type, name=name, value=f"{value:.6g}", split=split)

    kept = list(cross_validation)[: 2 * _REPORTED_CV_METRICS]
    return [metric(name, value, "holdout") for name, value in holdout.items()] + [
        metric(name, cross_validation[name], "cross-validation") for name in kept
    ]


def as_json(document: Any) -> str:
    """A document that people read too."""
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def write(
    folder: Path,
    model: TrainedModel,
    schema: VersionSchema,
    *,
    holdout: Evaluation,
    cross_validation: Mapping[str, float],
    history: Iterable[Mapping[str, Any]],
    evidence: Mapping[str, str],
    card: str,
    log: Path,
) -> list[Path]:
    """Write every file but the manifest into `folder`, where the holdout's and the golden rows'
    are already; the model's comes first. `evidence` is text by file name.
    """
    model_file = folder / MODEL_FILES[schema.model_type]
    model.fitted.save(model_file)
    metrics = {
        "holdout": holdout.metrics,
        "holdoutIntervals": holdout.intervals,
        "holdoutPerClass": holdout.per_class,
        "crossValidation": dict(cross_validation),
    }
    texts = {
        PREPROCESSING: as_json(model.preprocessor.to_dict()),
        SCHEMA: as_json(schema.to_dict()),
        METRICS: as_json(metrics),
        HISTORY: "".join(json.dumps(record) + "\n" for record in history),
        **evidence,
        MODEL_CARD: card,
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    shutil.copyfile(log, folder / LOG)
    return [model_file, *(folder / name for name in (*texts, HOLDOUT, GOLDEN_ROWS, LOG))]
