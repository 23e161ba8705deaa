"""Uploads to a real S3 server by a real process: what stays, whatever happens on the way."""

import asyncio
import hashlib
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from trainyard_api.datasets.sweeping import sweep
from trainyard_api.store import Bucket

from ..control_plane import wait_for
from ..object_store import BUCKET
from ..s3_gateway import Gateway
from .conftest import Serve, Server

pytestmark = pytest.mark.component

MIB = 1 << 20
TABLE = b"age,plan,churned\n31,basic,no\n44,pro,yes\n"
ID = hashlib.sha256(TABLE).hexdigest()
CSV = {"Content-Type": "text/csv"}


@pytest.fixture
def server(s3: Gateway, serve: Serve) -> Server:
    return serve(S3_ENDPOINT_URL=s3.url, UPLOAD_MAX_BYTES=str(64 * MIB))


async def upload(
    client: httpx.AsyncClient, body: Any, name: str = "churn", **headers: str
) -> httpx.Response:
    return await client.post(
        "/api/v1/datasets", params={"name": name}, content=body, headers={**CSV, **headers}
    )


async def test_an_upload_is_listed_shown_and_there_once(server: Server, s3: Gateway) -> None:
    async with server.client() as client:
        answer = await upload(client, TABLE)
        assert answer.status_code == 201, answer.text
        dataset = answer.json()
        assert (dataset["id"], dataset["rows"], dataset["uploaded_by"]) == (ID, 2, "tests")
        assert dataset["uri"] == f"s3://{BUCKET}/datasets/churn/{ID}.csv"
        assert [column["name"] for column in dataset["columns"]] == ["age", "plan", "churned"]
        assert (await client.get(answer.headers["location"])).json() == dataset
        assert s3.get(f"datasets/churn/{ID}.csv") == TABLE

        again = await upload(client, TABLE, "other")
        assert (again.status_code, again.json()) == (200, dataset)
        form = await client.post("/api/upload", files={"file": ("Churn.csv", TABLE, "text/csv")})
        assert form.status_code == 200, form.text
        assert form.json()["data"]["dataset_id"] == ID
        assert form.json()["data"]["created"] is False
        assert (await client.get("/api/v1/datasets")).json()["items"] == [dataset]
    assert s3.keys() == [f"datasets/churn/{ID}.csv", f"datasets/churn/_{ID}.json"]
    assert s3.uploads() == []


async def test_pages_of_datasets_without_feedback(server: Server, s3: Gateway) -> None:
    s3.client.put_object(Bucket=BUCKET, Key=f"datasets/feedback/_{ID}.json", Body=b"{}")
    async with server.client() as client:
        for number in range(3):
            answer = await upload(client, f"a\n{number}\n", ("alpha", "feedback-2", "zeta")[number])
            assert answer.status_code == 201, answer.text
        names, cursor = [], None
        while True:
            query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
            page = (await client.get("/api/v1/datasets", params=query)).json()
            names += [one["name"] for one in page["items"]]
            if (cursor := page["next_cursor"]) is None:
                break
        named = (await client.get("/api/v1/datasets", params={"name": "zeta"})).json()
    assert sorted(names) == ["alpha", "feedback-2", "zeta"]
    assert [one["name"] for one in named["items"]] == ["zeta"]


async def _rows(megabytes: int) -> AsyncIterator[bytes]:
    yield b"a,b\n"
    for number in range(megabytes):
        yield f"{number:07},{number:07}\n".encode() * (MIB // 16)


def _peak_kib(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


async def test_a_large_table_does_not_pass_through_memory(server: Server, s3: Gateway) -> None:
    async with server.client() as client:
        await upload(client, TABLE)
        before = _peak_kib(server.process.pid)
        answer = await upload(client, _rows(60), "large")
        assert answer.status_code == 201, answer.text
        assert answer.json()["rows"] == 60 * (MIB // 16)
    assert _peak_kib(server.process.pid) - before < 40 * 1024
    assert not s3.keys("uploads/")


async def test_too_large(server: Server, s3: Gateway) -> None:
    async with server.client() as client:
        answer = await upload(client, _rows(65))
    assert answer.status_code == 413
    assert s3.keys() == []
    assert s3.uploads() == []


async def test_what_is_announced_as_too_large_is_not_waited_for(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    head = f"POST /api/v1/datasets?name=churn HTTP/1.1\r\nHost: a\r\nContent-Length: {65 * MIB}\r\n"
    head += f"Authorization: Bearer {server.token}\r\nContent-Type: text/csv\r\n\r\n"
    writer.write(head.encode())
    async with asyncio.timeout(10):
        assert b" 413 " in await reader.readline()
    writer.close()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the file is empty"),
        (b"a,a\n1,2\n", "line 1, column 'a'"),
        (b"a,b\n1,2\n3\n", "line 3"),
        (b"PAR1nonsense", "Parquet"),
    ],
)
async def test_nothing_stays_of_what_is_no_table(
    server: Server, s3: Gateway, body: bytes, message: str
) -> None:
    async with server.client() as client:
        answer = await upload(client, body)
    assert answer.status_code == 422
    assert message in answer.json()["errors"][0]["message"]
    assert s3.keys() == []
    assert s3.uploads() == []


@pytest.mark.parametrize(
    ("name", "headers", "status"),
    [
        ("../models/churn", {}, 422),
        ("a/b", {}, 422),
        ("", {}, 422),
        ("feedback", {}, 422),
        ("churn", {"Content-Type": "application/json"}, 415),
        ("churn", {"Content-Type": "multipart/form-data"}, 422),
        ("churn", {"Content-Encoding": "gzip"}, 415),
    ],
)
async def test_names_and_types_that_are_refused(
    server: Server, s3: Gateway, name: str, headers: dict[str, str], status: int
) -> None:
    async with server.client() as client:
        answer = await upload(client, TABLE, name, **headers)
    assert answer.status_code == status, answer.text
    assert s3.keys() == []


async def _endless(begun: asyncio.Event) -> AsyncIterator[bytes]:
    async for chunk in _rows(20):
        yield chunk
    begun.set()
    await asyncio.Event().wait()


async def _in_mid_upload(server: Server, s3: Gateway) -> asyncio.Task[None]:
    """An upload of which 16 MiB are in the store; cancelled, its connection breaks."""
    begun = asyncio.Event()

    async def send() -> None:
        async with server.client() as client:
            await upload(client, _endless(begun))

    task = asyncio.create_task(send())
    await begun.wait()
    await asyncio.to_thread(wait_for, "the upload has begun", lambda: bool(s3.uploads()))
    return task


async def test_a_client_that_goes_away_leaves_nothing(server: Server, s3: Gateway) -> None:
    task = await _in_mid_upload(server, s3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.to_thread(wait_for, "the upload is aborted", lambda: not s3.uploads())
    assert s3.keys() == []


async def test_a_replica_that_is_killed_leaves_nothing_to_see_and_is_swept_up_after(
    server: Server, s3: Gateway
) -> None:
    task = await _in_mid_upload(server, s3)
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert s3.keys() == []
    assert len(s3.uploads()) == 1
    s3.client.put_object(Bucket=BUCKET, Key="uploads/staged", Body=TABLE)
    bucket = Bucket(BUCKET, endpoint_url=s3.url, region="us-east-1", threads=2)
    assert await sweep(bucket, now=datetime.now(UTC)) == (0, 0)
    later = datetime.now(UTC) + timedelta(days=1, minutes=1)
    assert await sweep(bucket, now=later) == (1, 1)
    assert s3.keys() == []
    assert s3.uploads() == []


async def test_the_same_table_twice_at_once(server: Server, s3: Gateway) -> None:
    async with server.client() as client:
        answers = await asyncio.gather(*(upload(client, TABLE) for _ in range(3)))
    assert [answer.status_code for answer in answers].count(201) == 1
    assert len({answer.json()["uploaded_at"] for answer in answers}) == 1
    assert s3.keys() == [f"datasets/churn/{ID}.csv", f"datasets/churn/_{ID}.json"]


async def test_more_uploads_than_a_replica_takes(server: Server, s3: Gateway) -> None:
    tasks = [await _in_mid_upload(server, s3) for _ in range(4)]
    async with server.client() as client:
        answer = await upload(client, TABLE)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(wait_for, "they are aborted", lambda: not s3.uploads())
        assert (await upload(client, TABLE)).status_code == 201


async def test_a_store_that_is_away(server: Server, s3: Gateway) -> None:
    with s3.away():
        async with server.client() as client:
            answer = await upload(client, TABLE)
            assert answer.status_code == 503
            assert (await client.get("/api/v1/datasets")).status_code == 503
    async with server.client() as client:
        assert (await upload(client, TABLE)).status_code == 201
