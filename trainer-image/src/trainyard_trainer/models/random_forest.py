"""scikit-learn's random forest, grown in chunks of trees so that progress can be told."""

import copy
import importlib
import sys
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from trainyard_schema import RandomForestHyperparameters

from trainyard_trainer.models import (
    Checkpoints,
    Part,
    Prediction,
    Report,
    Shape,
    canonical_skops,
    forest_defaults,
)
from trainyard_trainer.preprocessing import Matrix
from trainyard_trainer.target import Task


def _import_skops() -> ModuleType:
    """skops.io, without torch: skops imports all of scikit-learn, which imports torch wherever it
    is installed.
    """
    if "torch" in sys.modules:
        return importlib.import_module("skops.io")
    sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("skops.io")
    finally:
        del sys.modules["torch"]


_skops = _import_skops()

TRUSTED = ["sklearn.tree._tree.Tree"]
"""Types that a forest's file may hold beyond those that skops trusts by itself.

skops leaves Tree out because scikit-learn follows a tree's indexes unchecked; `_check` looks at
them first.
"""
FIXED: tuple[str, ...] = ()
_CHOSEN = ("min_samples_leaf", "max_features")
_CHUNK_SECONDS = 0.5
_PREDICT_ROWS = 4096
_OUT_OF_BAG_ROWS = 20_000
_VALIDATION_SHARE = 0.1

_Model: TypeAlias = RandomForestClassifier | RandomForestRegressor


class Forest:
    """A grown forest."""

    def __init__(
        self,
        model: _Model,
        shape: Shape,
        threads: int,
        chosen: dict[str, Any],
        out_of_bag: Prediction | None = None,
    ) -> None:
        self._model = model
        self._shape = shape
        self._threads = threads
        self._chosen = chosen
        self._out_of_bag = out_of_bag

    @property
    def units(self) -> int:
        """Trees in the model."""
        return len(self._model.estimators_)

    @property
    def chosen(self) -> dict[str, Any]:
        """Size of the leaves and features of a split."""
        return self._chosen

    @property
    def out_of_bag(self) -> Prediction | None:
        """(n, n_classes) probabilities of the training rows, each by the trees that did not draw
        it.
        """
        return self._out_of_bag

    def predict(self, features: Matrix) -> Prediction:
        """(n, n_classes) probabilities, or (n,) values."""
        # scikit-learn's own threads add up the trees in any order; threads over rows give the same
        # bits every time.
        self._model.n_jobs = 1
        predict = (
            self._model.predict
            if self._shape.task == Task.REGRESSION
            else self._model.predict_proba
        )
        chunks = [
            features[start : start + _PREDICT_ROWS]
            for start in range(0, len(features), _PREDICT_ROWS)
        ]
        if len(chunks) < 2 or self._threads == 1:
            return np.concatenate([predict(chunk) for chunk in chunks])
        with ThreadPoolExecutor(self._threads) as pool:
            return np.concatenate(list(pool.map(predict, chunks)))

    def importance(self, features: Matrix) -> npt.NDArray[np.float64]:  # noqa: ARG002
        """(p,) mean impurity decrease."""
        return np.asarray(self._model.feature_importances_, dtype=np.float64)

    def save(self, path: Path) -> None:
        """Write a skops file: the same bytes for the same forest, however many threads grew it."""
        self._model.set_params(n_jobs=1)
        with tempfile.TemporaryFile(dir=path.parent) as dumped, path.open("wb") as file:
            _skops.dump(self._model, dumped)
            canonical_skops.rewrite(dumped, file)


def complete(
    hyperparameters: RandomForestHyperparameters,
    training_rows: int,  # noqa: ARG001
) -> RandomForestHyperparameters:
    """`fit` chooses what is not given, since it takes the rows to do so."""
    return hyperparameters


def validation_share(
    hyperparameters: RandomForestHyperparameters,  # noqa: ARG001
    training_rows: int,
    *,
    continued: bool = False,
) -> float:
    """More trees never overfit, so every row of a small table is learned from, and the trees that
    did not draw a row tell about it. With many rows that takes longer than it gains, and of older
    trees it is not known which rows they drew.
    """
    small = training_rows <= _OUT_OF_BAG_ROWS
    return 0.0 if small and not continued else _VALIDATION_SHARE


def fit(
    shape: Shape,
    train: Part,
    validation: Part | None,
    hyperparameters: RandomForestHyperparameters,
    *,
    seed: int,
    threads: int,
    report: Report,
    start: Forest | None = None,
    checkpoints: Checkpoints | None = None,
) -> Forest:
    """Grow all trees. Their number in a chunk follows the time that the one before took; it does
    not change the trees. The trees of `start` stay as they are, and new ones are grown like them
    where the hyperparameters leave it open.
    """
    if start is not None:
        hyperparameters = _like(start, hyperparameters)
    hyperparameters = forest_defaults.complete(
        shape.task, train, hyperparameters, seed=seed, threads=threads
    )
    chosen = {name: getattr(hyperparameters, name) for name in _CHOSEN}
    kind = RandomForestRegressor if shape.task == Task.REGRESSION else RandomForestClassifier
    total = hyperparameters.n_estimators
    settings = hyperparameters.model_dump(exclude={"n_estimators"})
    model = kind(n_estimators=0)
    older = 0 if start is None else start.units
    if start is not None:
        model = copy.copy(start._model)
        model.estimators_ = list(model.estimators_)
    model.set_params(warm_start=True, n_jobs=threads, random_state=seed, **settings)
    with_out_of_bag = validation is None and shape.task != Task.REGRESSION
    if checkpoints is not None and checkpoints.resume is not None:
        model = load(checkpoints.resume, shape, threads=threads)._model
    done = len(getattr(model, "estimators_", ())) - older
    chunk, stop = threads, False

    def write(path: Path) -> None:
        Forest(model, shape, threads, chosen).save(path)

    while done < total and not stop:
        since = time.monotonic()
        grown = min(total - done, chunk)
        model.set_params(n_estimators=older + done + grown, n_jobs=threads)
        model.fit(train.features, train.target)
        done += grown
        per_tree = max((time.monotonic() - since) / grown, 1e-6)
        chunk = threads * max(1, min(64, int(_CHUNK_SECONDS / per_tree / threads)))
        stop = bool(report(done, total, {}))
        if checkpoints is not None and done < total and not stop:
            checkpoints.keep(write)
    found = _out_of_bag(model, train) if with_out_of_bag else None
    model.set_params(warm_start=False)
    return Forest(model, shape, threads, chosen, found)


def _out_of_bag(model: _Model, train: Part) -> Prediction:
    """What the trees of a forest that is grown say about the rows that they did not draw."""
    model.oob_score = True
    with warnings.catch_warnings():
        # No tree is to be grown. Few trees leave rows that all of them drew; those are NaN.
        warnings.filterwarnings("ignore", "Warm-start fitting without increasing", UserWarning)
        warnings.filterwarnings("ignore", "Some inputs do not have OOB scores", UserWarning)
        model.fit(train.features, train.target)
    model.oob_score = False
    return forest_defaults.out_of_bag(model)


def _like(
    start: Forest, hyperparameters: RandomForestHyperparameters
) -> RandomForestHyperparameters:
    """The hyperparameters, with what `start` has where they leave it to the rows."""
    default = RandomForestHyperparameters()
    open_names = [
        name for name in _CHOSEN if getattr(hyperparameters, name) == getattr(default, name)
    ]
    return hyperparameters.model_copy(update={name: start.chosen[name] for name in open_names})


def _check(model: _Model) -> None:
    """Raises ValueError if a tree points outside itself, back at itself, or at a feature that is
    not there.
    """
    for estimator in model.estimators_:
        tree = estimator.tree_
        nodes = np.arange(tree.node_count)
        leaf = tree.children_left == -1
        children = np.stack([tree.children_left, tree.children_right])[:, ~leaf]
        feature = tree.feature[~leaf]
        sound = (
            len(tree.children_left) == len(tree.feature) == len(tree.value) == tree.node_count
            and np.all(tree.children_right[leaf] == -1)
            and np.all(children > nodes[~leaf])
            and np.all(children < tree.node_count)
            and np.all((feature >= 0) & (feature < model.n_features_in_))
        )
        if not sound:
            raise ValueError("the forest's file holds a damaged tree")


def load(path: Path, shape: Shape, *, threads: int) -> Forest:
    """Read a skops file. Refuses types outside the pinned list, and damaged trees (ValueError)."""
    model = _skops.load(path, trusted=TRUSTED)
    if not isinstance(model, RandomForestClassifier | RandomForestRegressor):
        raise TypeError(f"{path.name} holds a {type(model).__name__}, not a random forest")
    _check(model)
    return Forest(model, shape, threads, {name: getattr(model, name) for name in _CHOSEN})
