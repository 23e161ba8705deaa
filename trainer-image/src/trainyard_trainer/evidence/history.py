"""How the loss fell while the model was trained."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from trainyard_schema import ModelType

from trainyard_trainer.evidence import plots
from trainyard_trainer.evidence.axis import Axis
from trainyard_trainer.evidence.plots import Curve, Plot

TRAINING_HISTORY = "training-history.svg"
_LOSSES = {"logloss": "Log loss", "mlogloss": "Log loss", "rmse": "RMSE", "loss": "Loss"}
_PARTS = {"train": "Training", "validation": "Validation"}
_UNITS = {ModelType.XGBOOST: "Boosting round", ModelType.NEURAL_NET: "Epoch"}


def plots_of(model_type: ModelType, records: Sequence[Mapping[str, Any]]) -> list[Plot]:
    """Loss over the rounds or epochs of the model's own fit; none where the model type reports no
    loss, as the forest.
    """
    # A net that diverges may report no number.
    own = [
        record
        for record in records
        if record["fit"] == "final"
        and all(np.isfinite(value) for value in record.values() if isinstance(value, float))
    ]
    names = list(own[0]) if own else []
    found = [name for name in names if name.startswith(("train_", "validation_"))]
    if not found:
        return []
    done = np.array([record["done"] for record in own], dtype=np.float64)
    drawn, values, subtitle = [], [], ""
    for name in found:
        part, _, loss = name.partition("_")
        series = np.array([record[name] for record in own], dtype=np.float64)
        values.append(series)
        drawn.append(Curve(_PARTS[part], done, series))
        if part == "validation":
            best = int(series.argmin())
            at, last = int(done[best]), int(done[-1])
            subtitle = f"Best validation loss {series[best]:.4g} at {at:,} of {last:,}"
    low, high = float(min(map(np.min, values))), float(max(map(np.max, values)))
    x = Axis.over(_UNITS[model_type], 0.0, float(done[-1]))
    y = Axis.over(_LOSSES.get(loss, loss), low, high)
    if subtitle:
        ends = np.array([y.low, y.high])
        drawn.append(Curve("Best validation loss", np.full(2, done[best]), ends, dashed=True))
    title = "Training history"
    return [Plot(TRAINING_HISTORY, title, plots.lines(title, subtitle, x, y, drawn))]
