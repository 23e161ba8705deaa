import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trainyard_schema.spec import SliceFloor
from trainyard_trainer.gate.comparison import Scores
from trainyard_trainer.gate.slices import below, floor_failure, measure, slice_reasons
from trainyard_trainer.metrics import evaluate
from trainyard_trainer.target import Task


def _rows(rows: int, seed: int = 0) -> tuple[np.ndarray, Scores]:
    random = np.random.default_rng(seed)
    truth = random.integers(2, size=rows)
    score = np.clip(0.6 * truth + 0.2 + 0.3 * random.normal(size=rows), 0.01, 0.99)
    return truth, Scores(np.column_stack([1 - score, score]))


@pytest.mark.parametrize(
    ("name", "value", "floor", "fails"),
    [
        ("roc_auc", 0.79, 0.8, True),
        ("roc_auc", 0.8, 0.8, False),
        ("log_loss", 0.81, 0.8, True),
        ("log_loss", 0.8, 0.8, False),
        ("rmse", 3.0, 0.8, True),
    ],
)
def test_a_floor_is_the_least_of_scores_and_the_greatest_of_errors(
    name: str, value: float, floor: float, fails: bool
) -> None:
    assert below(name, value, floor) is fails
    text = floor_failure(name, value, floor)
    assert (text is not None) is fails
    assert text is None or f"the floor of {floor:g}" in text
    assert floor_failure(name, value, None) is None


@settings(max_examples=30)
@given(
    st.lists(st.sampled_from(["a", "b", "c", None]), min_size=20, max_size=120),
    st.integers(10, 40),
)
def test_slices_are_the_rows_of_each_frequent_value(values: list[str | None], least: int) -> None:
    truth, scores = _rows(len(values))
    asked = SliceFloor(column="city", floor=0.5, min_rows=least)
    chunked = pa.chunked_array([values[:7], values[7:]], pa.string())
    found = measure("accuracy", Task.BINARY, truth, scores, chunked, asked=asked)
    expected = {
        "(missing)" if value is None else value: [i for i, v in enumerate(values) if v == value]
        for value in set(values)
        if values.count(value) >= least
    }
    assert {item.value: item.rows for item in found} == {
        value: len(rows) for value, rows in expected.items()
    }
    for item in found:
        rows = expected[item.value]
        accuracy = evaluate(Task.BINARY, truth[rows], scores.prediction[rows])["accuracy"]
        assert item.metric == pytest.approx(accuracy)
        assert item.metric is not None
        assert item.passed is (item.metric >= 0.5)
    assert [item.rows for item in found] == sorted((item.rows for item in found), reverse=True)


def test_numbers_and_booleans_have_slices_too() -> None:
    truth, scores = _rows(40)
    asked = SliceFloor(column="x", floor=0, min_rows=10)
    for column in (pa.chunked_array([[1, 2] * 20]), pa.chunked_array([[True, False] * 20])):
        found = measure("accuracy", Task.BINARY, truth, scores, column, asked=asked)
        assert [item.rows for item in found] == [20, 20]


def test_the_worst_values_are_named_and_the_others_counted() -> None:
    truth, scores = _rows(400)
    # Of group 0 nothing is right, of group 1 less, and so on.
    groups = np.arange(400) % 8
    flipped = np.random.default_rng(0).random(400) < 1 - groups / 7
    probability = np.where(flipped[:, None], scores.prediction[:, ::-1], scores.prediction)
    asked = SliceFloor(column="group", floor=0.7, min_rows=10)
    column = pa.chunked_array([groups.astype(str)])
    found = measure("accuracy", Task.BINARY, truth, Scores(probability), column, asked=asked)
    (failure,), notes = slice_reasons("accuracy", asked, found)
    count = sum(not item.passed for item in found)
    assert count > 3
    assert failure.startswith(f"accuracy is below 0.7 for {count} of 8 values of 'group': 0 ")
    assert failure.endswith(f"(50 rows) and {count - 3} more")
    assert notes == []


def test_a_slice_of_one_class_is_left_out_with_a_word() -> None:
    truth, scores = _rows(100)
    values = pa.chunked_array([np.where(truth == 1, "yes", "no")])
    asked = SliceFloor(column="y", floor=0.5, min_rows=10)
    found = measure("roc_auc", Task.BINARY, truth, scores, values, asked=asked)
    failures, (note,) = slice_reasons("roc_auc", asked, found)
    assert failures == []
    assert "no meaning for 2 of 2 values of 'y'" in note


def test_no_frequent_value_is_told() -> None:
    truth, scores = _rows(50)
    asked = SliceFloor(column="id", floor=0.5)
    column = pa.chunked_array([np.arange(50)])
    found = measure("accuracy", Task.BINARY, truth, scores, column, asked=asked)
    failures, (note,) = slice_reasons("accuracy", asked, found)
    assert (found, failures) == ([], [])
    assert note == "no value of 'id' has 100 holdout rows; none was looked at"
