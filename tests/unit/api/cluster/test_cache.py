"""What a replica believes when lists, events and answers arrive in any order."""

import asyncio
import random
from typing import Any

import pytest
from trainyard_api.cluster import UnavailableError
from trainyard_api.cluster.cache import STALE_SECONDS, ObjectCache


def document(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": str(version), "managedFields": ["…"]}}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> ObjectCache[dict[str, Any]]:
    cache = ObjectCache("TrainingJob", make=dict[str, Any], clock=clock)
    cache.replace([document("a", 1), document("b", 2)], 5)
    return cache


def known(cache: ObjectCache[dict[str, Any]]) -> dict[str, int]:
    return {one["metadata"]["name"]: int(one["metadata"]["resourceVersion"]) for one in cache.all()}


def test_events_in_their_order(cache: ObjectCache[dict[str, Any]]) -> None:
    cache.changed(document("a", 6))
    cache.changed(document("c", 7))
    cache.deleted(document("b", 8))
    assert known(cache) == {"a": 6, "c": 7}
    assert cache.resource_version == "8"
    assert "managedFields" not in (cache.get("a") or {})["metadata"]


def test_an_answer_is_known_at_once_and_until_the_watch_is_as_far(
    cache: ObjectCache[dict[str, Any]],
) -> None:
    cache.put(document("mine", 9))
    cache.changed(document("a", 8))
    cache.replace([document("a", 8)], 8)
    assert known(cache) == {"a": 8, "mine": 9}
    assert cache.resource_version == "8"
    cache.replace([document("a", 8)], 10)
    assert known(cache) == {"a": 8}


def test_an_answer_that_comes_late_does_not_bring_back_what_was_deleted(
    cache: ObjectCache[dict[str, Any]],
) -> None:
    cache.deleted(document("a", 6))
    assert cache.put(document("a", 1))["metadata"]["name"] == "a"
    assert "a" not in known(cache)


def test_an_event_that_comes_late_takes_nothing_back(cache: ObjectCache[dict[str, Any]]) -> None:
    cache.put(document("a", 9))
    cache.changed(document("a", 7))
    cache.deleted(document("a", 8))
    assert known(cache)["a"] == 9


def test_a_cluster_restored_from_a_backup_is_believed(cache: ObjectCache[dict[str, Any]]) -> None:
    cache.changed(document("a", 90))
    cache.replace([document("a", 3), document("c", 4)], 4)
    assert known(cache) == {"a": 3, "c": 4}


def test_any_order_ends_in_what_the_cluster_has() -> None:
    """Writes of this replica race with the watch and with new lists; 300 random histories."""
    for seed in range(300):
        chance = random.Random(seed)
        cache = ObjectCache("TrainingJob", make=dict[str, Any])
        cache.replace([], 0)
        cluster: dict[str, int] = {}
        unseen: list[tuple[str, dict[str, Any]]] = []
        answers: list[dict[str, Any]] = []
        for version in range(1, 30):
            name = chance.choice("abc")
            if name in cluster and chance.random() < 0.4:
                del cluster[name]
                unseen.append(("deleted", document(name, version)))
            else:
                cluster[name] = version
                unseen.append(("changed", document(name, version)))
                answers.append(document(name, version))
            while unseen and chance.random() < 0.5:
                event, about = unseen.pop(0)
                getattr(cache, event)(about)
            if answers and chance.random() < 0.5:
                cache.put(answers.pop(chance.randrange(len(answers))))
            if chance.random() < 0.1:
                cache.replace([document(*item) for item in cluster.items()], version)
                unseen.clear()
        for answer in answers:
            cache.put(answer)
        for event, about in unseen:
            getattr(cache, event)(about)
        assert known(cache) == cluster, seed


def test_nothing_is_said_before_the_first_list() -> None:
    cache = ObjectCache("TrainingJob", make=dict[str, Any])
    with pytest.raises(UnavailableError, match="not been read yet"):
        cache.get("a")
    assert not cache.synced


def test_what_is_too_old_is_not_said(cache: ObjectCache[dict[str, Any]], clock: Clock) -> None:
    clock.now = STALE_SECONDS
    assert len(cache.all()) == 2
    clock.now += 1
    with pytest.raises(UnavailableError, match="nothing has been heard of the TrainingJobs"):
        cache.all()
    cache.heard(6)
    assert cache.age_seconds == 0
    assert len(cache.all()) == 2


async def test_subscribers_hear_of_what_they_asked_for(cache: ObjectCache[dict[str, Any]]) -> None:
    async with cache.subscribe("a") as one, cache.subscribe() as everything:
        cache.changed(document("b", 6))
        for version in range(7, 1000):
            cache.changed(document("a", version))
        cache.changed(document("a", 999))
        cache.deleted(document("b", 1000))
        assert await anext(one) == "a"
        assert [await anext(everything), await anext(everything)] == ["b", "a"]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await anext(one)
        cache.deleted(document("a", 1001))
        assert (await anext(one), await anext(everything)) == ("a", "a")
    cache.changed(document("a", 1002))
    assert not cache._subscriptions
