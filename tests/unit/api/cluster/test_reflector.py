"""What breaks between the API server and a cache, and that it mends."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from trainyard_api.cluster import TRAINING_JOB, reflector
from trainyard_api.cluster.cache import ObjectCache
from trainyard_api.cluster.reflector import Reflector, running
from trainyard_api.trainings.training_job import TrainingJob

from ..fake import FakeApi, FakeCluster, api_error, settled

Cache = ObjectCache[TrainingJob]


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflector, "_LONGEST_PAUSE_SECONDS", 0.01)


def job(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"modelType": "xgboost"}}


@pytest.fixture
async def cache(cluster: FakeApi) -> AsyncIterator[Cache]:
    for number in range(5):
        cluster.put(job(f"job-{number}"))
    cache = ObjectCache("TrainingJob", make=TrainingJob)
    async with running([Reflector(FakeCluster(cluster), TRAINING_JOB, cache)]):
        yield cache


async def known(cache: Cache, cluster: FakeApi) -> set[str]:
    await settled(cluster, cache)
    return {one["metadata"]["name"] for one in cache.all()}


async def test_listed_in_chunks_then_watched(cache: Cache, cluster: FakeApi) -> None:
    assert await known(cache, cluster) == set(cluster.stored)
    cluster.put(job("new"))
    cluster.delete("job-0")
    cluster.set_status("job-1", phase="Running")
    assert await known(cache, cluster) == set(cluster.stored)
    changed = cache.get("job-1")
    assert changed is not None
    assert changed["status"] == {"phase": "Running"}
    assert cluster.calls == ["list"] * 3 + ["watch"]


async def test_a_list_that_expires_is_begun_again(cache: Cache, cluster: FakeApi) -> None:
    def expire_once(verb: str) -> None:
        if cluster.calls.count("list") == 2:
            raise api_error(410, "the provided continue parameter is too old")

    cluster.fault = expire_once
    assert await known(cache, cluster) == set(cluster.stored)


async def test_a_watch_that_ends_goes_on_where_it_was(cache: Cache, cluster: FakeApi) -> None:
    await known(cache, cluster)
    cluster.cut()
    cluster.put(job("while-it-was-cut"))
    assert "while-it-was-cut" in await known(cache, cluster)
    assert cluster.calls.count("list") == 3


async def test_what_was_forgotten_is_listed_anew(cache: Cache, cluster: FakeApi) -> None:
    await known(cache, cluster)
    cluster.cut()
    cluster.delete("job-0")
    cluster.put(job("new"))
    cluster.forget()
    assert await known(cache, cluster) == set(cluster.stored)
    assert cluster.calls.count("list") == 6


@pytest.mark.parametrize(
    "error",
    [
        aiohttp.ClientConnectionError("refused"),
        aiohttp.ClientPayloadError("cut"),
        TimeoutError(),
        api_error(500, "etcdserver: leader changed"),
        api_error(403, 'User "x" cannot watch'),
        ZeroDivisionError("a mistake of ours"),
    ],
)
async def test_no_failure_is_the_end(cache: Cache, cluster: FakeApi, error: Exception) -> None:
    await known(cache, cluster)

    def fault(_: str) -> None:
        if len(cluster.calls) < 12:
            raise error

    cluster.calls.clear()
    cluster.fault = fault
    cluster.cut()
    cluster.put(job("new"))
    assert "new" in await known(cache, cluster)


async def test_a_watch_without_a_word_is_no_silence(cluster: FakeApi) -> None:
    """Nothing may happen for hours; that the API server begins and ends watches is a word."""
    times = [0.0]
    cluster.bookmarks = False
    cache = ObjectCache("TrainingJob", make=TrainingJob, clock=lambda: times[-1])
    async with (
        asyncio.timeout(5),
        running([Reflector(FakeCluster(cluster), TRAINING_JOB, cache)]),
    ):
        for _ in range(3):
            times.append(times[-1] + 100)
            cluster.cut()
            while cache.age_seconds > 0:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.001)
    assert cluster.calls.count("list") == 1


async def test_failures_are_followed_by_longer_and_longer_pauses(
    monkeypatch: pytest.MonkeyPatch, cluster: FakeApi
) -> None:
    monkeypatch.setattr(reflector, "_LONGEST_PAUSE_SECONDS", 10.0)
    one = Reflector(FakeCluster(cluster), TRAINING_JOB, ObjectCache("x", make=TrainingJob))
    pauses = [one._pause() for _ in range(12)]
    assert 0.1 <= pauses[0] <= 0.2
    assert all(5 <= pause <= 10 for pause in pauses[6:])
