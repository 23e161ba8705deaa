"""The three model types behind one interface. Each lives in a module that is imported only when it
is trained or loaded.
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt
from trainyard_schema import Hyperparameters, ModelType

from trainyard_trainer.preprocessing import Column, Matrix
from trainyard_trainer.target import Task

Prediction = npt.NDArray[np.float64]
Report = Callable[[int, int, dict[str, float]], bool | None]
"""`report(done, total, losses)` is called after each round, chunk of trees, or epoch. True ends the
fit there: what is trained by then is the model.
"""


class Checkpoints(Protocol):
    """Where a fit leaves what it would need to go on, and finds what an earlier attempt left."""

    @property
    def resume(self) -> Path | None:
        """A file that `write` made in an earlier attempt of the same fit."""

    def keep(self, write: Callable[[Path], None]) -> None:
        """Called after each unit but the last; `write` is called where a checkpoint is due. It puts
        the whole state of the fit into one file. No pickle.
        """


class Part(NamedTuple):
    """Rows to learn from or to watch."""

    features: Matrix
    target: npt.NDArray[Any]
    """(n,) class numbers or values."""


@dataclass(frozen=True)
class Shape:
    """What a model needs to know beyond its own file."""

    task: Task
    n_classes: int
    """0 for regression."""
    columns: Sequence[Column]


class Fitted(Protocol):
    """A trained model."""

    @property
    def units(self) -> int:
        """Rounds, trees or epochs that are in it."""

    @property
    def chosen(self) -> dict[str, Any]:
        """Hyperparameters that `fit` chose because they were not given, by name."""

    @property
    def out_of_bag(self) -> Prediction | None:
        """(n, n_classes) probabilities of the training rows by those parts of the model that did
        not learn from them, NaN for rows without such parts. None if there are none, or not known.
        """

    def predict(self, features: Matrix) -> Prediction:
        """(n, n_classes) probabilities, or (n,) values."""

    def importance(self, features: Matrix) -> npt.NDArray[np.float64]:
        """(p,) how much each column of the matrix counts, at least 0; `features` are rows to try it
        on.
        """

    def save(self, path: Path) -> None:
        """Write the model file. No pickle."""


class Implementation(Protocol):
    """What the module of a model type offers."""

    FIXED: Sequence[str]
    """Hyperparameters that a model shares with the one that it continues from."""

    def complete(self, hyperparameters: Any, training_rows: int) -> Any:
        """The hyperparameters with those filled in that follow the number of rows."""

    def validation_share(
        self, hyperparameters: Any, training_rows: int, *, continued: bool = False
    ) -> float:
        """Share of the training rows that the model does not learn from: `fit` watches them to know
        when to stop, and threshold and calibration follow from them. 0 for none. `continued`: the
        model is to continue from one that learned from other rows.
        """

    def fit(
        self,
        shape: Shape,
        train: Part,
        validation: Part | None,
        hyperparameters: Any,
        *,
        seed: int,
        threads: int,
        report: Report,
        start: Fitted | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> Fitted:
        """Train; further from `start` if there is one, which has the same shape and is left as it
        is. Units are then those to add. A model that watches its loss on `validation` comes out as
        `start` is where no added unit makes it less. Resumed from a checkpoint, the model is the
        same as without the interruption.
        """

    def load(self, path: Path, shape: Shape, *, threads: int) -> Fitted:
        """Read what `save` wrote."""


_MODULES = {
    ModelType.XGBOOST: "gradient_boosting",
    ModelType.RANDOM_FOREST: "random_forest",
    ModelType.NEURAL_NET: "neural_net",
}


def implementation(model_type: ModelType) -> Implementation:
    """The module of a model type, imported now."""
    return cast("Implementation", importlib.import_module(f"{__name__}.{_MODULES[model_type]}"))


__all__ = [
    "Checkpoints",
    "Fitted",
    "Hyperparameters",
    "Implementation",
    "Part",
    "Prediction",
    "Report",
    "Shape",
]
