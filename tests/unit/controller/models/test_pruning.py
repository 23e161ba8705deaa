"""Versions that nobody uses go, the oldest first, and nothing else ever does."""

from datetime import timedelta
from typing import Any

import pytest
from trainyard_controller.models.pruning import delete, doomed, in_use, read_pointers
from trainyard_controller.object_store import Entry, ObjectStore, StoreError
from trainyard_schema import Candidate, CurrentPointer, ModelStatus, VersionKey

from .conftest import BUCKET
from .samples import V1, V2, V3, V4, at, champion, model, run, spec_of, uri_of

NOW = at("25T04:00")
ALL = (V1, V2, V3, V4)


def entries(*versions: str, kind: str = "xgboost", manifest: bool = True) -> list[Entry]:
    names = ["a-plot.svg", "model.ubj", *(["manifest.json"] if manifest else [])]
    return [
        Entry(f"models/churn/{kind}/{version}/{name}", NOW - timedelta(hours=1))
        for version in versions
        for name in names
    ]


def gone(found: list[Entry], used: set[str], newest: int) -> list[str]:
    return [one.key.version for one in doomed(found, used, newest, NOW)]


def test_the_newest_stay() -> None:
    assert gone(entries(*ALL), set(), 2) == [V2, V1]
    assert gone(entries(*ALL), set(), 4) == []
    assert gone(entries(*ALL), set(), 0) == [V4, V3, V2, V1]


def test_of_all_types_together_the_newest_stay() -> None:
    found = entries(V1, V4) + entries(V2, V3, kind="neural-net")
    assert gone(found, set(), 2) == [V2, V1]


def test_what_is_used_stays_and_does_not_count() -> None:
    assert gone(entries(*ALL), {V1, V3}, 1) == [V2]


def test_the_manifest_goes_first() -> None:
    [version] = doomed(entries(V1), set(), 0, NOW)
    prefix = f"models/churn/xgboost/{V1}/"
    names = ["manifest.json", "a-plot.svg", "model.ubj"]
    assert list(version.keys) == [prefix + name for name in names]


def test_what_is_no_version_stays() -> None:
    keys = [
        "models/churn/current.json",
        "models/churn/xgboost/current.json",
        "models/churn/history/00000001.json",
        f"models/churn/xgboost/fingerprints/{'ab' * 32}.json",
        f"models/churn/xgboost/notes/{V1}.md",
        f"models/churn/svm/{V1}/manifest.json",
    ]
    found = [Entry(key, NOW - timedelta(days=900)) for key in keys]
    assert doomed(found, set(), 0, NOW) == []


def test_leftovers_of_an_upload_go_after_a_day() -> None:
    young = entries(V1, manifest=False)
    assert gone(young, set(), 10) == []
    old = [Entry(entry.key, NOW - timedelta(hours=25)) for entry in young]
    assert gone(old, set(), 10) == [V1]
    # An upload that goes on has a file that is young.
    assert gone([old[0], young[1]], set(), 10) == []


def test_what_is_in_use() -> None:
    names = [f"2026110{day}T030500Z-0000000{day}" for day in range(1, 8)]
    candidate = Candidate.model_validate(
        {
            **champion(names[2]).to_dict(),
            "transition": 1,
            "reasons": [],
        },
        extra="ignore",
    )
    status = ModelStatus(
        champion=champion(names[0], 2), previous=champion(names[1]), candidates=[candidate]
    )
    pointer = CurrentPointer.model_validate(
        {"version": names[3], "uri": "", "manifestSha256": "", "updatedAt": NOW}
    )
    runs = [
        run("a", "2026-11-24T03:00:00Z", "Running", champion=uri_of(names[4])),
        run("b", "2026-11-24T03:00:00Z", "Running"),
        run("c", "2026-11-24T03:00:00Z", "Succeeded", champion=uri_of(names[6])),
    ]
    spec = spec_of(model(pinned=[names[5]]))
    assert in_use(status, spec, runs, [pointer]) == set(names[:6])


async def test_pointers_of_all_types_are_read(store: ObjectStore, s3: Any) -> None:
    for place, version in (("", V1), ("xgboost/", V2), ("neural-net/", V3)):
        body = CurrentPointer.model_validate(
            {"version": version, "uri": "", "manifestSha256": "", "updatedAt": NOW}
        ).to_json()
        s3.put_object(Bucket=BUCKET, Key=f"models/churn/{place}current.json", Body=body)
    found = await read_pointers(store, "churn")
    assert sorted(one.version for one in found) == [V1, V2, V3]
    s3.put_object(Bucket=BUCKET, Key="models/churn/random-forest/current.json", Body=b"{}")
    with pytest.raises(StoreError, match="names no version"):
        await read_pointers(store, "churn")


async def test_a_version_is_deleted_with_all_its_files(store: ObjectStore, s3: Any) -> None:
    for entry in entries(V1, V2):
        s3.put_object(Bucket=BUCKET, Key=entry.key, Body=b"x")
    found = await store.entries("models/churn/")
    [version] = doomed(found, {V2}, 0, NOW)
    await delete(store, version)
    left = {VersionKey.from_key(entry.key) for entry in await store.entries("models/")}
    assert [key.version for key in left if key] == [V2]
