"""Versions, their files, comparison and history over REST."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from trainyard_schema import TransitionRecord, VersionKey
from trainyard_schema.artifacts import transition_key

from .objects import BUCKET, V1, V2, V3, put_version

BASE = "/api/v1/models/churn"


async def get(client: httpx.AsyncClient, path: str, **query: Any) -> dict[str, Any]:
    answer = await client.get(BASE + path, params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def pages(client: httpx.AsyncClient, path: str, **query: Any) -> list[list[dict[str, Any]]]:
    found, cursor = [], None
    while True:
        page = await get(client, path, **query, **({"cursor": cursor} if cursor else {}))
        found.append(page["items"])
        if (cursor := page["next_cursor"]) is None:
            return found


def put(s3: Any, key: VersionKey, name: str, document: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key=key.prefix + name, Body=json.dumps(document))


def verdict(key: VersionKey, **told: Any) -> dict[str, Any]:
    return {
        "verdict": {
            "modelType": "xgboost",
            "version": key.version,
            "passed": True,
            "metric": "roc_auc",
            "value": "0.8",
            "unknownToUs": 1,
        },
        **told,
    }


async def test_pages_follow_one_another_while_versions_are_added(
    client: httpx.AsyncClient, s3: Any
) -> None:
    put_version(s3, V1)
    put_version(s3, V2, model_type="random-forest")
    first = await get(client, "/versions", limit=1)
    assert [one["version"] for one in first["items"]] == [V2]
    put_version(s3, V3)
    second = await get(client, "/versions", limit=1, cursor=first["next_cursor"])
    assert [one["version"] for one in second["items"]] == [V1]
    assert second["next_cursor"] is None


async def test_versions_of_one_type_and_of_nothing(client: httpx.AsyncClient, s3: Any) -> None:
    put_version(s3, V1)
    put_version(s3, V2, model_type="neural-net")
    put_version(s3, V3, model="churn-2")
    [[one]] = await pages(client, "/versions", model_type="xgboost")
    assert one["version"] == V1
    assert await pages(client, "/versions", model_type="random-forest") == [[]]


@pytest.mark.parametrize("cursor", ["x", "W10", "WzFd", "e30", "%00", "W1siYSJdXQ", "[" * 1000])
async def test_a_cursor_that_is_none_of_ours(client: httpx.AsyncClient, cursor: str) -> None:
    answer = await client.get(f"{BASE}/versions", params={"cursor": cursor})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "cursor"


async def test_a_version_tells_what_it_was_trained_from(client: httpx.AsyncClient, s3: Any) -> None:
    key = put_version(
        s3, V1, hyperparameters={"max_depth": 3}, metric_intervals={"roc_auc": [0.7, 0.9]}
    )
    put(s3, key, "verdict.json", verdict(key))
    body = await get(client, f"/versions/{V1}")
    assert (body["hyperparameters"], body["seed"]) == ({"max_depth": 3}, 42)
    assert body["metric_intervals"] == {"roc_auc": [0.7, 0.9]}
    assert body["metrics"] == [
        {"model_type": "xgboost", "name": "roc_auc", "value": 0.8, "split": "holdout"}
    ]
    assert (body["verdict"]["passed"], body["verdict"]["value"]) == (True, 0.8)
    assert body["files"] == [{"name": "model.ubj", "size_bytes": 10, "sha256": "ab"}]


async def test_an_unreadable_manifest_leaves_a_version_to_show(
    client: httpx.AsyncClient, s3: Any
) -> None:
    key = put_version(s3, V1)
    s3.put_object(Bucket=BUCKET, Key=key.manifest, Body=b"[]")
    body = await get(client, f"/versions/{V1}")
    assert (body["version"], body["files"], body["image"]) == (V1, [], None)
    put_version(s3, V2)
    answer = await client.get(f"{BASE}/compare", params={"version": [V1, V2]})
    assert answer.status_code == 409


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/api/v1/models/churn/versions/{V1}", 404),
        (f"/api/v1/models/churn/versions/{V1}/files/model.ubj", 404),
        ("/api/v1/models/churn/versions/latest", 422),
        ("/api/v1/models/churn/versions/..%2f..%2fdatasets", 404),
        ("/api/v1/models/%2e%2e/versions", 422),
        ("/api/v1/models/a%2fb/versions", 404),
        ("/api/v1/models/a%00b/versions", 422),
        ("/api/v1/models/A/versions", 422),
    ],
)
async def test_no_such_thing(client: httpx.AsyncClient, path: str, status: int) -> None:
    assert (await client.get(path)).status_code == status


async def test_files_that_the_manifest_names(client: httpx.AsyncClient, s3: Any) -> None:
    key = put_version(s3, V1)
    put(s3, key, "notes.txt", "somebody's own")
    answer = await client.get(f"{BASE}/versions/{V1}/files/model.ubj")
    assert (answer.status_code, answer.content) == (200, b"0123456789")
    assert answer.headers["etag"] == '"ab"'
    assert answer.headers["content-disposition"] == 'attachment; filename="model.ubj"'
    assert (await get(client, f"/versions/{V1}/files/manifest.json"))["version"] == V1
    for name in ("notes.txt", "verdict.json", "..%2f..%2f", "%2e%2e"):
        answer = await client.get(f"{BASE}/versions/{V1}/files/{name}")
        assert answer.status_code in (404, 422), name


async def test_a_large_file_is_not_read_at_once(client: httpx.AsyncClient, s3: Any) -> None:
    body = bytes(range(256)) * 4 * 1024 * 4
    key = put_version(
        s3, V1, files=[{"name": "model.ubj", "size_bytes": len(body), "sha256": "ab"}]
    )
    s3.put_object(Bucket=BUCKET, Key=key.prefix + "model.ubj", Body=body)
    found = hashlib.sha256()
    async with client.stream("GET", f"{BASE}/versions/{V1}/files/model.ubj") as answer:
        assert answer.headers["content-length"] == str(len(body))
        async for chunk in answer.aiter_raw():
            found.update(chunk)
    assert found.digest() == hashlib.sha256(body).digest()


def holdout(sha256: str) -> list[dict[str, Any]]:
    return [{"name": "holdout.parquet", "size_bytes": 1, "sha256": sha256}]


async def test_two_versions_side_by_side(client: httpx.AsyncClient, s3: Any) -> None:
    common: dict[str, Any] = {"metrics": [], "files": holdout("aa")}
    first = put_version(s3, V1, hyperparameters={"max_depth": 3, "eta": 0.1}, **common)
    second = put_version(
        s3, V2, hyperparameters={"max_depth": 6, "eta": 0.1}, rows=8000, seed=42, **common
    )
    interval = {"roc_auc": [0.7, 0.9]}
    put(s3, first, "metrics.json", {
        "holdout": {"roc_auc": 0.8, "log_loss": 0.5},
        "holdoutIntervals": interval,
        "crossValidation": {},
    })  # fmt: skip
    put(s3, second, "metrics.json", {"holdout": {"roc_auc": 0.85, "log_loss": 0.4}})
    slices = [{"column": "plan", "value": "basic", "rows": 90, "metric": 0.8, "passed": True}]
    put(s3, first, "verdict.json", verdict(first, slices=slices))
    other = {**slices[0], "metric": 0.7, "passed": False}
    put(s3, second, "verdict.json", verdict(second, slices=[other, {**other, "value": "pro"}]))

    body = await get(client, "/compare", version=[V1, V2])
    assert body["versions"] == [V1, V2]
    assert body["holdout"]["same"] is True
    roc, loss = body["metrics"]
    assert (roc["name"], roc["values"], roc["better"]) == ("roc_auc", [0.8, 0.85], V2)
    assert roc["difference"] == pytest.approx(0.05)
    assert roc["intervals"] == [[0.7, 0.9], None]
    assert (loss["name"], loss["better"], loss["lower_is_better"]) == ("log_loss", V2, True)
    assert body["hyperparameters"] == [{"name": "max_depth", "values": [3, 6]}]
    assert {one["name"]: one["values"] for one in body["data"]} == {"rows": [7043, 8000]}
    assert [one["passed"] for one in body["verdicts"]] == [True, True]
    [one] = body["slices"]
    assert (one["value"], one["values"], one["passed"]) == ("basic", [0.8, 0.7], [True, False])


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [(holdout("aa"), holdout("bb"), False), (holdout("aa"), [], None), ([], [], None)],
)
async def test_whether_metrics_can_be_compared_is_said(
    client: httpx.AsyncClient, s3: Any, first: Any, second: Any, same: bool | None
) -> None:
    put_version(s3, V1, files=first)
    put_version(s3, V2, files=second)
    body = await get(client, "/compare", version=[V1, V2])
    assert body["holdout"]["same"] is same
    assert body["holdout"]["message"]
    assert body["metrics"][0]["better"] is None


async def test_odd_files_of_a_version_break_no_comparison(
    client: httpx.AsyncClient, s3: Any
) -> None:
    first, second = put_version(s3, V1), put_version(s3, V2)
    put(s3, first, "metrics.json", {"holdout": {"roc_auc": "NaN", "odd": None}})
    put(s3, second, "metrics.json", [1])
    put(s3, first, "verdict.json", {"verdict": 3, "slices": [{"column": "x"}]})
    body = await get(client, "/compare", version=[V1, V2])
    assert [one["values"] for one in body["metrics"]] == [[None, 0.8], [None, None]]


@pytest.mark.parametrize("asked", [[], [V1], [V1, V2, V3], [V1, "latest"]])
async def test_a_comparison_of_other_than_two(client: httpx.AsyncClient, asked: list[str]) -> None:
    answer = await client.get(f"{BASE}/compare", params={"version": asked})
    assert answer.status_code == 422


@pytest.fixture
def move(s3: Any) -> Callable[[int, str], None]:
    def move(number: int, time: str) -> None:
        version = f"20261120T100000Z-{number:08x}"
        record = TransitionRecord.model_validate(
            {
                "number": number,
                "time": time,
                "action": "Promoted",
                "version": version,
                "by": "operator",
                "why": "passed",
                "to": {
                    "modelType": "xgboost",
                    "version": version,
                    "uri": "s3://trainyard/x/",
                    "sha256": "ab",
                    "run": "churn-1",
                    "since": time,
                    "transition": number,
                },
                "model": "churn",
                "namespace": "trainyard",
                "modelUid": "u",
            }
        )
        key = transition_key("churn", number)
        s3.put_object(Bucket=BUCKET, Key=key, Body=record.to_json())

    return move


async def test_the_history_in_pages_and_at_a_time(
    client: httpx.AsyncClient, s3: Any, move: Callable[[int, str], None]
) -> None:
    for number in range(1, 6):
        move(number, f"2026-11-20T1{number}:00:00Z")
    found = await pages(client, "/history", limit=2)
    assert [[one["number"] for one in page] for page in found] == [[5, 4], [3, 2], [1]]
    assert found[0][0]["champion"] == "20261120T100000Z-00000005"
    [first, *_] = (await get(client, "/history", at="2026-11-20T13:30:00Z"))["items"]
    assert first["number"] == 3
    [first, *_] = (await get(client, "/history", at="2026-11-20T12:30:00-01:00"))["items"]
    assert first["number"] == 3
    assert (await get(client, "/history", at="2026-11-20T10:00:00Z"))["items"] == []
    s3.put_object(Bucket=BUCKET, Key=transition_key("churn", 6), Body=b"{")
    assert (await get(client, "/history"))["items"][0]["number"] == 5


async def test_a_history_of_nothing(client: httpx.AsyncClient) -> None:
    assert await get(client, "/history") == {"items": [], "next_cursor": None}
    answer = await client.get(f"{BASE}/history", params={"at": "2026-11-20T10:00:00"})
    assert answer.status_code == 422
