import datetime

import numpy as np
import pyarrow as pa
import pytest
from trainyard_trainer.columns import ColumnKind, convert, numbers, time_parts, understand
from trainyard_trainer.errors import TrainerError


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, None], ColumnKind.NUMBER),
        ([1.5, float("nan")], ColumnKind.NUMBER),
        (["1.5", " ", "2e3", "NA"], ColumnKind.NUMBER),
        ([True, False, None], ColumnKind.BOOLEAN),
        (["true", "False", ""], ColumnKind.BOOLEAN),
        (["Yes", "No"], ColumnKind.CATEGORY),
        (["1.5", "many"], ColumnKind.CATEGORY),
        (["2024-01-01", "2024-02-03"], ColumnKind.TIME),
        (["2024-01-01 10:00:00", None], ColumnKind.TIME),
        ([datetime.date(2024, 1, 1)], ColumnKind.TIME),
        ([None, None], ColumnKind.EMPTY),
        ([" ", "NA"], ColumnKind.EMPTY),
    ],
)
def test_kinds(values: list[object], kind: ColumnKind) -> None:
    assert understand("x", pa.chunked_array([values]))[0] == kind


def test_dictionary_text_is_a_category() -> None:
    column = pa.chunked_array([pa.array(["a", "b", "a"]).dictionary_encode()])
    assert understand("x", column)[0] == ColumnKind.CATEGORY


def test_nested_values_are_refused_by_name() -> None:
    with pytest.raises(TrainerError, match=r"'tags' holds values of type list.*spec.data.exclude"):
        understand("tags", pa.chunked_array([[[1], [2]]]))


def test_numbers_with_blanks() -> None:
    _, column = understand("x", pa.chunked_array([["1.5", " ", "inf"]]))
    np.testing.assert_array_equal(numbers(column), [1.5, np.nan, np.nan])


def test_time_parts() -> None:
    _, column = understand("x", pa.chunked_array([["2024-03-01 06:00:00", None]]))
    parts = time_parts(column)
    assert [parts[name][0] for name in ("month", "weekday", "hour")] == [3, 4, 6]
    assert parts["days"][0] == 19783.25
    assert all(np.isnan(values[1]) for values in parts.values())


def test_scoring_converts_or_names_the_value() -> None:
    numeric = convert("x", pa.chunked_array([["3", ""]]), ColumnKind.NUMBER)
    assert numeric.to_pylist() == [3.0, None]
    codes = convert("x", pa.chunked_array([[1.0, 2.0]]), ColumnKind.CATEGORY)
    assert codes.to_pylist() == ["1", "2"]
    with pytest.raises(TrainerError, match=r"column 'age' must be of kind number.*'old'"):
        convert("age", pa.chunked_array([["3", "old"]]), ColumnKind.NUMBER)


@pytest.mark.parametrize("text", ["0228-11-15", "7597-06-23"])
def test_times_far_away_have_parts(text: str) -> None:
    _, column = understand("t", pa.chunked_array([[text]]))
    assert np.isfinite([part[0] for part in time_parts(column).values()]).all()


def test_integers_beyond_floats_are_the_nearest_float() -> None:
    column = pa.chunked_array([[2**60 + 1, 2**53 + 1]])
    assert convert("n", column, ColumnKind.NUMBER).to_pylist() == [2.0**60, 2.0**53]
    assert numbers(column).tolist() == [2.0**60, 2.0**53]


@pytest.mark.parametrize("kind", [kind for kind in ColumnKind if kind != ColumnKind.EMPTY])
@pytest.mark.parametrize("empty", [pa.null(), pa.float64(), pa.string(), pa.bool_()])
def test_a_column_without_values_can_be_of_any_kind(kind: ColumnKind, empty: pa.DataType) -> None:
    found = convert("a", pa.chunked_array([pa.nulls(3, empty)]), kind)
    assert found.to_pylist() == [None] * 3
