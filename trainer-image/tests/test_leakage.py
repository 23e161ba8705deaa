"""Columns that give the target away, and honest ones that do not."""

import numpy as np
import pyarrow as pa
import pytest
from trainyard_trainer.columns import understand
from trainyard_trainer.leakage import Leak, leak
from trainyard_trainer.target import Target, Task, understand_target

ROWS = 600
RANDOM = np.random.default_rng(4)
LABELS = RANDOM.choice(["no", "yes"], size=ROWS, p=[0.7, 0.3])
KINDS = RANDOM.choice(["a", "b", "c"], size=ROWS)
PRICES = RANDOM.lognormal(size=ROWS)


def _leak(values: object, target: object) -> Leak | None:
    understood = understand_target(pa.table({"y": target}), "y")
    kind, column = understand("x", pa.table({"x": pa.array(values)})["x"])
    return leak(column, kind, understood, np.arange(ROWS))


@pytest.mark.parametrize(
    ("values", "target"),
    [
        (LABELS, LABELS),
        (np.where(LABELS == "yes", 1, 0), LABELS),
        (LABELS == "no", LABELS),
        (pa.array(["left us" if label == "yes" else None for label in LABELS]), LABELS),
        ([{"a": 30, "b": 10, "c": 20}[kind] for kind in KINDS], KINDS),
        (PRICES, PRICES),
        (PRICES.astype(np.float32), PRICES),
        (-1.8 * PRICES + 32, PRICES),
    ],
)
def test_the_target_under_another_name_is_a_copy(values: object, target: object) -> None:
    found = _leak(values, target)
    assert found is not None
    assert found.is_copy


@pytest.mark.parametrize(
    ("values", "target"),
    [
        (np.where(LABELS == "yes", RANDOM.normal(size=ROWS), np.nan), LABELS),
        (
            pa.array(
                [RANDOM.choice(["price", "moved"]) if label == "yes" else None for label in LABELS]
            ),
            LABELS,
        ),
        ((LABELS == "yes") + 0.2 * RANDOM.normal(size=ROWS).clip(-2, 2), LABELS),
        (np.log(PRICES), PRICES),
    ],
)
def test_what_is_known_only_with_the_target_is_told(values: object, target: object) -> None:
    found = _leak(values, target)
    assert found is not None
    assert not found.is_copy
    assert "spec.data.exclude" in found.text


@pytest.mark.parametrize(
    ("values", "target"),
    [
        (RANDOM.normal(size=ROWS), LABELS),
        ((LABELS == "yes") + RANDOM.normal(size=ROWS), LABELS),
        (np.where(RANDOM.random(ROWS) < 0.02, "yes", LABELS)[::-1], LABELS),
        # Many levels fit the rows that they were counted on, not the others.
        ([f"level-{n}" for n in RANDOM.integers(400, size=ROWS)], LABELS),
        ([f"level-{n}" for n in RANDOM.integers(400, size=ROWS)], KINDS),
        (PRICES + RANDOM.normal(size=ROWS), PRICES),
        ([None] * ROWS, PRICES),
        ([1.5] * ROWS, PRICES),
    ],
)
def test_honest_columns_are_not_suspected(values: object, target: object) -> None:
    assert _leak(values, target) is None


def test_few_rows_in_order_prove_nothing() -> None:
    target = Target("y", Task.BINARY, [0, 1], np.array([0, 1] * 12))
    column = pa.chunked_array([np.arange(24.0) * np.array([1, -1] * 12)])
    kind, column = understand("x", column)
    assert leak(column, kind, target, np.arange(24)) is None
