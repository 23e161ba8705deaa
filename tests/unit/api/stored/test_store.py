from typing import Any

import httpx
import pytest
from trainyard_api.store import ModelStore, StoreError
from trainyard_schema import ModelType, VersionKey

from .objects import BUCKET, V1, V2, V3, make_champion, make_current, put_version


async def available(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await client.get("/train/models/available", params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_nothing_yet(client: httpx.AsyncClient) -> None:
    assert await available(client) == {"models": [], "total": 0}


async def test_all_that_a_manifest_tells(client: httpx.AsyncClient, s3: Any) -> None:
    make_current(s3, put_version(s3, V1))
    assert await available(client) == {
        "models": [
            {
                "model": "churn",
                "model_type": "xgboost",
                "version": V1,
                "current": True,
                "uri": f"s3://trainyard/models/churn/xgboost/{V1}/",
                "file": "model.ubj",
                "created_at": "2026-11-20T10:00:00Z",
                "target": "churned",
                "rows": 7043,
                "size_bytes": 10,
                "sha256": "ab",
                "metrics": [
                    {"model_type": "xgboost", "name": "roc_auc", "value": 0.8, "split": "holdout"}
                ],
            }
        ],
        "total": 1,
    }


async def test_newest_first_with_the_current_ones_marked(
    client: httpx.AsyncClient, s3: Any
) -> None:
    put_version(s3, V2)
    make_current(s3, put_version(s3, V1))
    make_current(s3, put_version(s3, V3, model_type="neural-net"))
    body = await available(client)
    assert [(model["version"], model["current"]) for model in body["models"]] == [
        (V3, True),
        (V2, False),
        (V1, True),
    ]
    body = await available(client, limit=1)
    assert ([model["version"] for model in body["models"]], body["total"]) == ([V3], 3)


async def test_the_champion_of_a_model_is_current_as_well(
    client: httpx.AsyncClient, s3: Any
) -> None:
    make_current(s3, put_version(s3, V1))
    make_champion(s3, put_version(s3, V2, model_type="neural-net"))
    put_version(s3, V3, model="churn-2")
    body = await available(client)
    assert [(model["version"], model["current"]) for model in body["models"]] == [
        (V3, False),
        (V2, True),
        (V1, True),
    ]


async def test_filters(client: httpx.AsyncClient, s3: Any) -> None:
    put_version(s3, V1)
    put_version(s3, V2, model="churn-2")
    put_version(s3, V3, model_type="neural-net")
    assert [m["version"] for m in (await available(client, model="churn"))["models"]] == [V3, V1]
    by_type = await available(client, model_type="xgboost")
    assert [m["version"] for m in by_type["models"]] == [V2, V1]


async def test_a_version_without_a_manifest_does_not_exist(
    client: httpx.AsyncClient, s3: Any
) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"models/churn/xgboost/{V1}/model.ubj", Body=b"half")
    s3.put_object(Bucket=BUCKET, Key=f"models/churn/svm/{V1}/manifest.json", Body=b"{}")
    s3.put_object(Bucket=BUCKET, Key="models/manifest.json", Body=b"{}")
    assert (await available(client))["total"] == 0


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b"[]"])
async def test_an_unreadable_manifest_hides_no_version(
    client: httpx.AsyncClient, s3: Any, body: bytes
) -> None:
    key = VersionKey("churn", ModelType.XGBOOST, V1)
    s3.put_object(Bucket=BUCKET, Key=key.manifest, Body=body)
    (model,) = (await available(client))["models"]
    assert (model["version"], model["current"], model["rows"]) == (V1, False, None)


async def test_more_versions_than_one_page_holds(store: ModelStore, s3: Any) -> None:
    for number in range(1005):
        key = VersionKey("churn", ModelType.XGBOOST, f"20261121T100000Z-{number:08x}")
        s3.put_object(Bucket=BUCKET, Key=key.manifest, Body=b"{}")
    versions, total = await store.newest(model=None, model_type=None, limit=1)
    assert (versions[0].key.version, total) == ("20261121T100000Z-000003ec", 1005)


async def test_a_bucket_that_is_not_there(s3: Any) -> None:
    store = ModelStore(bucket="another", endpoint_url=None, region="us-east-1")
    with pytest.raises(StoreError, match="NoSuchBucket"):
        await store.newest(model=None, model_type=None, limit=1)


async def test_a_store_that_does_not_answer(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = ModelStore(bucket=BUCKET, endpoint_url="http://127.0.0.1:1", region="us-east-1")
    client._transport.app.state.store = away  # type: ignore[attr-defined]
    answer = await client.get("/train/models/available")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "127.0.0.1" not in answer.text
