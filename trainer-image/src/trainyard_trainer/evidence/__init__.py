"""What shows how a model behaves: plots and tables as files of its version."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from trainyard_schema import ModelType
from trainyard_schema.artifacts import CONFUSION_MATRIX, FEATURE_IMPORTANCE

from trainyard_trainer.decisions import decide
from trainyard_trainer.evidence import curves, history, holdout, importance
from trainyard_trainer.evidence.plots import Plot
from trainyard_trainer.models import Prediction
from trainyard_trainer.preprocessing import rows_of
from trainyard_trainer.target import Task
from trainyard_trainer.training import Dataset, TrainedModel
from trainyard_trainer.version_files import as_json

_TRIED_ROWS = 4096


class Evidence(NamedTuple):
    """All of it."""

    importance: list[tuple[str, float]]
    """Each column of the table with its share, the largest first."""
    plots: list[Plot]
    files: dict[str, str]
    """Text by file name, the plots too."""


def gather(
    model_type: ModelType,
    model: TrainedModel,
    dataset: Dataset,
    prediction: Prediction,
    records: Sequence[Mapping[str, Any]],
) -> Evidence:
    """The evidence of a model, from what it predicts for the holdout and the records of its
    history.
    """
    target, truth = dataset.target, dataset.target.values[dataset.holdout]
    tried = rows_of(dataset.features, dataset.holdout[:_TRIED_ROWS], list(dataset.kinds))
    ranked = importance.by_column(
        model.shape.columns, model.fitted.importance(model.preprocessor.transform(tried))
    )
    files = {FEATURE_IMPORTANCE: as_json(importance.document(model_type, ranked))}
    counts = None
    if target.task != Task.REGRESSION:
        guess = decide(target.task, prediction, model.threshold)
        counts = curves.confusion(truth.astype(np.int64), guess, len(target.classes))
        files[CONFUSION_MATRIX] = as_json(
            {
                "split": "holdout",
                "classes": target.classes,
                "rows": "by actual class, then by predicted class",
                "counts": counts.tolist(),
            }
        )
    drawn = [
        *holdout.plots_of(target, truth, prediction, counts),
        *history.plots_of(model_type, records),
    ]
    return Evidence(ranked, drawn, files | {plot.file: plot.svg for plot in drawn})
