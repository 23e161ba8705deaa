import numpy as np
import pyarrow as pa
import pytest
from trainyard_schema import DataSpec, Reason
from trainyard_trainer.errors import TrainerError
from trainyard_trainer.target import (
    Target,
    Task,
    check_columns,
    take_rows_with_target,
    understand_target,
)


def _understand(values: list[object]) -> Target:
    table, _ = take_rows_with_target(pa.table({"y": values}), "y")
    return understand_target(table, "y")


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["No", "Yes"] * 10, Task.BINARY, ["No", "Yes"]),
        ([1, 0] * 10, Task.BINARY, [0, 1]),
        ([1.0, 0.0] * 10, Task.BINARY, [0, 1]),
        ([True, False] * 10, Task.BINARY, [False, True]),
        (["b", "a", "c"] * 10, Task.MULTICLASS, ["a", "b", "c"]),
        ([10, 9, 11] * 10, Task.MULTICLASS, [9, 10, 11]),
        ([*range(40)], Task.REGRESSION, []),
        ([x / 7 for x in range(40)], Task.REGRESSION, []),
        ([0.5, 1.5, 2.5] * 10, Task.REGRESSION, []),
        ([0.0, -6e29] * 10, Task.BINARY, [-6e29, 0.0]),
        ([0.0, -0.0, 1.0] * 10, Task.BINARY, [0, 1]),
    ],
)
def test_task(values: list[object], task: Task, classes: list[object]) -> None:
    target = _understand(values)
    assert (target.task, target.classes) == (task, classes)


def test_codes_follow_the_classes() -> None:
    target = _understand(["Yes", "No", "Yes"] * 10)
    np.testing.assert_array_equal(target.values[:3], [1, 0, 1])


def test_rows_without_target_are_left_out_with_a_warning() -> None:
    table, warnings = take_rows_with_target(pa.table({"y": ["a", "", "b", None]}), "y")
    assert table["y"].to_pylist() == ["a", "b"]
    assert warnings == ["2 of 4 rows have no 'y' and were left out"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a"] * 30, "same value 'a' in every row"),
        ([float("inf"), *np.arange(30.0)], "infinite"),
        ([f"id-{i}" for i in range(300)], "text with 300 different values"),
    ],
)
def test_bad_targets(values: list[object], message: str) -> None:
    with pytest.raises(TrainerError, match=message) as caught:
        _understand(values)
    assert caught.value.reason == Reason.INVALID_DATA


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a", "b"] * 5, "10 rows with a target are too few"),
        ([], "0 rows with a target are too few"),
        ([*["a"] * 29, "b"], "class 'b' has 1 row"),
    ],
)
def test_too_little_data(values: list[object], message: str) -> None:
    with pytest.raises(TrainerError, match=message) as caught:
        _understand(values)
    assert caught.value.reason == Reason.INSUFFICIENT_DATA


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"target": "churn"}, "spec.data.target: the table has no column 'churn' .*'Churn'"),
        ({"target": "Churn", "exclude": ["ID"]}, "spec.data.exclude: .*'ID' .*'id'"),
    ],
)
def test_missing_columns_name_the_nearest(spec: dict[str, object], message: str) -> None:
    with pytest.raises(TrainerError, match=message):
        check_columns(["id", "Churn", "age"], DataSpec(uri="s3://bucket/key", **spec))
