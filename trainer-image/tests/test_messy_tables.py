"""Any table is either refused with a reason, or trained on and scored to finite predictions."""

import functools
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trainyard_schema import DataSpec, ModelType, Reason, validate_hyperparameters
from trainyard_trainer import training
from trainyard_trainer.errors import TrainerError

SMALL: dict[ModelType, dict[str, Any]] = {
    ModelType.XGBOOST: {"n_estimators": 5},
    ModelType.RANDOM_FOREST: {"n_estimators": 3},
    ModelType.NEURAL_NET: {"max_epochs": 2, "ensemble_size": 2, "hidden_layer_sizes": [4]},
}
REFUSALS = {Reason.INVALID_DATA, Reason.INSUFFICIENT_DATA}
WORDS = st.sampled_from(["", " ", "NA", "a", "b", "Ä", "1", "1.5", "1e400", "true", "2024-01-01"])
CELLS = [
    st.floats(width=32) | st.none(),
    st.floats(allow_nan=False, min_value=-1e30, max_value=1e30),
    st.integers(-3, 3),
    st.integers(-(2**53), 2**53) | st.none(),
    st.booleans() | st.none(),
    WORDS | st.none(),
    st.text(max_size=3) | st.none(),
    st.dates().map(str) | st.none(),
    st.none(),
]


@functools.cache
def _column(kind: int, rows: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(CELLS[kind], min_size=rows, max_size=rows)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """15 to 80 rows: a few drawn values, repeated and shuffled, since long lists draw slowly."""
    rows = draw(st.integers(15, 80))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    columns = {}
    for name in ("y", "p", "q", "r")[: draw(st.integers(1, 4))]:
        values = draw(_column(draw(st.integers(0, len(CELLS) - 1)), draw(st.integers(1, 8))))
        columns[name] = [values[n] for n in random.integers(len(values), size=rows)]
    if draw(st.booleans()):
        columns["x"] = random.normal(size=rows).tolist()
    return pa.table(columns)


@settings(
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(table=tables(), model_type=st.sampled_from(list(ModelType)))
def test_refused_with_a_reason_or_scored(table: pa.Table, model_type: ModelType) -> None:
    try:
        dataset = training.validate(table, DataSpec(uri="s3://bucket/key", target="y"), 0)
    except TrainerError as error:
        refusal: TrainerError | None = error
    else:
        refusal = None
    if refusal is not None:
        assert refusal.reason in REFUSALS
        assert refusal.message
        return
    assert not set(dataset.training) & set(dataset.holdout)
    assert all("\n" not in warning for warning in dataset.warnings)
    hyperparameters = validate_hyperparameters((model_type,), SMALL[model_type])[model_type]
    learner = training.learner_for(dataset, model_type, hyperparameters, seed=0, threads=1)
    model = training.fit(learner, dataset, dataset.training, lambda *_: None)
    prediction = model.predict(table)
    assert np.isfinite(prediction).all()
    if dataset.target.classes:
        assert prediction.shape == (len(table), len(dataset.target.classes))
        np.testing.assert_allclose(prediction.sum(axis=1), 1, atol=1e-5)
    held_out = training.predict_rows(model, dataset, dataset.holdout)
    evaluation = training.appraise(model, dataset, held_out, seed=0)
    assert all(np.isfinite(value) for value in evaluation.metrics.values())
    for name, (low, high) in evaluation.intervals.items():
        assert low <= high, name
