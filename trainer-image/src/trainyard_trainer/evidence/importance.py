"""Which columns of the table count most."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from trainyard_schema import ModelType

from trainyard_trainer.preprocessing import Column

METHODS = {
    ModelType.XGBOOST: "loss reduction that the splits on the column brought (total gain)",
    ModelType.RANDOM_FOREST: "mean decrease of impurity by the splits on the column",
    ModelType.NEURAL_NET: "mean size of the output's gradient times the column's spread",
}


def by_column(
    columns: Sequence[Column], importance: npt.NDArray[np.float64]
) -> list[tuple[str, float]]:
    """The table's columns with their shares of the whole, the largest first, from (p,) importances
    of the matrix's columns.
    """
    share: dict[str, float] = {}
    for column, value in zip(columns, importance, strict=True):
        share[column.source] = share.get(column.source, 0.0) + float(value)
    total = sum(share.values()) or 1.0
    ranked = sorted(share.items(), key=lambda item: -item[1])
    return [(name, value / total) for name, value in ranked]


def document(model_type: ModelType, ranked: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """`feature-importance.json`."""
    return {
        "method": METHODS[model_type],
        "columns": [{"name": name, "share": round(share, 6)} for name, share in ranked],
    }
