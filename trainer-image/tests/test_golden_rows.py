from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from trainyard_trainer import golden_rows, scoring
from trainyard_trainer.target import Task

MODEL_TYPES = ["xgboost", "random-forest", "neural-net"]


def _holdout(path: Path, rows: int) -> pa.Table:
    # Names that the file itself uses, missing values, and many row groups.
    table = pa.table(
        {
            "row": list(range(rows)),
            "prediction": [None if n % 3 else f"text {n}" for n in range(rows)],
            "when": pa.array([n * 10**6 for n in range(rows)], pa.timestamp("us")),
            "kind": pa.array([f"k{n % 5}" for n in range(rows)]).dictionary_encode(),
        }
    )
    pq.write_table(table, path, row_group_size=64)
    return table


@pytest.mark.parametrize("rows", [1, 100, 101, 1000])
@pytest.mark.parametrize("classes", [0, 3])
def test_rows_from_all_over_the_holdout_with_their_predictions(
    tmp_path: Path, rows: int, classes: int
) -> None:
    table = _holdout(tmp_path / "holdout.parquet", rows)
    random = np.random.default_rng(0)
    prediction = random.random((rows, classes)) if classes else random.random(rows)
    golden_rows.write(tmp_path / "golden.parquet", tmp_path / "holdout.parquet", prediction)
    found, expected = golden_rows.read(tmp_path / "golden.parquet")
    numbers = found["row"].to_pylist()
    assert len(numbers) == min(rows, 100)
    assert (numbers[0], numbers[-1]) == (0, rows - 1)
    taken = table.take(pa.array(numbers))
    assert found.to_pylist() == taken.to_pylist()
    np.testing.assert_array_equal(
        expected.reshape(len(numbers), -1).squeeze(), prediction[numbers].squeeze()
    )


def test_predictions_of_other_rows_are_refused(tmp_path: Path) -> None:
    _holdout(tmp_path / "holdout.parquet", 10)
    with pytest.raises(ValueError, match="has not the 11 rows"):
        golden_rows.write(tmp_path / "golden", tmp_path / "holdout.parquet", np.zeros(11))


@pytest.mark.parametrize(
    ("task", "moved", "fails"),
    [
        (Task.BINARY, 5e-6, False),
        (Task.BINARY, 2e-5, True),
        (Task.BINARY, np.nan, True),
        (Task.MULTICLASS, 2e-5, True),
        (Task.REGRESSION, 5e-6, False),
        (Task.REGRESSION, 2e-3, True),
    ],
)
def test_what_is_tolerated(task: Task, moved: float, fails: bool) -> None:
    expected = np.random.default_rng(0).normal(size=(100, 1 if task == Task.REGRESSION else 2))
    found = expected.copy()
    found[17, 0] += moved
    assert (golden_rows.difference(task, expected, found) > 1) is fails


def test_values_that_are_large_for_their_spread_may_be_rounded() -> None:
    values = 1e6 + np.random.default_rng(0).normal(size=100)
    assert golden_rows.difference(Task.REGRESSION, values, values.astype(np.float32)) < 1
    assert golden_rows.difference(Task.REGRESSION, values, values + 100) > 1


def test_a_prediction_of_another_shape_is_another() -> None:
    assert golden_rows.difference(Task.BINARY, np.zeros((5, 2)), np.zeros((5, 3))) == np.inf


@pytest.mark.parametrize("model_type", [*MODEL_TYPES, "prices"])
@pytest.mark.parametrize("threads", [1, 2])
def test_batches_and_threads_stay_far_within_the_tolerance(
    filed: Any, model_type: str, threads: int
) -> None:
    folder = filed.folders[model_type]
    scorer = scoring.load(folder, threads=threads)
    rows, expected = golden_rows.read(folder / "golden-rows.parquet")
    for size in (1, 7, 100):
        parts = [scorer.predict(rows.slice(start, size)) for start in range(0, len(rows), size)]
        far = golden_rows.difference(scorer.schema.task, expected, np.concatenate(parts))
        assert far < 0.05


@pytest.mark.parametrize("model_type", [*MODEL_TYPES, "prices"])
def test_a_column_taken_for_another_shows(filed: Any, model_type: str) -> None:
    folder = filed.folders[model_type]
    scorer = scoring.load(folder)
    rows, expected = golden_rows.read(folder / "golden-rows.parquet")
    frame: pd.DataFrame = rows.to_pandas()
    frame["a"], frame["b"] = frame["b"], frame["a"]
    assert golden_rows.difference(scorer.schema.task, expected, scorer.predict(frame)) > 10
