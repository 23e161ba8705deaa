"""What the status says reaches the object store once, in order, and is never overtaken."""

import asyncio
import hashlib
import json
from typing import Any

import pytest
from trainyard_controller.errors import ConflictError
from trainyard_controller.models.objects import Model
from trainyard_controller.models.publication import latest_records, publish
from trainyard_controller.models.transition import (
    OPERATOR,
    promote,
    restored,
    roll_back,
    turn_down,
    unpublished,
)
from trainyard_controller.object_store import Content, ObjectStore, StoreError
from trainyard_schema import (
    Action,
    Candidate,
    CurrentPointer,
    ModelStatus,
    ModelType,
    StorageConfig,
    TransitionRecord,
    VersionKey,
)

from .conftest import BUCKET
from .samples import V1, V2, V3, at, model, uri_of

NOW = at("24T04:00")
POINTER = "models/churn/current.json"


def put_version(s3: Any, version: str) -> str:
    body = json.dumps({"version": version}).encode()
    key = VersionKey("churn", ModelType.XGBOOST, version).manifest
    s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    return hashlib.sha256(body).hexdigest()


def drop_version(s3: Any, version: str) -> None:
    s3.delete_object(Bucket=BUCKET, Key=VersionKey("churn", ModelType.XGBOOST, version).manifest)


def candidate(version: str) -> Candidate:
    return Candidate(
        model_type=ModelType.XGBOOST,
        version=version,
        uri=uri_of(version),
        sha256="ab" * 32,
        run="churn-1",
        since=NOW,
        reasons=[],
    )


def promoted(status: ModelStatus, version: str) -> ModelStatus:
    return promote(status, candidate(version), Action.PROMOTED, by=OPERATOR, why="why", now=NOW)


def holding(status: ModelStatus) -> Model:
    return model(status=status.to_dict())


FIRST = promoted(ModelStatus(published=0), V1)
SECOND = promoted(FIRST, V2)


def pointer(s3: Any) -> CurrentPointer:
    body = s3.get_object(Bucket=BUCKET, Key=POINTER)["Body"].read()
    return CurrentPointer.model_validate_json(body)


def history(s3: Any) -> dict[str, TransitionRecord]:
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix="models/churn/history/")
    return {
        item["Key"].rpartition("/")[2]: TransitionRecord.model_validate_json(
            s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
        )
        for item in listed.get("Contents", [])
    }


async def test_history_and_pointer_say_what_the_status_says(store: ObjectStore, s3: Any) -> None:
    sha256 = put_version(s3, V1)
    assert await publish(store, holding(FIRST), NOW) is None
    assert pointer(s3).to_dict() == {
        "modelType": "xgboost",
        "version": V1,
        "uri": uri_of(V1),
        "manifestSha256": sha256,
        "updatedAt": "2026-11-24T04:00:00Z",
        "transition": 1,
    }
    [record] = history(s3).values()
    assert (record.number, record.model, record.namespace) == (1, "churn", "lab")
    assert (record.by, record.why, record.manifest_sha256) == ("operator", "why", sha256)
    assert record.from_ is None
    assert record.to == FIRST.champion


async def test_published_again_nothing_changes(store: ObjectStore, s3: Any) -> None:
    put_version(s3, V1)
    await publish(store, holding(FIRST), NOW)
    before = {
        key: s3.get_object(Bucket=BUCKET, Key=key)["LastModified"]
        for key in (POINTER, "models/churn/history/00000001.json")
    }
    assert await publish(store, holding(FIRST), at("25T04:00")) is None
    assert pointer(s3).updated_at == NOW
    assert {key: s3.get_object(Bucket=BUCKET, Key=key)["LastModified"] for key in before} == before


async def test_what_happened_while_the_store_was_away_is_all_in_the_history(
    store: ObjectStore, s3: Any
) -> None:
    put_version(s3, V1)
    put_version(s3, V2)
    assert SECOND.champion is not None
    assert SECOND.previous is not None
    back = roll_back(SECOND, SECOND.previous, by="me", why="worse", now=NOW)
    assert await publish(store, holding(back), NOW) is None
    assert [(name, one.action, one.version) for name, one in history(s3).items()] == [
        ("00000001.json", "Promoted", V1),
        ("00000002.json", "Promoted", V2),
        ("00000003.json", "RolledBack", V1),
    ]
    assert (pointer(s3).version, pointer(s3).transition) == (V1, 3)


async def test_a_rejection_is_in_the_history_and_the_pointer_stays(
    store: ObjectStore, s3: Any
) -> None:
    put_version(s3, V1)
    status = turn_down(FIRST, candidate(V2), by="me", why="no", now=NOW)
    assert await publish(store, holding(status), NOW) is None
    assert list(history(s3)) == ["00000001.json", "00000002.json"]
    assert (pointer(s3).version, pointer(s3).transition) == (V1, 1)


async def test_a_rejection_before_there_is_a_champion(store: ObjectStore, s3: Any) -> None:
    status = turn_down(ModelStatus(published=0), candidate(V2), by="me", why="no", now=NOW)
    assert await publish(store, holding(status), NOW) is None
    [record] = history(s3).values()
    assert (record.to, record.manifest_sha256) == (None, None)
    assert await store.get(POINTER) is None


async def test_a_version_that_is_gone_is_not_published(store: ObjectStore, s3: Any) -> None:
    put_version(s3, V1)
    await publish(store, holding(FIRST), NOW)
    problem = await publish(store, holding(SECOND), NOW)
    assert problem is not None
    assert problem.reason == "VersionMissing"
    assert uri_of(V2) in problem.message
    assert pointer(s3).version == V1
    assert list(history(s3)) == ["00000001.json"]
    # A rollback goes on from there, and leaves no gap.
    assert SECOND.previous is not None
    back = roll_back(SECOND, SECOND.previous, by="me", why="gone", now=NOW)
    assert await publish(store, holding(back), NOW) is None
    assert [one.manifest_sha256 is None for one in history(s3).values()] == [False, True, False]
    assert (pointer(s3).version, pointer(s3).transition) == (V1, 3)


async def test_an_operator_with_a_stale_cache_cannot_bring_the_past_back(
    store: ObjectStore, s3: Any
) -> None:
    put_version(s3, V1)
    put_version(s3, V2)
    await publish(store, holding(SECOND), NOW)
    problem = await publish(store, holding(FIRST), NOW)
    assert problem is not None
    assert (pointer(s3).version, pointer(s3).transition) == (V2, 2)


class Held(ObjectStore):
    """An operator that is held up between reading the pointer and writing it."""

    def __init__(self, storage: StorageConfig) -> None:
        super().__init__(storage)
        self.has_read, self.may_write = asyncio.Event(), asyncio.Event()

    async def get(self, key: str) -> Content | None:
        found = await super().get(key)
        if key == POINTER:
            self.has_read.set()
            await self.may_write.wait()
        return found


@pytest.mark.parametrize("there_is_one", [False, True])
async def test_an_operator_that_is_overtaken_in_between_does_not_write(
    store: ObjectStore, s3: Any, *, there_is_one: bool
) -> None:
    for version in (V1, V2, V3):
        put_version(s3, version)
    earlier, later = (SECOND, promoted(SECOND, V3)) if there_is_one else (FIRST, SECOND)
    if there_is_one:
        await publish(store, holding(FIRST), NOW)
    held = Held(StorageConfig(bucket=BUCKET))
    slow = asyncio.create_task(publish(held, holding(earlier), NOW))
    await held.has_read.wait()
    assert await publish(store, holding(later), NOW) is None
    held.may_write.set()
    with pytest.raises(ConflictError):
        await slow
    assert later.champion is not None
    assert pointer(s3).version == later.champion.version


async def test_another_model_of_that_name_is_noticed(store: ObjectStore, s3: Any) -> None:
    for version in (V1, V2):
        put_version(s3, version)
    await publish(store, holding(FIRST), NOW)
    other = promoted(ModelStatus(published=0), V2)
    problem = await publish(store, holding(other), NOW)
    assert problem is not None
    assert problem.reason == "ForeignHistory"
    assert pointer(s3).version == V1
    assert [one.version for one in history(s3).values()] == [V1]


async def test_a_pointer_that_someone_has_edited_is_mended(store: ObjectStore, s3: Any) -> None:
    put_version(s3, V1)
    await publish(store, holding(FIRST), NOW)
    edited = pointer(s3).model_copy(update={"version": V2, "uri": uri_of(V2)})
    s3.put_object(Bucket=BUCKET, Key=POINTER, Body=edited.to_json().encode())
    assert await publish(store, holding(FIRST), NOW) is None
    assert pointer(s3).version == V1


async def test_a_pointer_that_cannot_be_read_is_written_anew(store: ObjectStore, s3: Any) -> None:
    put_version(s3, V1)
    s3.put_object(Bucket=BUCKET, Key=POINTER, Body=b"{")
    assert await publish(store, holding(FIRST), NOW) is None
    assert pointer(s3).version == V1


async def test_a_model_that_is_created_again_goes_on_where_it_ended(
    store: ObjectStore, s3: Any
) -> None:
    for version in (V1, V2, V3):
        put_version(s3, version)
    rejected = turn_down(SECOND, candidate(V3), by="me", why="no", now=NOW)
    await publish(store, holding(rejected), NOW)
    again = restored(ModelStatus(), await latest_records(store, "churn"))
    assert again.champion == SECOND.champion
    assert again.previous == SECOND.previous
    assert again.history == rejected.history
    assert again.published == 0
    # What the pointer lacks, for its operator was killed, is made up for.
    s3.delete_object(Bucket=BUCKET, Key=POINTER)
    assert await publish(store, holding(again), NOW) is None
    assert pointer(s3).version == V2
    third = promoted(again, V3)
    assert await publish(store, holding(third), NOW) is None
    assert pointer(s3).transition == 4
    assert len(history(s3)) == 4


async def test_of_a_long_history_the_end_is_read(store: ObjectStore, s3: Any) -> None:
    put_version(s3, V1)
    put_version(s3, V2)
    status = ModelStatus(published=0)
    for number in range(1, 13):
        status = promoted(status, (V1, V2)[number % 2])
        assert await publish(store, holding(status), NOW) is None
        status = status.model_copy(update={"published": number})
    records = await latest_records(store, "churn")
    assert [one.number for one in records] == list(range(3, 13))
    assert unpublished(status) == []


async def test_a_record_that_cannot_be_read_is_told(store: ObjectStore, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="models/churn/history/00000001.json", Body=b"{}")
    with pytest.raises(StoreError, match=r"00000001\.json is no transition"):
        await latest_records(store, "churn")


async def test_a_store_that_refuses_or_does_not_answer(s3: Any) -> None:
    other = ObjectStore(StorageConfig(bucket="another"))
    with pytest.raises(StoreError, match=r"refuses access to bucket another \(NoSuchBucket\)"):
        await publish(other, holding(FIRST), NOW)
    away = ObjectStore(StorageConfig(bucket=BUCKET, endpoint_url="http://127.0.0.1:1"))
    with pytest.raises(StoreError, match=r"cannot be reached \(EndpointConnectionError\)"):
        await publish(away, holding(FIRST), NOW)


async def test_a_store_that_did_not_answer_is_left_alone_for_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    connections = 0

    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        away = ObjectStore(StorageConfig(bucket=BUCKET, endpoint_url=f"http://127.0.0.1:{port}"))
        for _ in range(3):
            with pytest.raises(StoreError, match="cannot be reached"):
                await away.get(POINTER)
        assert connections == 1
        monkeypatch.setattr(away, "_away_until", 0.0)
        with pytest.raises(StoreError, match="cannot be reached"):
            await away.get(POINTER)
        assert connections == 2
