import asyncio
from collections.abc import Sequence

import pytest
from trainyard_controller.errors import UnavailableError
from trainyard_controller.failed_creates import SHARED_SECONDS, FailedCreates
from trainyard_controller.objects import Document


def event(uid: str, message: str) -> Document:
    return {"involvedObject": {"uid": uid}, "message": message}


class Events:
    """What is listed, how often, and the time."""

    def __init__(self) -> None:
        self.there = [event("a", "one"), event("b", "two"), event("a", "three")]
        self.read: list[str] = []
        self.now = 0.0
        self.away = False

    async def list(self, namespace: str) -> Sequence[Document]:
        self.read.append(namespace)
        await asyncio.sleep(0)
        if self.away:
            raise UnavailableError("away")
        return self.there


async def test_one_listing_answers_for_all_that_ask() -> None:
    events = Events()
    failed_creates = FailedCreates(events.list, clock=lambda: events.now)
    asked = [failed_creates.of("lab", uid) for uid in ("a", "b", "c") for _ in range(100)]
    told = await asyncio.gather(*asked)
    assert events.read == ["lab"]
    assert [one["message"] for one in told[0]] == ["one", "three"]
    assert [one["message"] for one in told[100]] == ["two"]
    assert list(told[200]) == []


async def test_a_listing_grows_old_and_each_namespace_has_its_own() -> None:
    events = Events()
    failed_creates = FailedCreates(events.list, clock=lambda: events.now)
    await failed_creates.of("lab", "c")
    await failed_creates.of("other", "c")
    events.now = SHARED_SECONDS
    events.there = [event("c", "new")]
    assert await failed_creates.of("lab", "c") == [event("c", "new")]
    assert events.read == ["lab", "other", "lab"]


async def test_what_could_not_be_read_is_asked_for_again() -> None:
    events = Events()
    failed_creates = FailedCreates(events.list, clock=lambda: events.now)
    events.away = True
    with pytest.raises(UnavailableError):
        await failed_creates.of("lab", "a")
    events.away = False
    assert len(await failed_creates.of("lab", "a")) == 2
