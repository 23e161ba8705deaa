"""Plots of what a model predicts for rows that it never saw."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from trainyard_trainer.evidence import curves, plots
from trainyard_trainer.evidence.axis import Axis
from trainyard_trainer.evidence.plots import Curve, Plot
from trainyard_trainer.evidence.svg import shorten
from trainyard_trainer.metrics import evaluate
from trainyard_trainer.target import Target, Task

Floats = npt.NDArray[np.float64]

ROC_CURVE = "roc-curve.svg"
PRECISION_RECALL_CURVE = "precision-recall-curve.svg"
CALIBRATION_CURVE = "calibration-curve.svg"
CONFUSION_PLOT = "confusion-matrix.svg"
PREDICTED_AND_ACTUAL = "predicted-and-actual.svg"
RESIDUALS = "residuals.svg"
_MOST_CURVES = 7
_NAME = 24
_LARGEST = 1e300
"""Of a range from minus this, the width is still a number."""


def _rows(count: int) -> str:
    return f"{count:,} rows held out"


def _one_against_rest(
    target: Target, truth: npt.NDArray[np.int64], probability: Floats
) -> tuple[list[tuple[str, npt.NDArray[np.bool_], Floats]], str]:
    """Name, membership and score of each class that can be told from the rest, and which these
    are.
    """
    n = len(target.classes)
    rows = np.bincount(truth, minlength=n)
    present = [i for i in range(n) if 0 < rows[i] < len(truth)]
    if target.task == Task.BINARY:
        shown = [1] if present else []
        note = f"positive class {shorten(str(target.classes[1]), _NAME)}"
    else:
        shown = sorted(sorted(present, key=lambda i: -rows[i])[:_MOST_CURVES])
        note = "each class against the rest"
        if len(shown) < n:
            note = f"{len(shown)} most frequent of {n} classes, each against the rest"
    return [
        (shorten(str(target.classes[i]), _NAME), truth == i, probability[:, i]) for i in shown
    ], note


def _class_plots(
    target: Target,
    truth: npt.NDArray[np.int64],
    probability: Floats,
    counts: npt.NDArray[np.int64],
) -> Iterator[Plot]:
    parts, note = _one_against_rest(target, truth, probability)
    subtitle = f"{_rows(len(truth))}, {note}"
    ranking = [
        evaluate(Task.BINARY, positive, np.column_stack([1 - score, score]))
        for _, positive, score in parts
    ]
    if parts:
        title = "ROC curve"
        drawn = [
            Curve(f"{name} (AUC {metrics['roc_auc']:.3f})", *curves.roc(positive, score))
            for (name, positive, score), metrics in zip(parts, ranking, strict=True)
        ]
        diagonal = np.array([0.0, 1.0])
        drawn.append(Curve("Chance", diagonal, diagonal, dashed=True))
        axes = plots.unit_axis("False positive rate"), plots.unit_axis("True positive rate")
        yield Plot(ROC_CURVE, title, plots.lines(title, subtitle, *axes, drawn))
        title = "Precision-recall curve"
        drawn = [
            Curve(f"{name} (AP {metrics['pr_auc']:.3f})", *curves.precision_recall(positive, score))
            for (name, positive, score), metrics in zip(parts, ranking, strict=True)
        ]
        if target.task == Task.BINARY:
            share = float(parts[0][1].mean())
            chance = Curve(
                f"Chance ({share:.1%} positive)", diagonal, np.full(2, share), dashed=True
            )
            drawn.append(chance)
        axes = plots.unit_axis("Recall"), plots.unit_axis("Precision")
        yield Plot(PRECISION_RECALL_CURVE, title, plots.lines(title, subtitle, *axes, drawn))
    title = "Calibration"
    if target.task == Task.BINARY:
        score, positive = probability[:, 1], truth == 1
        labels = "Predicted probability of the positive class", "Share of positive rows"
        about = note
    else:
        score, positive = probability.max(axis=1), probability.argmax(axis=1) == truth
        labels = "Probability of the predicted class", "Share of rows predicted rightly"
        about = "probability of the predicted class"
    svg = plots.calibration(
        title, f"{_rows(len(truth))}, {about}", *labels, curves.reliability(positive, score)
    )
    yield Plot(CALIBRATION_CURVE, title, svg)
    title = "Confusion matrix"
    about = f"{_rows(len(truth))}; rows, and share of the actual class"
    svg = plots.confusion_matrix(title, about, list(map(str, target.classes)), counts)
    yield Plot(CONFUSION_PLOT, title, svg)


def _value_plots(target: Target, truth: Floats, prediction: Floats) -> Iterator[Plot]:
    # NaN compares as False.
    drawable = (np.abs(prediction) < _LARGEST) & (np.abs(truth) < _LARGEST)
    truth, prediction = truth[drawable], prediction[drawable]
    if not len(truth):
        return
    shown = plots.sample(len(truth))
    subtitle = _rows(len(truth))
    if len(shown) < len(truth):
        subtitle += f", {len(shown):,} of them drawn"
    actual, predicted = truth[shown], prediction[shown]
    name = shorten(target.name, 40)
    label = "One row held out"
    low, high = (float(edge(np.concatenate([actual, predicted]))) for edge in (np.min, np.max))
    axis = Axis.over("", low, high)
    ends = np.array([axis.low, axis.high])
    title = "Predicted and actual values"
    svg = plots.scatter(
        title,
        subtitle,
        (axis._replace(label=f"Predicted {name}"), axis._replace(label=f"Actual {name}")),
        Curve(label, predicted, actual),
        Curve("Perfect prediction", ends, ends),
    )
    yield Plot(PREDICTED_AND_ACTUAL, title, svg)
    title = "Residuals"
    residual = actual - predicted
    across = Axis.over(f"Predicted {name}", float(predicted.min()), float(predicted.max()))
    largest = float(np.abs(residual).max())
    svg = plots.scatter(
        title,
        subtitle,
        (across, Axis.over("Residual (actual - predicted)", -largest, largest)),
        Curve(label, predicted, residual),
        Curve("No error", np.array([across.low, across.high]), np.zeros(2)),
    )
    yield Plot(RESIDUALS, title, svg)


def plots_of(
    target: Target,
    truth: npt.NDArray[Any],
    prediction: Floats,
    counts: npt.NDArray[np.int64] | None,
) -> list[Plot]:
    """The plots of a model's predictions of (n,) rows held out; `counts` is the confusion matrix of
    a classifier.
    """
    if counts is None:
        return list(_value_plots(target, truth.astype(np.float64), prediction))
    return list(_class_plots(target, truth.astype(np.int64), prediction, counts))
