"""Categories of thousands of levels: what they say is kept, and what they do not say is not."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from trainyard_schema import DataSpec, ModelType, validate_hyperparameters
from trainyard_trainer import training
from trainyard_trainer.columns import ColumnKind
from trainyard_trainer.preprocessing import Preprocessor
from trainyard_trainer.target import Target, Task
from trainyard_trainer.target_encoding import TargetMeans, outcomes

ROWS, LEVELS = 6000, 1500
RANDOM = np.random.default_rng(0)
LEVEL = RANDOM.integers(LEVELS, size=ROWS)
EFFECT = RANDOM.normal(size=LEVELS)
VALUES = pa.chunked_array([[f"level-{n}" for n in LEVEL]])
NOISE = RANDOM.normal(size=ROWS)


def _fit(outcome: np.ndarray) -> TargetMeans:
    return TargetMeans.fit(VALUES, outcome[:, None], scale=False)


def test_levels_become_the_mean_of_their_target() -> None:
    outcome = 10 + EFFECT[LEVEL] + 0.1 * NOISE
    encoded = _fit(outcome).values(VALUES)[:, 0]
    np.testing.assert_allclose(encoded, 10 + EFFECT[LEVEL], atol=0.5)


def test_levels_that_say_nothing_become_the_mean_of_all() -> None:
    assert _fit(10 + NOISE).values(VALUES).std() < 0.2


def test_rare_levels_are_trusted_less() -> None:
    values = pa.chunked_array([["often"] * 500 + ["once"] + [f"x{n % 50}" for n in range(1000)]])
    outcome = np.repeat([2.0, 2.0, 0.0], [500, 1, 1000])
    outcome += RANDOM.normal(size=1501) + np.where(
        np.arange(1501) > 500, EFFECT[:50].repeat(31)[:1501], 0
    )
    found = TargetMeans.fit(values, outcome[:, None], scale=False)
    often, once, overall = found.values(pa.chunked_array([["often", "once", None]]))[:, 0]
    assert abs(often - outcome[:500].mean()) < 0.1 * abs(often - overall)
    assert abs(once - overall) < 0.7 * abs(outcome[500] - overall)


def test_unseen_and_missing_values_are_the_mean_of_all() -> None:
    found = _fit(EFFECT[LEVEL])
    encoded = found.values(pa.chunked_array([["level-x", None]], type=pa.string()))
    np.testing.assert_allclose(encoded[:, 0], EFFECT[LEVEL].mean())


def test_a_training_row_does_not_see_its_own_target() -> None:
    found = _fit(NOISE)
    before = found.cross_fit(VALUES, NOISE[:, None], seed=0)
    changed = NOISE.copy()
    changed[0] += 1000
    after = found.cross_fit(VALUES, changed[:, None], seed=0)
    assert after[0] == before[0]
    assert (after[1:] != before[1:]).any()


def test_means_of_noise_do_not_know_the_noise() -> None:
    effect = EFFECT[LEVEL] + NOISE
    crossed = _fit(effect).cross_fit(VALUES, effect[:, None], seed=0)[:, 0]
    assert abs(np.corrcoef(crossed, NOISE)[0, 1]) < 0.05
    assert np.corrcoef(crossed, EFFECT[LEVEL])[0, 1] > 0.5


@pytest.mark.parametrize(
    ("task", "values", "width"),
    [
        (Task.REGRESSION, NOISE, 1),
        (Task.BINARY, (NOISE > 0).astype(int), 1),
        (Task.MULTICLASS, np.arange(ROWS) % 3, 3),
        (Task.MULTICLASS, np.arange(ROWS) % 50, 0),
    ],
)
def test_what_means_are_taken_of(task: Task, values: np.ndarray, width: int) -> None:
    classes: list[Any] = list(range(int(values.max()) + 1)) if task != Task.REGRESSION else []
    found = outcomes(Target("y", task, classes, values))
    assert found.shape == (ROWS, width)
    if task == Task.MULTICLASS and width:
        np.testing.assert_array_equal(found.sum(axis=1), 1)


@pytest.mark.parametrize("model_type", ModelType)
def test_saved_as_json_it_encodes_the_same(model_type: ModelType) -> None:
    table = pa.table({"c": VALUES})
    kinds = {"c": ColumnKind.CATEGORY}
    fitted = Preprocessor.fit(table, kinds, model_type, EFFECT[LEVEL][:, None])
    again = Preprocessor.from_stored(json.loads(json.dumps(fitted.to_dict())))
    matrix = fitted.transform(table)
    np.testing.assert_array_equal(matrix, again.transform(table))
    assert matrix.shape[1] == len(fitted.matrix_columns()) <= 2
    assert np.isfinite(fitted.transform(pa.table({"c": ["new", "level-1", None]}))[:, -1]).all()


@pytest.mark.parametrize("model_type", ModelType)
def test_a_column_of_many_levels_is_learned_from(model_type: ModelType) -> None:
    score = 1.5 * EFFECT[LEVEL] + NOISE
    frame = pd.DataFrame({"shop": VALUES.to_pylist(), "x": RANDOM.normal(size=ROWS)})
    frame["y"] = np.where(score > 0, "yes", "no")
    spec = DataSpec(uri="s3://bucket/key", target="y")
    dataset = training.validate(pa.Table.from_pandas(frame), spec, 0)
    small = {
        ModelType.XGBOOST: {"n_estimators": 200},
        ModelType.RANDOM_FOREST: {"n_estimators": 50},
        ModelType.NEURAL_NET: {"max_epochs": 30, "ensemble_size": 2},
    }[model_type]
    given = validate_hyperparameters((model_type,), small)[model_type]
    learner = training.learner_for(dataset, model_type, given, seed=0, threads=1)
    model = training.fit(learner, dataset, dataset.training, lambda *_: None)
    # The hundred most frequent of 1,500 levels alone reach about 0.55.
    assert training.measure(model, dataset, dataset.holdout)["roc_auc"] > 0.7
