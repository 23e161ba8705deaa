"""Feedback: a real Postgres, a real S3 server, killed replicas, and the trainer's own reader."""

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pyarrow as pa
import pytest
from trainyard_schema import DataSpec, ModelType, Reason, VersionKey
from trainyard_schema.artifacts import SCHEMA
from trainyard_schema.run import StorageConfig

from ...forking.forks import ForkServer
from ..control_plane import ControlPlane
from ..object_store import BUCKET
from ..postgres import Postgres
from ..s3_gateway import Gateway
from .replicas import Replica, Yard, yard_of
from .versions import V1, V2, point, put_version

pytestmark = pytest.mark.component

ROW = {
    "features": {"age": 31, "code": "007", "member": True, "since": "2026-11-23T10:00:00Z"},
    "prediction": "no",
    "outcome": "yes",
}
_TRAINER = Path(__file__).resolve().parents[3] / "trainer-image/src"
_DIES = """
import os, signal
from trainyard_api.store import Bucket
_create = Bucket.create
async def create(self, *arguments, **options):
    {before}
    os.kill(os.getpid(), signal.SIGKILL)
Bucket.create = create
"""
KILLED_BEFORE_THE_TABLE = _DIES.format(before="pass")
KILLED_AFTER_THE_TABLE = _DIES.format(before="await _create(self, *arguments, **options)")
STORE_TAKES_NOTHING = """
from trainyard_api.store import Bucket, StoreError
async def create(self, *arguments, **options):
    raise StoreError("the object store cannot be reached")
Bucket.create = create
"""


@pytest.fixture
def yard(
    kubernetes: ControlPlane, apis: ForkServer, database_url: str, s3: Gateway, tmp_path: Path
) -> Iterator[Yard]:
    with yard_of(kubernetes, apis, database_url, s3.url, tmp_path) as yard:
        yield yard


@pytest.fixture
async def sql(database_url: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    connection = await asyncpg.connect(database_url)
    await connection.execute("TRUNCATE feedback, feedback_rows, idempotency_keys, analises")
    yield connection
    await connection.close()


def tables(s3: Gateway) -> list[str]:
    return s3.keys("datasets/feedback/")


async def give(
    replica: Replica, *rows: dict[str, Any], version: str | None = V1, **headers: str
) -> httpx.Response:
    body = {"model": "churn", "rows": rows or [ROW]} | ({"version": version} if version else {})
    async with replica.client() as client:
        return await client.post("/api/feedback", json=body, headers=headers)


async def kept(replica: Replica, *rows: dict[str, Any], **options: Any) -> dict[str, Any]:
    answer = await give(replica, *rows, **options)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert body["success"] is True
    data: dict[str, Any] = body["data"]
    return data


async def until_written(sql: "asyncpg.Connection[asyncpg.Record]", *, but: int = 0) -> None:
    unwritten = "SELECT count(*) FROM feedback WHERE written_at IS NULL"
    async with asyncio.timeout(30):
        # Nothing tells of it.
        while await sql.fetchval(unwritten) > but:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def row(age: Any, code: Any, outcome: str, **more: Any) -> dict[str, Any]:
    features = {"age": age, "code": code, "member": None, "since": None, **more}
    return {"features": features, "outcome": outcome}


@pytest.fixture
def trainer_package(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The trainer's package, which is of another environment, can be imported meanwhile."""
    monkeypatch.syspath_prepend(str(_TRAINER))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "trainyard_trainer"]:
        del sys.modules[name]


@pytest.fixture
def read_as_the_trainer(trainer_package: None, s3: Gateway, tmp_path: Path) -> Any:
    from trainyard_trainer import dataset
    from trainyard_trainer.storage import Storage

    def read(uri: str) -> pa.Table:
        config = StorageConfig(bucket=BUCKET, endpoint_url=s3.url)
        storage = Storage(config, failure=Reason.STORAGE_UNAVAILABLE)
        return dataset.read(dataset.download(storage, uri, tmp_path, lambda _: None))

    return read


async def test_the_uri_is_a_table_that_the_trainer_learns_from(
    yard: Yard, s3: Gateway, read_as_the_trainer: Any
) -> None:
    put_version(s3)
    replica = yard.start()
    answers = [
        # Each request by itself could be taken for a table of other types.
        await kept(replica, *[row(number, "007", "no") for number in range(30)]),
        await kept(replica, row(0.5, "A12", "yes", customer_id=17)),
        await kept(replica, row(None, None, "yes")),
        await kept(replica, *[row(60 + number, 'x,"y"\n', "yes") for number in range(30)]),
    ]
    (uri,) = {one["uri"] for one in answers}
    assert [one["rows"] for one in answers] == [30, 1, 1, 30]
    assert all(one["written"] for one in answers)
    table = read_as_the_trainer(uri)
    assert table["code"].to_pylist() == ["007"] * 30 + ["A12", None] + ['x,"y"\n'] * 30
    assert table["age"].to_pylist()[29:32] == [29.0, 0.5, None]
    assert table["customer_id"].to_pylist()[29:32] == [None, "17", None]

    from trainyard_trainer import division

    spec = DataSpec(uri=uri, target="churned", exclude=["customer_id"])
    divided = division.divide(table, spec, seed=1)
    assert divided.target.classes == ["no", "yes"]
    assert len(divided.training) + len(divided.holdout) == 62


async def test_what_is_kept_and_shown(
    yard: Yard, s3: Gateway, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    put_version(s3)
    replica = yard.start()
    unsure = row(None, "b", "no", customer_id="c-1")
    answer = await kept(replica, ROW, unsure)
    [one] = await sql.fetch("SELECT * FROM feedback")
    assert (one["model"], one["model_type"], one["version"]) == ("churn", "xgboost", V1)
    assert answer["feedback_id"] == str(one["id"])
    assert one["written_at"] >= one["created_at"]
    assert tables(s3) == [one["object_key"]]
    assert answer["uri"] == f"s3://{BUCKET}/{one['object_key'].rpartition('/')[0]}/"
    rows = await sql.fetch("SELECT * FROM feedback_rows ORDER BY number")
    assert [json.loads(item["features"]) for item in rows] == [ROW["features"], unsure["features"]]
    assert [item["prediction"] for item in rows] == ['"no"', None]
    assert [json.loads(item["outcome"]) for item in rows] == ["yes", "no"]

    async with replica.client() as client:
        [entry] = (await client.get("/api/history")).json()["data"]
    assert entry["type"] == "feedback"
    assert entry["details"]["feedback_id"] == answer["feedback_id"]


async def test_the_version_is_the_champion_else_the_newest_current_one(
    yard: Yard, s3: Gateway
) -> None:
    replica = yard.start()
    first, second = put_version(s3), put_version(s3, V2, model_type="random-forest", age="number")
    assert (await give(replica, version=None)).status_code == 404
    assert (await give(replica, version=V1[:-1] + "9")).status_code == 404
    only_age = {"features": {"age": 1}, "outcome": "no"}
    for key in (first, second):
        point(s3, key.current, key)
    answer = await kept(replica, only_age, version=None)
    assert answer["version"] == V2
    point(s3, first.champion, first)
    champion = await kept(replica, version=None)
    assert champion["version"] == V1
    # Rows of other columns are another table.
    assert champion["uri"] != answer["uri"]


async def test_rows_that_do_not_fit_leave_nothing(
    yard: Yard, s3: Gateway, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    put_version(s3)
    replica = yard.start()
    answer = await give(replica, ROW, row("old", 7, "Yes", extra=1))
    assert answer.status_code == 422
    assert set(answer.json()) == {"success", "error", "details"}
    for field in ("features.age", "features.code", "features.extra", "outcome"):
        assert f"rows.1.{field}: " in answer.json()["details"]
    without: list[dict[str, Any]] = [{"features": {}} for _ in range(1000)]
    answer = await give(replica, *without)
    assert answer.status_code == 422
    assert answer.json()["details"].count("rows.") == 20
    assert (await give(replica, *[ROW] * 1001)).status_code == 422
    s3.client.delete_object(
        Bucket=BUCKET, Key=VersionKey("churn", ModelType.XGBOOST, V1).prefix + SCHEMA
    )
    assert (await give(replica)).status_code == 409
    assert await sql.fetchval("SELECT count(*) FROM feedback") == 0
    assert tables(s3) == []


@pytest.mark.parametrize("sabotage", [KILLED_BEFORE_THE_TABLE, KILLED_AFTER_THE_TABLE])
async def test_a_replica_that_is_killed_loses_nothing_and_nothing_is_there_twice(
    yard: Yard, s3: Gateway, sql: "asyncpg.Connection[asyncpg.Record]", sabotage: str
) -> None:
    put_version(s3)
    doomed = yard.start(sabotage)
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    with pytest.raises(httpx.RemoteProtocolError):
        await give(doomed, **headers)
    assert doomed.process.wait(10) == -9
    before = [s3.client.head_object(Bucket=BUCKET, Key=key) for key in tables(s3)]
    assert len(before) == (sabotage == KILLED_AFTER_THE_TABLE)
    [left] = await sql.fetch("SELECT * FROM feedback")
    assert left["written_at"] is None

    replica = yard.start()
    await until_written(sql)
    assert tables(s3) == [left["object_key"]]
    for head in before:
        now = s3.client.head_object(Bucket=BUCKET, Key=left["object_key"])
        assert (now["ETag"], now["LastModified"]) == (head["ETag"], head["LastModified"])

    # The key of the request that died is held for as long as that may have taken.
    assert (await give(replica, **headers)).status_code == 409
    await sql.execute("UPDATE idempotency_keys SET locked_until = now()")
    again = await kept(replica, **headers)
    assert again["feedback_id"] == str(left["id"])
    assert await sql.fetchval("SELECT count(*) FROM feedback_rows") == 1
    assert await sql.fetchval("SELECT count(*) FROM analises WHERE tipo = 'feedback'") == 1
    assert tables(s3) == [left["object_key"]]


async def test_what_the_store_did_not_take_is_written_by_any_replica_once(
    yard: Yard, s3: Gateway, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    put_version(s3)
    first = yard.start(STORE_TAKES_NOTHING)
    answers = await asyncio.gather(*(kept(first, row(number, "a", "no")) for number in range(20)))
    assert not any(one["written"] for one in answers)
    assert tables(s3) == []
    first.process.kill()
    # One that can never be written is not in the way.
    await sql.execute(
        "UPDATE feedback SET columns = '{}' WHERE id = (SELECT id FROM feedback LIMIT 1)"
    )
    replicas = [yard.start(), yard.start()]
    await until_written(sql, but=1)
    done = [
        item["object_key"]
        for item in await sql.fetch("SELECT * FROM feedback WHERE written_at IS NOT NULL")
    ]
    assert len(done) == 19
    assert sorted(done) == tables(s3)
    assert all(one.process.poll() is None for one in replicas)


async def test_nothing_is_kept_while_postgres_or_the_store_is_away(
    yard: Yard, s3: Gateway, postgres: Postgres, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    put_version(s3)
    replica = yard.start()
    with s3.away():
        answer = await give(replica)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
    assert await sql.fetchval("SELECT count(*) FROM feedback") == 0
    with postgres.killed():
        answer = await give(replica)
        assert (answer.status_code, answer.json()["success"]) == (503, False)
        assert tables(s3) == []
    assert (await kept(replica))["written"] is True


async def test_a_key_makes_one_of_two(
    yard: Yard, s3: Gateway, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    put_version(s3)
    replica = yard.start()
    headers = {"Idempotency-Key": "once"}
    first, second = await kept(replica, **headers), await kept(replica, **headers)
    assert first == second
    assert (await give(replica, row(1, "a", "no"), **headers)).status_code == 422
    others = [await kept(replica), await kept(replica)]
    assert len({one["feedback_id"] for one in (first, *others)}) == 3
    assert await sql.fetchval("SELECT count(*) FROM feedback_rows") == 3
    assert len(tables(s3)) == 3


async def test_how_right_predictions_were(
    yard: Yard, s3: Gateway, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    put_version(s3, age="number")
    put_version(s3, V2, classes=[], age="number")
    replica = yard.start()

    def predicted(prediction: Any, outcome: Any) -> dict[str, Any]:
        return {"features": {"age": 1}, "prediction": prediction, "outcome": outcome}

    answers = ("no", "no"), ("yes", "no"), ("no", "no"), (None, "yes")
    for answer in answers:
        first = await kept(replica, predicted(*answer))
    second = await kept(replica, predicted(10, 12.5), predicted(3.0, 3), version=V2)
    # So new that the repair leaves it alone.
    later = "written_at = NULL, created_at = created_at + interval '1 hour'"
    await sql.execute(f"UPDATE feedback SET {later} WHERE version = $1", V2)
    async with replica.client(role="viewer") as client:
        path = "/api/v1/models/churn/feedback"
        newest = (await client.get(path, params={"limit": 1})).json()
        oldest = (await client.get(path, params={"cursor": newest["next_cursor"]})).json()
        assert (await client.get(path.replace("churn", "other"))).json()["items"] == []
        assert (await client.get(path, params={"cursor": "AAAA"})).status_code == 422
    [numbers], [classes] = newest["items"], oldest["items"]
    assert oldest["next_cursor"] is None
    assert (numbers["version"], numbers["uri"]) == (V2, second["uri"])
    assert (numbers["rows"], numbers["predicted"], numbers["unwritten"]) == (2, 2, 2)
    assert (numbers["accuracy"], numbers["mean_absolute_error"]) == (None, 1.25)
    assert (classes["version"], classes["uri"]) == (V1, first["uri"])
    assert (classes["rows"], classes["predicted"], classes["unwritten"]) == (4, 3, 0)
    assert (classes["accuracy"], classes["mean_absolute_error"]) == (pytest.approx(2 / 3), None)
    assert classes["first_at"] < classes["last_at"]
