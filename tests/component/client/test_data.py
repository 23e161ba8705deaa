"""Datasets and versions, from the real API and object store."""

from pathlib import Path

import pytest
from trainyard_client import Client, InvalidRequestError, NotFoundError

from ..s3_gateway import Gateway
from .conftest import Run

pytestmark = pytest.mark.component


def test_a_table_is_uploaded_and_found_again(
    client: Client, trainyard: Run, store: Gateway, tmp_path: Path
) -> None:
    table = tmp_path / "Churn 1.csv"
    table.write_text("id,age,churned\n" + "".join(f"{n},{n % 70},{n % 2}\n" for n in range(5000)))
    counts: list[int] = []
    dataset = client.datasets.upload(table, progress=counts.append)
    assert (dataset.name, dataset.rows) == ("churn-1", 5000)
    assert [column.name for column in dataset.columns] == ["id", "age", "churned"]
    assert sum(counts) == table.stat().st_size
    assert store.get(dataset.uri.removeprefix("s3://trainyard/")) == table.read_bytes()

    again = trainyard("upload", table, "-o", "json")
    assert again.json["id"] == dataset.id
    assert client.datasets.get(dataset.id) == dataset
    assert [one.id for one in client.datasets.list()] == [dataset.id]
    told = trainyard("datasets")
    assert (told.code, told.out.splitlines()[1].split()[:3]) == (0, ["churn-1", "5000", "3"])
    told = trainyard("upload", table)
    assert f"trainyard submit --data {dataset.uri} --target COLUMN" in told.err


def test_a_table_that_makes_no_sense(client: Client, trainyard: Run, tmp_path: Path) -> None:
    table = tmp_path / "odd.csv"
    table.write_text("a,b\n1,2\n3\n")
    with pytest.raises(InvalidRequestError, match="line 3"):
        client.datasets.upload(table)
    done = trainyard("upload", table)
    assert done.code == 1
    assert "line 3" in done.err


def test_who_am_i(client: Client) -> None:
    me = client.me()
    assert (me.subject, me.role) == ("ada", "admin")


def test_a_version_that_is_not_there(client: Client, trainyard: Run) -> None:
    with pytest.raises(NotFoundError):
        client.versions.get("churn", "20261123T141920Z-03fcd70a")
    assert list(client.versions.list("churn")) == []
    assert trainyard("models", "versions", "churn").err == "There is no version of churn.\n"
    done = trainyard("models", "version", "churn", "none")
    assert done.code == 1
    assert "version" in done.err
