"""Feedback from a file, through the command, the real API, Postgres and object store."""

import io
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from trainyard_client import Client, InvalidRequestError

from ..api.versions import V1, V2, point, put_version
from ..s3_gateway import Gateway
from .conftest import Run

pytestmark = pytest.mark.component
HEADER = "customer_id,age,code,member,since,prediction,churned\n"
Stored = Callable[[], pa.Table]


@pytest.fixture
def stored(store: Gateway) -> Stored:
    """What a training would read."""
    store.empty()

    def read() -> pa.Table:
        keys = store.keys("datasets/feedback/")
        return pa.concat_tables(pa.parquet.read_table(io.BytesIO(store.get(key))) for key in keys)

    return read


def line(number: int, **other: Any) -> str:
    values = {
        "customer_id": number,
        "age": number % 70,
        "code": f"{number % 10:03}",
        "member": ("true", "0", "")[number % 3],
        "since": ("2026-11-23 10:00:00", "NA")[number % 2],
        "prediction": "no",
        "churned": ("no", "yes")[number % 2],
        **other,
    }
    return ",".join(map(str, values.values())) + "\n"


def test_a_file_is_kept_once(
    client: Client, trainyard: Run, store: Gateway, stored: Stored, tmp_path: Path
) -> None:
    key = put_version(store)
    table = tmp_path / "rows.csv"
    table.write_text(HEADER + "".join(map(line, range(2300))))
    words = ("feedback", "--model", "churn", "--input", table)
    refused = trainyard(*words)
    assert (refused.code, "--version VERSION" in refused.err) == (1, True)
    point(store, key.current, key)
    done = trainyard(*words)
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        f"lines 2 to 1001  1000 rows kept  version {V1}",
        f"lines 1002 to 2001  1000 rows kept  version {V1}",
        f"lines 2002 to 2301  300 rows kept  version {V1}",
    ]
    read = stored()
    assert read.num_rows == 2300
    first, second = read.slice(1000, 2).to_pylist()
    assert first["since"] == datetime(2026, 11, 23, 10)  # noqa: DTZ001 - as the trainer has them
    assert (first["customer_id"], first["age"], first["code"]) == ("1000", 20.0, "000")
    assert (first["member"], first["churned"]) == (False, "no")
    assert (second["member"], second["since"], second["churned"]) == (None, None, "yes")
    assert read["since"].null_count == 1150
    assert read["member"].null_count == 766

    again = trainyard(*words, "-o", "json")
    assert {one["uri"] for one in again.json["items"]} == {one.uri for one in listed(client)}
    assert stored().num_rows == 2300
    [told] = listed(client)
    assert (told.version, told.rows, told.predicted, told.accuracy) == (V1, 2300, 2300, 0.5)
    shown = trainyard("models", "feedback", "churn").out.splitlines()[1]
    assert shown.split()[:5] == [V1, "xgboost", "2300", "2300", "0.5"]
    [entry] = trainyard("history", "--limit", "1", "-o", "json").json["items"]
    assert (entry["type"], entry["details"]["rows"]) == ("feedback", 300)


def listed(client: Client, version: str = V1) -> list[Any]:
    return [one for one in client.feedback.list("churn") if one.version == version]


def test_a_file_is_mended_and_sent_again(
    client: Client, trainyard: Run, store: Gateway, stored: Stored, tmp_path: Path
) -> None:
    put_version(store, V2)
    table = tmp_path / "rows.csv"
    lines = [line(number) for number in range(1200)]
    bad = line(1100, age="old", prediction="No")
    table.write_text(HEADER + "".join([*lines[:1100], bad, *lines[1101:]]))
    words = ("feedback", "-m", "churn", "-i", table, "--version", V2)
    done = trainyard(*words)
    assert done.code == 1
    assert done.out == f"lines 2 to 1001  1000 rows kept  version {V2}\n"
    assert done.err.splitlines()[1:] == [
        f"error: {table}, line 1102, column age: must be a finite number",
        f'{table}, line 1102, column prediction: must be one of "no", "yes"',
    ]
    assert stored().num_rows == 1000
    table.write_text(HEADER + "".join(lines))
    assert trainyard(*words).code == 0
    assert stored().num_rows == 1200
    [told] = listed(client, V2)
    assert told.rows == 1200


def test_from_python(client: Client, store: Gateway, stored: Stored) -> None:
    third = "20261123T100000Z-00000003"
    put_version(store, third, classes=[], age="number")
    row = {"features": {"age": 1}, "prediction": 2, "outcome": 3.5}
    keys: dict[str, Any] = {"version": third, "idempotency_key": "once"}
    first = client.feedback.give("churn", [row], **keys)
    assert client.feedback.give("churn", [row], **keys) == first
    assert (first.rows, first.written, first.version) == (1, True, third)
    with pytest.raises(InvalidRequestError, match=r"rows\.0\.outcome"):
        client.feedback.give("churn", [row | {"outcome": "x"}], version=third)
    [told] = listed(client, third)
    assert (told.rows, told.accuracy, told.mean_absolute_error) == (1, None, 1.5)
    assert stored().num_rows == 1
