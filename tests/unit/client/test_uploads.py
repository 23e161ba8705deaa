"""Files that are sent in pieces."""

from pathlib import Path

import pytest
from trainyard_client import Client, InvalidRequestError, TrainyardError, UnavailableError

from .api import Answer, Api, problem

DATASET = {"id": "ab", "name": "churn", "uri": "s3://trainyard/datasets/churn/ab.csv"}
POST = "POST /api/v1/datasets"


@pytest.mark.parametrize(
    ("file", "name", "media_type"),
    [
        ("churn.csv", "churn", "text/csv"),
        ("My Churn.CSV.gz", "my-churn", "text/csv"),
        ("a.b.parquet", "a-b", "application/vnd.apache.parquet"),
    ],
)
def test_all_bytes_arrive_and_are_counted(
    *, api: Api, client: Client, tmp_path: Path, file: str, name: str, media_type: str
) -> None:
    path = tmp_path / file
    path.write_bytes(bytes(range(256)) * 4096)
    api.answers(POST, Answer(201, DATASET))
    counts: list[int] = []
    assert client.datasets.upload(path, progress=counts.append).uri == DATASET["uri"]
    [request] = api.requests
    assert request.body == path.read_bytes()
    assert request.headers["content-type"] == media_type
    assert request.query == {"name": [name]}
    assert sum(counts) == path.stat().st_size
    assert len(counts) > 1


def test_what_was_sent_in_part_is_not_sent_again(api: Api, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "churn.csv"
    path.write_text("a,b\n1,2\n")
    api.answers(POST, problem(503, "away", Retry_After="0"))
    with pytest.raises(UnavailableError):
        client.datasets.upload(path, name="other")
    assert len(api.requests) == 1
    api.answers(POST, problem(422, "line 3: 2 columns, not 3"))
    with pytest.raises(InvalidRequestError, match="line 3"):
        client.datasets.upload(path)


@pytest.mark.parametrize(("file", "text"), [("churn.xls", r"\.csv"), ("none.csv", "No such file")])
def test_a_file_that_cannot_be_sent(
    api: Api, client: Client, tmp_path: Path, file: str, text: str
) -> None:
    with pytest.raises(TrainyardError, match=text):
        client.datasets.upload(tmp_path / file)
    assert api.requests == []
