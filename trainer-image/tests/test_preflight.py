"""Each finding about a table, from the table alone."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from trainyard_schema import DataSpec, Reason
from trainyard_trainer import training
from trainyard_trainer.errors import TrainerError
from trainyard_trainer.preflight import row_hashes

MakeFrame = Callable[..., pd.DataFrame]


def _validate(frame: pd.DataFrame, **spec: Any) -> training.Dataset:
    fields = {"uri": "s3://bucket/key", "target": "y", "exclude": ["id"], **spec}
    return training.validate(
        pa.Table.from_pandas(frame, preserve_index=False), DataSpec.model_validate(fields), seed=3
    )


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_sound_table_has_no_findings(make_frame: MakeFrame, task: str) -> None:
    dataset = _validate(make_frame(task))
    assert dataset.warnings == []
    assert list(dataset.kinds) == ["a", "b", "city", "flag", "amount"]


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_copy_of_the_target_is_left_out_and_told(make_frame: MakeFrame, task: str) -> None:
    frame = make_frame(task)
    frame["outcome"] = frame["y"]
    dataset = _validate(frame)
    assert "outcome" not in dataset.kinds
    (warning,) = dataset.warnings
    assert warning.startswith("column 'outcome' was left out: it is 'y' itself")


def test_a_suspect_column_is_kept_and_told(make_frame: MakeFrame) -> None:
    frame = make_frame("binary")
    days = np.random.default_rng(0).integers(1, 99, size=len(frame))
    frame["days_since_leaving"] = np.where(frame["y"] == "Yes", days, np.nan)
    dataset = _validate(frame)
    assert "days_since_leaving" in dataset.kinds
    assert "'days_since_leaving' alone predicts 'y' almost perfectly" in dataset.warnings[0]


def test_only_copies_of_the_target_are_nothing_to_learn_from() -> None:
    frame = pd.DataFrame({"x": [1, 2] * 50, "y": ["no", "yes"] * 50})
    with pytest.raises(TrainerError, match=r"no column is left .*'x' was left out: it is 'y'"):
        _validate(frame, exclude=[])


@pytest.mark.parametrize(
    "values",
    [
        np.arange(400),
        np.random.default_rng(0).permutation(400) + 10_000,
        np.arange(400.0)[::-1] * 2,
    ],
)
def test_numbers_that_count_the_rows_are_left_out(
    make_frame: MakeFrame, values: np.ndarray
) -> None:
    frame = make_frame("binary")
    frame["number"] = values
    dataset = _validate(frame)
    assert "number" not in dataset.kinds
    assert "'number' was left out: it counts the rows, like an id: 400" in dataset.warnings[0]


@pytest.mark.parametrize(
    "values",
    [
        np.arange(400) // 2,
        np.arange(400) * 0.5,
        np.random.default_rng(0).integers(10**6, size=400),
    ],
)
def test_other_whole_numbers_are_kept(make_frame: MakeFrame, values: np.ndarray) -> None:
    frame = make_frame("binary")
    frame["number"] = values
    assert "number" in _validate(frame).kinds


def test_a_rare_class_is_told_with_its_counts(make_frame: MakeFrame) -> None:
    frame = make_frame("binary", rows=1000)
    frame["y"] = ["bad"] * 30 + ["good"] * 970
    (warning,) = _validate(frame).warnings
    assert warning.startswith("class 'bad' of 'y' is rare: 30 of 1000 rows, 6 of 200 in the")


def test_balanced_classes_in_a_small_holdout_are_told(make_frame: MakeFrame) -> None:
    (warning,) = _validate(make_frame("binary", rows=60)).warnings
    assert "too few for more than rough metrics" in warning


def test_rows_in_both_parts_are_told_with_their_share(make_frame: MakeFrame) -> None:
    frame = make_frame("binary")
    frame = pd.concat([frame, frame[:100]])
    dataset = _validate(frame)
    pairs = frame.drop(columns="id").reset_index(drop=True)
    training_rows = pairs.iloc[dataset.training]
    seen = len(pairs.iloc[dataset.holdout].merge(training_rows.drop_duplicates()))
    (warning,) = dataset.warnings
    assert warning.startswith("100 of 500 rows repeat another row")
    assert f"{seen} of {len(dataset.holdout)} holdout rows" in warning


def test_equal_rows_have_equal_hashes_and_others_do_not() -> None:
    random = np.random.default_rng(0)
    table = pa.table(
        {
            "n": random.integers(3, size=2000),
            "t": pa.array([["a", "b", None][n] for n in random.integers(3, size=2000)]),
            "f": pa.array(random.choice([0.5, np.nan], size=2000), from_pandas=True),
        }
    )
    target = random.integers(2, size=2000)
    hashes = row_hashes(table, target)
    rows = [*zip(*(column.to_pylist() for column in table.columns), target, strict=True)]
    assert len({*zip(rows, hashes, strict=True)}) == len(set(rows)) == len(set(hashes))


def test_too_few_rows_are_insufficient_data(make_frame: MakeFrame) -> None:
    with pytest.raises(TrainerError, match="15 rows with a target") as caught:
        _validate(make_frame("binary", rows=15))
    assert caught.value.reason == Reason.INSUFFICIENT_DATA
