import json

import numpy as np
import pyarrow as pa
import pytest
from trainyard_schema import ModelType
from trainyard_trainer.columns import ColumnKind
from trainyard_trainer.preprocessing import Preprocessor, rows_of, select_features

KINDS = {"n": ColumnKind.NUMBER, "c": ColumnKind.CATEGORY, "t": ColumnKind.TIME}


def _table(n: list[object], c: list[object]) -> pa.Table:
    return pa.table({"n": n, "c": c, "t": ["2024-01-01"] * len(n)})


def _no_outcome(table: pa.Table) -> np.ndarray:
    return np.empty((len(table), 0))


TRAINING = _table([1.0, 2.0, 3.0, None] * 5, ["x", "x", "y", None] * 5)


@pytest.mark.parametrize("model_type", ModelType)
def test_saved_as_json_it_transforms_the_same(model_type: ModelType) -> None:
    fitted = Preprocessor.fit(TRAINING, KINDS, model_type, _no_outcome(TRAINING))
    again = Preprocessor.from_stored(json.loads(json.dumps(fitted.to_dict())))
    np.testing.assert_array_equal(fitted.transform(TRAINING), again.transform(TRAINING))
    assert fitted.transform(TRAINING).shape[1] == len(fitted.matrix_columns())


@pytest.mark.parametrize("model_type", [ModelType.RANDOM_FOREST, ModelType.NEURAL_NET])
def test_filled_matrices_have_no_missing_values(model_type: ModelType) -> None:
    fitted = Preprocessor.fit(TRAINING, KINDS, model_type, _no_outcome(TRAINING))
    matrix = fitted.transform(_table([None, float("inf"), 5], ["new", None, ""]))
    assert np.isfinite(matrix).all()


def test_xgboost_sees_missing_values_and_codes() -> None:
    fitted = Preprocessor.fit(TRAINING, KINDS, ModelType.XGBOOST, _no_outcome(TRAINING))
    matrix = fitted.transform(_table([None, 2.0, 3.0], ["y", "x", "unseen"]))
    np.testing.assert_array_equal(matrix[:, 0], [np.nan, 2, 3])
    np.testing.assert_array_equal(matrix[:, 1], [1, 0, np.nan])
    assert [column.categorical for column in fitted.matrix_columns()][:2] == [False, True]


def test_one_hot_marks_missing_and_unseen() -> None:
    fitted = Preprocessor.fit(TRAINING, KINDS, ModelType.NEURAL_NET, _no_outcome(TRAINING))
    names = [column.name for column in fitted.matrix_columns()][2:5]
    assert names == ["c=x", "c=y", "c is missing"]
    matrix = fitted.transform(_table([1.0] * 4, ["x", "y", None, "unseen"]))[:, 2:5]
    np.testing.assert_array_equal(matrix, [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]])


def test_rare_categories_are_one() -> None:
    table = pa.table({"c": ["a"] * 10 + ["b"] * 10 + ["r1", "r2"]})
    fitted = Preprocessor.fit(
        table, {"c": ColumnKind.CATEGORY}, ModelType.XGBOOST, _no_outcome(table)
    )
    matrix = fitted.transform(pa.table({"c": ["a", "b", "r1", "new", None]}))
    np.testing.assert_array_equal(matrix[:, 0], [0, 1, 2, 2, np.nan])


def test_thousands_of_categories_stay_few_columns() -> None:
    random = np.random.default_rng(0)
    values = [f"level-{i}" for i in random.zipf(1.5, 5000).clip(max=3000)]
    table = pa.table({"c": values})
    for model_type in ModelType:
        fitted = Preprocessor.fit(table, {"c": ColumnKind.CATEGORY}, model_type, _no_outcome(table))
        assert fitted.transform(table).shape[1] <= 101


def test_the_median_is_of_the_training_rows() -> None:
    fitted = Preprocessor.fit(TRAINING, KINDS, ModelType.RANDOM_FOREST, _no_outcome(TRAINING))
    assert fitted.columns[0].numeric[""].fill == 2.0


def test_useless_columns_are_left_out_with_a_warning() -> None:
    table = pa.table(
        {"id": [f"r{i}" for i in range(300)], "k": [1] * 300, "e": [None] * 300, "ok": range(300)}
    )
    kinds = {
        "id": ColumnKind.CATEGORY,
        "k": ColumnKind.NUMBER,
        "e": ColumnKind.EMPTY,
        "ok": ColumnKind.NUMBER,
    }
    kept, warnings = select_features(table, kinds)
    assert list(kept) == ["ok"]
    assert [warning.split("'")[1] for warning in warnings] == ["id", "k", "e"]


@pytest.mark.parametrize("values", [[1.0, 1.0], [float("nan")] * 2, [True, True]])
def test_constant_columns_are_left_out(values: list[object]) -> None:
    kinds = {"k": ColumnKind.BOOLEAN if values[0] is True else ColumnKind.NUMBER}
    kept, warnings = select_features(pa.table({"k": values}), kinds)
    assert not kept
    assert "same value" in warnings[0]


@pytest.mark.parametrize("values", [[1.0, 2.0], [1.0, None], [1.0, float("nan")], [0, 1]])
def test_columns_that_vary_are_kept(values: list[object]) -> None:
    kept, _ = select_features(pa.table({"k": values}), {"k": ColumnKind.NUMBER})
    assert kept


@pytest.mark.parametrize("model_type", ModelType)
def test_some_rows_give_the_matrix_of_a_table_of_them(model_type: ModelType) -> None:
    rows = np.array([1, 3, 4, 19])
    view = rows_of(TRAINING, rows, list(KINDS))
    table = TRAINING.take(pa.array(rows))
    assert len(view) == 4
    outcome = _no_outcome(table)
    fitted = Preprocessor.fit(view, KINDS, model_type, outcome)
    assert fitted == Preprocessor.fit(table, KINDS, model_type, outcome)
    np.testing.assert_array_equal(fitted.transform(view), fitted.transform(table))
