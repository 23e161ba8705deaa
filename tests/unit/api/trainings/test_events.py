"""What followers of a training are told, and what costs nothing for each of them."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from trainyard_api.cluster.cache import ObjectCache
from trainyard_api.trainings.events import job_events, seen_version
from trainyard_api.trainings.training_job import TrainingJob


def job(version: int, phase: str | None = None) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "churn",
            "resourceVersion": str(version),
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {"modelType": "xgboost"},
        "status": {"phase": phase} if phase else {},
    }


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jobs(clock: Clock) -> ObjectCache[TrainingJob]:
    jobs = ObjectCache("TrainingJob", make=TrainingJob, clock=clock)
    jobs.replace([job(5)], 5)
    return jobs


def parsed(events: Iterable[bytes]) -> list[dict[str, str]]:
    return [
        dict(line.split(": ", 1) for line in event.decode().strip().splitlines())
        for event in events
    ]


async def all_of(events: AsyncIterator[bytes]) -> list[dict[str, str]]:
    async with asyncio.timeout(5):
        return parsed([event async for event in events])


async def test_from_now_to_the_end(jobs: ObjectCache[TrainingJob]) -> None:
    events = job_events(jobs, "churn", seen=0)
    first = parsed([await anext(events)])[0]
    assert (first["event"], first["id"]) == ("job", "5")
    assert json.loads(first["data"])["status"] == "started"
    jobs.changed(job(6, "Running"))
    running = parsed([await anext(events)])[0]
    assert json.loads(running["data"])["status"] == "running"
    jobs.changed(job(7, "Running"))
    jobs.changed(job(8, "Running"))
    jobs.changed(job(9, "Succeeded"))
    last, end = await all_of(events)
    # Who is slow gets the newest state only.
    assert (last["id"], json.loads(last["data"])["status"]) == ("9", "completed")
    assert end == {"event": "end", "data": '{"status": "completed"}'}


@pytest.mark.parametrize(("seen", "ids"), [(0, ["9"]), (8, ["9"]), (9, []), (10, [])])
async def test_nothing_is_told_twice(
    jobs: ObjectCache[TrainingJob], seen: int, ids: list[str]
) -> None:
    jobs.changed(job(9, "Failed"))
    *told, end = await all_of(job_events(jobs, "churn", seen=seen))
    assert [event["id"] for event in told] == ids
    assert json.loads(end["data"]) == {"status": "failed"}


async def test_a_replica_that_is_behind_tells_no_older_state(
    jobs: ObjectCache[TrainingJob],
) -> None:
    events = job_events(jobs, "churn", seen=7)
    waiting = asyncio.ensure_future(anext(events))
    for version in (6, 7, 8):
        await asyncio.sleep(0)
        jobs.changed(job(version, "Running"))
    assert parsed([await waiting])[0]["id"] == "8"
    await events.aclose()


async def test_one_that_is_deleted(jobs: ObjectCache[TrainingJob]) -> None:
    events = job_events(jobs, "churn", seen=5)
    waiting = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    jobs.deleted(job(6))
    assert parsed([await waiting]) == [{"event": "end", "data": '{"status": "deleted"}'}]


async def test_a_cluster_that_is_silent_ends_the_stream_without_end(
    jobs: ObjectCache[TrainingJob], clock: Clock
) -> None:
    clock.now = 100
    assert await all_of(job_events(jobs, "churn", seen=0)) == []


async def test_a_thousand_followers_share_one_rendering(jobs: ObjectCache[TrainingJob]) -> None:
    followers = [job_events(jobs, "churn", seen=5) for _ in range(1000)]
    waiting = [asyncio.ensure_future(anext(follower)) for follower in followers]
    await asyncio.sleep(0)
    jobs.changed(job(6, "Running"))
    told = await asyncio.gather(*waiting)
    assert len({id(event) for event in told}) == 1
    for follower in followers:
        await follower.aclose()
    assert not jobs._subscriptions


@pytest.mark.parametrize(
    ("given", "version"), [(None, 0), ("", 0), ("x", 0), ("-1", 0), ("²", 0), ("17", 17)]
)
def test_ids_that_are_none_of_ours(given: str | None, version: int) -> None:
    assert seen_version(given) == version
