"""Each model type through training, saving and loading, without a store."""

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from trainyard_schema import DataSpec, ModelType, validate_hyperparameters
from trainyard_trainer import training
from trainyard_trainer.errors import TrainerError
from trainyard_trainer.memory import resident
from trainyard_trainer.preprocessing import matrix_width, rows_of

SPEC = DataSpec(uri="s3://bucket/key", target="y", exclude=["id"])
SMALL: dict[ModelType, dict[str, Any]] = {
    ModelType.XGBOOST: {"n_estimators": 25},
    ModelType.RANDOM_FOREST: {"n_estimators": 13},
    ModelType.NEURAL_NET: {"max_epochs": 4, "ensemble_size": 2, "hidden_layer_sizes": [8]},
}


def _train(
    frame: pd.DataFrame, model_type: ModelType, *, threads: int = 1, seed: int = 3
) -> tuple[training.TrainedModel, training.Dataset, training.History]:
    dataset = training.validate(pa.Table.from_pandas(frame, preserve_index=False), SPEC, seed)
    given = validate_hyperparameters((model_type,), SMALL[model_type])[model_type]
    learner = training.learner_for(dataset, model_type, given, seed=seed, threads=threads)
    history = training.History(lambda done, total: None, 1, given.planned_units)
    model = training.fit(learner, dataset, dataset.training, history.reporter("final"))
    history.finish_fit()
    return model, dataset, history


@pytest.mark.parametrize("model_type", ModelType)
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_learns_and_loads_to_the_same_bits(
    model_type: ModelType,
    task: str,
    make_frame: Callable[..., pd.DataFrame],
    tmp_path: Path,
) -> None:
    from trainyard_trainer.models import implementation

    model, dataset, history = _train(make_frame(task, rows=1000), model_type)
    prediction = model.predict(dataset.features)
    path = tmp_path / "model.ubj"
    model.fitted.save(path)
    again = implementation(model_type).load(path, model.shape, threads=1)
    matrix = model.preprocessor.transform(dataset.features)
    loaded = dataclasses.replace(model, fitted=again)
    np.testing.assert_array_equal(loaded.predict(dataset.features), prediction)
    assert again.units == model.fitted.units > 0
    metrics = training.measure(model, dataset, dataset.holdout)
    if model_type != ModelType.NEURAL_NET:
        floor = {"binary": 0.85, "multiclass": 0.6, "regression": 0.2}[task]
        name = {"binary": "roc_auc", "multiclass": "accuracy", "regression": "r2"}[task]
        assert metrics[name] > floor
    if task != "regression":
        assert prediction.shape == (1000, len(dataset.target.classes))
        np.testing.assert_allclose(prediction.sum(axis=1), 1, atol=1e-6)
    importance = model.fitted.importance(matrix)
    assert importance.shape == (matrix.shape[1],)
    assert (importance >= 0).all()
    assert importance.sum() > 0
    assert [record["done"] for record in history.records][-1] > 0


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("model_type", ModelType)
def test_the_same_seed_gives_the_same_model(
    model_type: ModelType, threads: int, make_frame: Callable[..., pd.DataFrame]
) -> None:
    frame = make_frame("binary")
    first, again, other = (
        model.predict(dataset.features)
        for model, dataset, _ in (
            _train(frame, model_type, threads=threads, seed=seed) for seed in (3, 3, 4)
        )
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_chunks_of_trees_are_the_forest_grown_at_once(
    make_frame: Callable[..., pd.DataFrame],
) -> None:
    from sklearn.ensemble import RandomForestClassifier

    model, dataset, _ = _train(make_frame("binary"), ModelType.RANDOM_FOREST)
    rows = rows_of(dataset.features, dataset.training, list(dataset.kinds))
    plain = RandomForestClassifier(
        n_estimators=13, min_samples_leaf=1, random_state=3, max_features="sqrt"
    ).fit(model.preprocessor.transform(rows), dataset.target.values[dataset.training])
    matrix = model.preprocessor.transform(dataset.features)
    np.testing.assert_array_equal(plain.predict_proba(matrix), model.fitted.predict(matrix))


def test_the_forest_knows_what_its_trees_say_of_rows_they_did_not_draw(
    make_frame: Callable[..., pd.DataFrame], tmp_path: Path
) -> None:
    model, dataset, _ = _train(make_frame("binary"), ModelType.RANDOM_FOREST)
    out_of_bag = model.fitted.out_of_bag
    assert out_of_bag is not None
    assert out_of_bag.shape == (len(dataset.training), 2)
    truth = dataset.target.values[dataset.training]
    known = ~np.isnan(out_of_bag[:, 0])
    rows = rows_of(dataset.features, dataset.training, list(dataset.kinds))
    seen = model.fitted.predict(model.preprocessor.transform(rows))

    def accuracy(probability: np.ndarray) -> float:
        return float((probability[known].argmax(axis=1) == truth[known]).mean())

    # Trees know the rows that they drew by heart.
    assert 0.7 < accuracy(out_of_bag) < accuracy(seen)
    # The file holds the trees alone.
    from trainyard_trainer.models import implementation

    model.fitted.save(tmp_path / "model.skops")
    again = implementation(ModelType.RANDOM_FOREST).load(
        tmp_path / "model.skops", model.shape, threads=1
    )
    assert again.out_of_bag is None


@pytest.mark.parametrize("model_type", ModelType)
def test_the_width_of_the_matrix_is_known_before_it_is_made(
    model_type: ModelType, make_frame: Callable[..., pd.DataFrame]
) -> None:
    model, dataset, _ = _train(make_frame("binary"), model_type)
    width = matrix_width(dataset.features, dataset.kinds, model_type)
    # Two for each of the two columns of text: rare and missing values, should there be any.
    assert 0 <= width - len(model.shape.columns) <= 4


@pytest.mark.parametrize("model_type", ModelType)
def test_a_limit_that_cannot_do_is_refused_before_training(
    model_type: ModelType, make_frame: Callable[..., pd.DataFrame]
) -> None:
    table = pa.Table.from_pandas(make_frame("binary"), preserve_index=False)
    dataset = training.validate(table, SPEC, seed=3)
    given = validate_hyperparameters((model_type,), {})[model_type]
    learner = training.learner_for(dataset, model_type, given, seed=3, threads=1)
    assert training.check_memory(learner, dataset, None) == []
    with pytest.raises(TrainerError, match=r"training on 320 rows .* spec\.resources\.limits\.mem"):
        training.check_memory(learner, dataset, resident() // 2)


def test_a_large_forest_keeps_rows_apart_instead() -> None:
    from trainyard_trainer.models import implementation

    forest = implementation(ModelType.RANDOM_FOREST)
    given = validate_hyperparameters((ModelType.RANDOM_FOREST,), {})[ModelType.RANDOM_FOREST]
    assert forest.validation_share(given, 20_000) == 0
    assert forest.validation_share(given, 20_001) == 0.1


@pytest.mark.parametrize(
    ("model_type", "name", "expected"),
    [
        (ModelType.XGBOOST, "min_child_weight", {100: 1.0, 2500: 2.5, 1_000_000: 5.0}),
        (ModelType.NEURAL_NET, "batch_size", {100: 32, 2500: 64, 1_000_000: 128}),
    ],
)
def test_other_defaults_follow_the_rows_unless_given(
    model_type: ModelType, name: str, expected: dict[int, float]
) -> None:
    from trainyard_trainer.models import implementation

    module = implementation(model_type)
    default = validate_hyperparameters((model_type,), {})[model_type]
    found = {rows: getattr(module.complete(default, rows), name) for rows in expected}
    assert found == expected
    given = validate_hyperparameters((model_type,), {name: 7})[model_type]
    assert getattr(module.complete(given, 100), name) == 7


def test_a_damaged_tree_is_refused(make_frame: Callable[..., pd.DataFrame], tmp_path: Path) -> None:
    from trainyard_trainer.models import implementation

    model, _, _ = _train(make_frame("binary"), ModelType.RANDOM_FOREST)
    tree = model.fitted._model.estimators_[0].tree_  # type: ignore[attr-defined]
    tree.feature[0] = 10_000
    model.fitted.save(tmp_path / "model.skops")
    with pytest.raises(ValueError, match="damaged tree"):
        implementation(ModelType.RANDOM_FOREST).load(
            tmp_path / "model.skops", model.shape, threads=1
        )


def test_the_validation_part_is_never_the_holdout(
    make_frame: Callable[..., pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[np.ndarray] = []

    def recorded(table: pa.Table, rows: np.ndarray, names: Any) -> pa.Table:
        seen.append(rows)
        return rows_of(table, rows, names)

    monkeypatch.setattr(training, "rows_of", recorded)
    _, dataset, _ = _train(make_frame("binary"), ModelType.XGBOOST)
    assert len(seen) == 3
    for rows in seen:
        assert not set(rows) & set(dataset.holdout)


_IMPORTS = """
import sys
from trainyard_schema import ModelType
from trainyard_trainer import run, training, models, publication, version_files, model_card
models.implementation(ModelType(sys.argv[1]))
print(*sorted(m for m in ("torch", "xgboost", "sklearn.ensemble", "skops") if m in sys.modules))
"""


@pytest.mark.parametrize(
    ("model_type", "loaded"),
    [
        ("xgboost", "xgboost"),
        ("random-forest", "sklearn.ensemble skops"),
        ("neural-net", "torch"),
    ],
)
def test_only_its_own_library_is_imported(model_type: str, loaded: str) -> None:
    # Where pandas is installed, as in this stage, xgboost's optional imports could bring more; they
    # must not.
    output = subprocess.run(
        [sys.executable, "-c", _IMPORTS, model_type], capture_output=True, text=True, check=True
    ).stdout
    assert output.strip() == loaded
