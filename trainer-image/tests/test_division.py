import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from trainyard_schema import DataSpec, Reason
from trainyard_schema.artifacts import DataSource
from trainyard_trainer import holdout, training
from trainyard_trainer.division import Division, Frozen, divide
from trainyard_trainer.errors import TrainerError
from trainyard_trainer.target import Task

SPEC = DataSpec(uri="s3://bucket/key", target="y")
NAME = "the holdout of the champion"


def _table(rows: int, **columns: list[object]) -> pa.Table:
    return pa.table(
        {"a": list(range(rows)), "y": [("no", "yes")[row % 2] for row in range(rows)], **columns}
    )


def _divide(table: pa.Table, frozen: pa.Table, *, required: bool = False) -> Division:
    return divide(table, SPEC, 1, Frozen(frozen, NAME, required))


def test_rows_of_the_holdout_are_not_learned_from() -> None:
    division = _divide(_table(100), _table(30))
    assert division.frozen
    assert division.table["a"].to_pylist() == [*range(30, 100), *range(30)]
    assert (len(division.training), len(division.holdout)) == (70, 30)
    assert division.target.values[division.holdout].tolist() == [0, 1] * 15
    assert division.warnings == [f"30 of 100 rows are in {NAME} too and were not learned from"]


def test_the_same_values_with_another_target_are_another_row() -> None:
    other = _table(30, y=["yes", "no"] * 15)
    division = _divide(_table(100), other)
    assert (len(division.training), division.warnings) == (100, [])


@pytest.mark.parametrize(
    ("given", "frozen"),
    [
        (pa.array(range(100)), pa.array([float(n) for n in range(30)])),
        (pa.array([str(n) for n in range(100)]), pa.array(range(30))),
        (pa.array([f" {n}" for n in range(100)]), pa.array([f"{n}  " for n in range(30)])),
        (pa.array(range(100), pa.uint8()), pa.array(range(30), pa.int64())),
        (pa.array([str(n) for n in range(99)] + ["odd"]), pa.array(range(30))),
        (pa.array(range(100)), pa.array([str(n) for n in range(29)] + ["odd"])),
        (pa.array([0.0] * 100), pa.array([-0.0] * 30)),
        (pa.array([None] * 100), pa.array([float("nan")] * 30)),
        (pa.array([None] * 100, pa.string()), pa.array([""] * 30)),
        (
            pa.array(["2024-01-01"] * 100),
            pa.array([pd.Timestamp(2024, 1, 1)] * 30, pa.timestamp("ns")),
        ),
    ],
)
def test_values_are_compared_and_not_how_they_are_written(
    given: pa.Array, frozen: pa.Array
) -> None:
    division = _divide(_table(100, b=given), _table(30, b=frozen))
    odd = "odd" in frozen.to_pylist()
    assert len(division.training) == 70 + odd
    assert len(division.holdout) == 30


def test_columns_that_the_data_lack_are_not_needed() -> None:
    division = _divide(_table(100), _table(30, old=["x"] * 30))
    assert division.frozen
    assert division.table.column_names == ["y", "a"]


def test_excluded_columns_are_neither_needed_nor_compared() -> None:
    spec = DataSpec(uri="s3://bucket/key", target="y", exclude=["id"])
    table = _table(100, id=list(range(1000, 1100)))
    division = divide(table, spec, 1, Frozen(_table(30), NAME, False))
    assert (division.frozen, len(division.training)) == (True, 70)


@pytest.mark.parametrize(
    ("table", "frozen", "problem"),
    [
        (_table(100, b=[1] * 100, c=[1] * 100), _table(30), "lacks column 'b' and 1 more"),
        (_table(100), _table(30).drop_columns(["y"]), "lacks column 'y'"),
        (_table(100), _table(30, y=[None] * 30), "has no row with a target 'y'"),
        (
            _table(100),
            _table(30, y=["no", "maybe"] * 15),
            "has class 'maybe' of 'y', which the data lack",
        ),
        (_table(100), _table(30, y=["no"] * 30), "has no row of class 'yes' of 'y'"),
    ],
)
def test_a_version_s_holdout_that_cannot_serve_is_replaced(
    table: pa.Table, frozen: pa.Table, problem: str
) -> None:
    division = _divide(table, frozen)
    assert not division.frozen
    assert len(division.holdout) == 20
    assert division.warnings == [f"{NAME} {problem}, so a new holdout was drawn"]


@pytest.mark.parametrize(
    ("frozen", "problem"),
    [
        (_table(30).drop_columns(["a"]), "lacks column 'a'"),
        (_table(30, y=["no"] * 30), "has rows of one class of 'y' only"),
    ],
)
def test_a_person_s_holdout_that_cannot_serve_is_refused(frozen: pa.Table, problem: str) -> None:
    with pytest.raises(TrainerError, match=problem) as caught:
        _divide(_table(100), frozen, required=True)
    assert caught.value.reason == Reason.SCHEMA_MISMATCH


def test_other_kinds_of_values_are_all_named() -> None:
    table = _table(100, when=["2024-01-01"] * 100, flag=[True] * 100, name=["x"] * 100)
    frozen = _table(30, when=[3.5] * 30, flag=[7] * 30, name=[1] * 30)
    with pytest.raises(TrainerError) as caught:
        _divide(table, frozen)
    assert caught.value.reason == Reason.SCHEMA_MISMATCH
    assert caught.value.message == (
        f"the data and {NAME} differ: column 'when' is time in the data but number there; "
        "column 'flag' is boolean in the data but number there; give the columns the same kind of "
        "values, or exclude them"
    )


def test_another_kind_of_target_is_named() -> None:
    table = _table(100, y=[n % 3 for n in range(100)])
    with pytest.raises(TrainerError, match="column 'y' is number in the data but time") as caught:
        _divide(table, _table(30, y=[pd.Timestamp(2024, 1, 1)] * 30))
    assert caught.value.reason == Reason.SCHEMA_MISMATCH


def test_the_task_follows_from_all_rows() -> None:
    table = _table(100, y=[n % 18 for n in range(100)])
    division = _divide(table, _table(30, y=[n + 0.5 for n in range(30)]))
    assert (division.target.task, division.frozen) == (Task.REGRESSION, True)


@pytest.mark.parametrize(
    ("frozen", "message"),
    [
        (_table(90), f"10 of 100 rows are not in {NAME} and can be learned from: at least 20"),
        (
            pa.concat_tables(
                [_table(100).slice(1).filter(pa.compute.field("y") == "yes"), _table(2)]
            ),
            "class 'yes' has 0 of them",
        ),
    ],
)
def test_too_few_rows_beside_the_holdout(frozen: pa.Table, message: str) -> None:
    with pytest.raises(TrainerError, match=message) as caught:
        _divide(_table(100), frozen)
    assert caught.value.reason == Reason.INSUFFICIENT_DATA


def test_a_million_rows_are_compared_in_seconds() -> None:
    random = np.random.default_rng(0)
    rows = 1_000_000
    columns: dict[str, object] = {f"n{i}": random.normal(size=rows) for i in range(24)}
    words = pa.array([f"level-{i}" for i in range(40)])
    columns |= {f"c{i}": words.take(pa.array(random.integers(0, 40, rows))) for i in range(6)}
    table = pa.table(columns | {"y": random.integers(0, 2, rows)})
    frozen = table.take(pa.array(np.sort(random.permutation(rows)[:200_000])))
    since = time.process_time()
    division = _divide(table, frozen)
    assert time.process_time() - since < 20
    assert len(division.training) == 800_000


def _source(path: Path) -> DataSource:
    return DataSource(uri=f"s3://bucket/{path.name}", etag="", sha256="", size_bytes=0)


def test_a_drawn_holdout_is_kept_as_it_was_read(
    make_frame: Callable[..., pd.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holdout, "_ROWS_AT_ONCE", 64)
    frame = make_frame("binary")
    spec = DataSpec(uri="s3://bucket/key", target="y", exclude=["id"])
    division = divide(pa.Table.from_pandas(frame, preserve_index=False), spec, 5)
    holdout.keep(tmp_path / "kept", division, spec.exclude, None)
    expected = frame.iloc[division.holdout].drop(columns=["id"]).reset_index(drop=True)
    found = pyarrow.parquet.read_table(tmp_path / "kept").to_pandas()
    pd.testing.assert_frame_equal(found, expected)


def test_a_version_s_holdout_is_kept_byte_by_byte(tmp_path: Path) -> None:
    path = tmp_path / "frozen"
    pyarrow.parquet.write_table(_table(30, more=["x"] * 30), path)
    body = path.read_bytes()
    source = holdout.HoldoutSource(path, _source(path), NAME, required=False)
    division = divide(_table(100), SPEC, 1, source.read())
    holdout.keep(tmp_path / "kept", division, [], source)
    assert (tmp_path / "kept").read_bytes() == body


def test_the_frozen_rows_are_those_that_are_measured(
    make_frame: Callable[..., pd.DataFrame],
) -> None:
    frame = make_frame("binary")
    spec = DataSpec(uri="s3://bucket/key", target="y", exclude=["id"])
    frozen = pa.Table.from_pandas(frame[300:].drop(columns="id"), preserve_index=False)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    dataset = training.prepare(divide(table, spec, 5, Frozen(frozen, NAME, True)), spec)
    assert dataset.frozen
    assert dataset.features["b"].to_pylist() == frame["b"].to_list()
    assert dataset.holdout.tolist() == list(range(300, 400))
    assert not any("duplicate" in warning or "repeat" in warning for warning in dataset.warnings)
