"""Bodies that are JSON to somebody, and should be nobody's problem here."""

import httpx
import pytest


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'{"hyperparameters": {"xgboost": ' + b"[" * 30_000,
        b'{"seed": ' + b"1" * 60_000 + b"}",
        b'{"seed": 1e999}',
        b'{"seed": NaN}',
        b'{"hyperparameters": {"max_depth": NaN}}',
        b'{"hyperparameters": {"\\ud800": 1}}',
        b'{"\\ud800": 1}',
        b'{"model": "\\ud800"}',
        b'{"dataset": {"uri": "s3://bucket/\\ud800.csv", "target": "a"}}',
        b'{"dataset": {"uri": "s3://bucket/a.csv", "target": "\\u0000"}}',
        b'{"model": "a\\u0000b"}',
        b'{"model": "../../etc"}',
        b'{"model": "a\\n"}',
        b"\xff\xfe{\x00}\x00",
        b'"\xff"',
        b"null",
        b"[]",
        b"1",
        b"",
        b"{}{}",
        b'{"seed": 1, "seed": 2}',
        b'{"__proto__": {"a": 1}}',
    ],
    ids=lambda body: repr(body[:40]),
)
@pytest.mark.parametrize("path", ["/train", "/train/xgboost", "/api/v1/jobs"])
async def test_no_body_is_an_error_of_ours(
    client: httpx.AsyncClient, path: str, body: bytes
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await client.post(path, content=body, headers=headers)
    assert answer.status_code in (202, 400, 422), answer.text
    if answer.status_code != 202:
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/xml",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-16",
        "\xff",
        "",
    ],
)
async def test_no_type_of_body_is(client: httpx.AsyncClient, kind: str) -> None:
    headers = [(b"Content-Type", kind.encode("latin-1"))]
    answer = await client.post("/train", content=b'{"model_type": "xgboost"}', headers=headers)
    assert answer.status_code in (202, 400, 422), answer.text


@pytest.mark.parametrize("query", ["limit=%00", "limit=1e9", "model=%ff", "status=%ud800", "a&&=;",
                                   "limit=" + "9" * 5000, "cursor=%00", "cursor=" + "a" * 5000,
                                   "cursor=bnVsbA", "label=a%00", "label=%ed%a0%80"])  # fmt: skip
@pytest.mark.parametrize("path", ["/train/jobs", "/api/v1/jobs"])
async def test_no_query_is(client: httpx.AsyncClient, path: str, query: str) -> None:
    answer = await client.get(f"{path}?{query}")
    assert answer.status_code in (200, 422), answer.text
