"""The table that rows become."""

import io
import uuid
from datetime import UTC, datetime

import pyarrow.parquet as pq
from trainyard_api.feedback.columns import Row
from trainyard_api.feedback.table import key, prefix, to_parquet

from .test_columns import BOOLEAN, CATEGORY, NUMBER, TIME, columns

COLUMNS = columns(age=NUMBER, member=BOOLEAN, since=TIME, code=CATEGORY)


def test_values_keep_the_type_of_their_column() -> None:
    rows = [
        Row(
            features={
                "code": "007",
                "age": 2**70,
                "member": True,
                "since": "2026-11-23T10:30:00+02:00",
                "customer_id": 17,
            },
            outcome="yes",
        ),
        Row(features=dict.fromkeys(("age", "member", "since", "code")), outcome="no"),
    ]
    table = pq.read_table(io.BytesIO(to_parquet(COLUMNS, rows)))
    assert table.to_pydict() == {
        "age": [float(2**70), None],
        "member": [True, None],
        "since": [datetime(2026, 11, 23, 8, 30), None],  # noqa: DTZ001 - as the trainer has them
        "code": ["007", None],
        "customer_id": ["17", None],
        "churned": ["yes", "no"],
    }
    empty = pq.read_table(io.BytesIO(to_parquet(COLUMNS, rows[1:])))
    assert empty.schema.types == table.schema.types


def test_numbers_are_classes_too() -> None:
    rows = [Row(features={"age": 1}, outcome=outcome) for outcome in (0, 1.0)]
    table = pq.read_table(io.BytesIO(to_parquet(columns([0, 1], age=NUMBER), rows)))
    assert table["churned"].to_pylist() == [0.0, 1.0]


def test_keys_sort_by_time_below_one_prefix() -> None:
    folder = f"datasets/feedback/churn/{COLUMNS.digest}/"
    assert prefix("churn", COLUMNS) == folder
    one = uuid.UUID(int=1)
    found = key("churn", COLUMNS, one, datetime(2026, 11, 23, 9, 8, 7, 42, tzinfo=UTC))
    assert found == f"{folder}20261123T090807.000042Z-{one}.parquet"
