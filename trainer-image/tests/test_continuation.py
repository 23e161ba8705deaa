"""Training further from a version: each model type, and what must be as it was."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from trainyard_schema import (
    DataSpec,
    Hyperparameters,
    Manifest,
    ModelType,
    Reason,
    validate_hyperparameters,
)
from trainyard_trainer import training, version_files
from trainyard_trainer.continuation import Parent, conform
from trainyard_trainer.division import divide
from trainyard_trainer.errors import TrainerError
from trainyard_trainer.metrics import evaluate
from trainyard_trainer.models import Fitted, Part, implementation
from trainyard_trainer.preprocessing import rows_of

MakeFrame = Callable[..., pd.DataFrame]
SPEC = DataSpec(uri="s3://bucket/key", target="y", exclude=["id"])
SMALL: dict[ModelType, dict[str, Any]] = {
    ModelType.XGBOOST: {"n_estimators": 60, "learning_rate": 0.2, "early_stopping_rounds": 10},
    ModelType.RANDOM_FOREST: {"n_estimators": 40},
    ModelType.NEURAL_NET: {"max_epochs": 25, "ensemble_size": 2, "hidden_layer_sizes": [16]},
}


def _given(model_type: ModelType, **fields: Any) -> Hyperparameters:
    return validate_hyperparameters((model_type,), SMALL[model_type] | fields)[model_type]


def _quiet(*_: object) -> None:
    pass


def _table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


def _fit(
    dataset: training.Dataset,
    model_type: ModelType,
    parent: training.TrainedModel | None = None,
    report: Callable[..., None] = _quiet,
    **fields: Any,
) -> training.TrainedModel:
    given = _given(model_type, **fields)
    learner = training.learner_for(dataset, model_type, given, seed=3, threads=1)
    return training.fit(learner, dataset, dataset.training, report, parent)


def _parent(frame: pd.DataFrame, model_type: ModelType, tmp_path: Path) -> Parent:
    """As it comes back from its file."""
    dataset = training.validate(_table(frame), SPEC, 3)
    model = _fit(dataset, model_type)
    path = tmp_path / "model.ubj"
    model.fitted.save(path)
    fitted = implementation(model_type).load(path, model.shape, threads=1)
    model = dataclasses.replace(model, fitted=fitted)
    manifest = Manifest(
        model="made", model_type=model_type, version="v1", created_at=datetime.now(UTC),
        task=dataset.target.task, data=[], rows=0, training_rows=0, holdout_rows=0, target="y",
        exclude=[], holdout_fraction=0.2, seed=3, metrics=[], files=[], duration_seconds=0,
        hyperparameters=_given(model_type).model_dump(mode="json"),
        image="", libraries={}, training_job="", training_job_uid="",
    )  # fmt: skip
    schema = version_files.describe(model_type, dataset.target, model)
    return Parent("s3://bucket/v1/", manifest, schema, model)


def _next(frame: pd.DataFrame, parent: Parent) -> training.Dataset:
    """The dataset of a run that continues."""
    given = _given(parent.schema.model_type)
    table, _ = conform(_table(frame), SPEC, parent, given)
    division = divide(table, SPEC, 4, None, parent.known)
    return training.prepare(division, SPEC, parent.known.kinds)


def _drifted(make_frame: MakeFrame, task: str, rows: int = 600) -> pd.DataFrame:
    """New rows, in which column a says the opposite."""
    frame = make_frame(task, rows=rows, seed=5)
    frame["a"] = -frame["a"]
    return frame


@pytest.mark.parametrize("model_type", ModelType)
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_it_is_better_on_new_rows_than_what_it_continues(
    make_frame: MakeFrame, model_type: ModelType, task: str, tmp_path: Path
) -> None:
    parent = _parent(make_frame(task, rows=600), model_type, tmp_path)
    dataset = _next(_drifted(make_frame, task), parent)
    told: list[tuple[int, int]] = []
    model = _fit(
        dataset, model_type, parent.model, lambda done, total, _: told.append((done, total))
    )
    assert model.preprocessor is parent.model.preprocessor
    assert model.fitted.units > parent.model.fitted.units
    planned = SMALL[model_type].get("n_estimators") or SMALL[model_type]["max_epochs"]
    assert told[0][0] <= 4
    assert {total for _, total in told} == {planned}
    name = {"binary": "log_loss", "multiclass": "log_loss", "regression": "rmse"}[task]
    before, after = (
        training.measure(one, dataset, dataset.holdout)[name] for one in (parent.model, model)
    )
    assert after < 0.9 * before


@pytest.mark.parametrize("model_type", [ModelType.XGBOOST, ModelType.NEURAL_NET])
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_nothing_is_added_where_it_would_be_worse(
    make_frame: MakeFrame, model_type: ModelType, task: str, tmp_path: Path
) -> None:
    parent = _parent(make_frame(task, rows=600), model_type, tmp_path)
    # What the parent predicts is the truth, and trees as deep as they get follow the noise.
    frame, random = make_frame(task, rows=3000, seed=8), np.random.default_rng(0)
    truth = parent.model.fitted.predict(parent.model.preprocessor.transform(_table(frame)))
    if task == "regression":
        frame["y"] = truth + random.normal(scale=20, size=len(frame))
    else:
        drawn = (truth.cumsum(axis=1) < random.random((len(frame), 1))).sum(axis=1)
        frame["y"] = np.array(parent.schema.classes)[np.minimum(drawn, truth.shape[1] - 1)]
    dataset = _next(frame, parent)
    coarse: dict[str, Any] = {"learning_rate": 1.0}
    if model_type == ModelType.XGBOOST:
        coarse |= {"max_depth": 12, "min_child_weight": 0, "reg_lambda": 0}
    model = _fit(dataset, model_type, parent.model, **coarse)
    assert model.fitted.units == parent.model.fitted.units
    rows = rows_of(dataset.features, dataset.holdout, list(dataset.kinds))
    matrix = model.preprocessor.transform(rows)
    np.testing.assert_array_equal(model.fitted.predict(matrix), parent.model.fitted.predict(matrix))


def test_older_trees_stay_and_new_ones_are_as_if_grown_at_once(
    make_frame: MakeFrame, tmp_path: Path
) -> None:
    frame = make_frame("binary", rows=600)
    parent = _parent(frame, ModelType.RANDOM_FOREST, tmp_path)
    dataset = training.validate(_table(frame), SPEC, 3)
    rows = rows_of(dataset.features, dataset.training, list(dataset.kinds))
    matrix = parent.model.preprocessor.transform(rows)
    forest = implementation(ModelType.RANDOM_FOREST)
    part = Part(matrix, dataset.target.values[dataset.training])

    def grow(trees: int, start: Fitted | None = None) -> Fitted:
        given = _given(ModelType.RANDOM_FOREST, n_estimators=trees)
        return forest.fit(
            parent.model.shape, part, None, given, seed=3, threads=1, report=_quiet, start=start
        )

    continued, at_once = grow(40, parent.model.fitted), grow(80)
    assert (parent.model.fitted.units, continued.units, at_once.units) == (40, 80, 80)
    np.testing.assert_array_equal(continued.predict(matrix), at_once.predict(matrix))


def test_trees_of_older_rows_are_exact_on_new_ones(make_frame: MakeFrame, tmp_path: Path) -> None:
    # A quantile matrix of the new rows would have put many into other leaves.
    parent = _parent(make_frame("binary", rows=600), ModelType.XGBOOST, tmp_path)
    dataset = _next(_drifted(make_frame, "binary"), parent)
    told: list[float] = []
    model = _fit(
        dataset, ModelType.XGBOOST, parent.model,
        lambda *given: told.append(given[2]["train_logloss"]),
        early_stopping_rounds=0, n_estimators=5,
    )  # fmt: skip
    rows = rows_of(dataset.features, dataset.training, list(dataset.kinds))
    predicted = model.fitted.predict(model.preprocessor.transform(rows))
    truth = dataset.target.values[dataset.training]
    assert evaluate(dataset.target.task, truth, predicted)["log_loss"] == pytest.approx(
        told[-1], rel=1e-4
    )


@pytest.mark.parametrize("model_type", ModelType)
def test_hyperparameters_that_are_open_are_those_of_before(
    make_frame: MakeFrame, model_type: ModelType, tmp_path: Path
) -> None:
    parent = _parent(make_frame("regression", rows=600), model_type, tmp_path)
    model = _fit(_next(_drifted(make_frame, "regression"), parent), model_type, parent.model)
    assert model.fitted.chosen == parent.model.fitted.chosen


def test_every_difference_is_in_one_line(make_frame: MakeFrame, tmp_path: Path) -> None:
    parent = _parent(make_frame("multiclass", rows=600), ModelType.NEURAL_NET, tmp_path)
    frame = make_frame("multiclass").drop(columns="flag")
    frame["a"] = "word"
    frame["b"] = pd.Timestamp(2024, 1, 1)
    frame["y"] = frame["y"].replace({"low": "odd"})
    given = _given(ModelType.NEURAL_NET, hidden_layer_sizes=[8, 8])
    spec = SPEC.model_copy(update={"exclude": ["id", "city"]})
    with pytest.raises(TrainerError) as caught:
        conform(_table(frame), spec, parent, given)
    assert caught.value.reason == Reason.SCHEMA_MISMATCH
    assert caught.value.message == (
        "s3://bucket/v1/ cannot be continued: hyperparameter hidden_layer_sizes is [16] there and "
        "[8, 8] here; target 'y' lacks 'low'; target 'y' also has 'odd'; column 'a' is number "
        "there and category here; column 'b' is number there and time here; column 'city' is not "
        "to be learned from; column 'flag' is missing; give what it was trained with, or train "
        "with spec.mode full"
    )


@pytest.mark.parametrize(
    ("task", "target", "difference"),
    [
        ("binary", [True, False], "target 'y' lacks 'No', 'Yes'; target 'y' also has False, True"),
        ("regression", ["a", "b"], "target 'y' is number there and category here"),
        ("multiclass", ["low", "mid"], "target 'y' lacks 'top'"),
        ("codes", [True, False], "target 'y' lacks 0, 1; target 'y' also has False, True"),
    ],
)
def test_another_target_is_told(
    make_frame: MakeFrame, tmp_path: Path, task: str, target: list[object], difference: str
) -> None:
    frame = make_frame("binary" if task == "codes" else task)
    if task == "codes":
        frame["y"] = frame["y"].replace({"No": 0, "Yes": 1}).astype(float)
    parent = _parent(frame, ModelType.XGBOOST, tmp_path)
    frame["y"] = pd.Series(target * 200)
    with pytest.raises(TrainerError, match=difference):
        conform(_table(frame), SPEC, parent, _given(ModelType.XGBOOST))


@pytest.mark.parametrize(
    ("before", "after", "there", "here"),
    [
        (pa.array([True, False] * 200), pa.array([1, 0] * 200), "boolean", "number"),
        (pa.array([1.5, 0.5] * 200), pa.array([True, False] * 200), "number", "boolean"),
        (pa.array(["2024-01-01", "2025-01-01"] * 200), pa.array(range(400)), "time", "number"),
        (pa.array(["7", "x"] * 200), pa.array([7, 8] * 200), "category", "number"),
    ],
)
def test_another_kind_is_told_though_it_could_be_cast(
    *, make_frame: MakeFrame, tmp_path: Path, before: pa.Array, after: pa.Array, there: str,
    here: str,
) -> None:  # fmt: skip
    table = _table(make_frame("binary"))
    parent = _parent(table.append_column("new", before).to_pandas(), ModelType.XGBOOST, tmp_path)
    with pytest.raises(TrainerError, match=f"column 'new' is {there} there and {here} here;"):
        conform(table.append_column("new", after), SPEC, parent, _given(ModelType.XGBOOST))
    conform(table.append_column("new", pa.nulls(400)), SPEC, parent, _given(ModelType.XGBOOST))


def test_text_remains_text(make_frame: MakeFrame, tmp_path: Path) -> None:
    frame = make_frame("binary").assign(code=["007", "X"] * 200)
    parent = _parent(frame, ModelType.XGBOOST, tmp_path)
    dataset = _next(frame.assign(code=["007", "08"] * 200), parent)
    assert dataset.features["code"][:2].to_pylist() == ["007", "08"]


def test_another_target_column_is_told(make_frame: MakeFrame, tmp_path: Path) -> None:
    parent = _parent(make_frame("binary"), ModelType.XGBOOST, tmp_path)
    spec = SPEC.model_copy(update={"target": "flag"})
    with pytest.raises(TrainerError, match=r"target is 'y' there and 'flag' here; .*'flag' is not"):
        conform(_table(make_frame("binary")), spec, parent, _given(ModelType.XGBOOST))


def test_whole_numbers_remain_values_where_they_were(make_frame: MakeFrame, tmp_path: Path) -> None:
    parent = _parent(make_frame("regression"), ModelType.XGBOOST, tmp_path)
    frame = make_frame("regression", seed=2)
    frame["y"] = np.arange(len(frame)) % 5
    dataset = _next(frame, parent)
    assert (dataset.target.task, dataset.target.classes) == ("regression", [])


def test_columns_may_be_empty_or_have_one_value(make_frame: MakeFrame, tmp_path: Path) -> None:
    frame = make_frame("binary")
    frame["when"] = pd.date_range("2024-01-01", periods=len(frame), freq="h")
    parent = _parent(frame, ModelType.RANDOM_FOREST, tmp_path)
    frame["when"], frame["city"], frame["b"] = None, np.nan, 1
    dataset = _next(frame, parent)
    assert dataset.kinds == parent.known.kinds
    model = _fit(dataset, ModelType.RANDOM_FOREST, parent.model)
    assert model.fitted.units == 80


def test_new_columns_are_not_learned_from(make_frame: MakeFrame, tmp_path: Path) -> None:
    parent = _parent(make_frame("binary"), ModelType.XGBOOST, tmp_path)
    frame = make_frame("binary").assign(new=1.5, other="x")
    _, warnings = conform(_table(frame), SPEC, parent, _given(ModelType.XGBOOST))
    assert warnings == [
        "not learned from, since the version that is continued does not: 'new', 'other'"
    ]
