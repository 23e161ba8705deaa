import asyncio
from collections.abc import Sequence

import pytest
from trainyard_controller.errors import UnavailableError
from trainyard_controller.failed_creates import FailedCreates
from trainyard_controller.objects import Document, Key
from trainyard_controller.workqueue import WorkQueue

FIRST, SECOND, OTHER = ("lab", "first"), ("lab", "second"), ("other", "first")


def event(uid: str, message: str) -> Document:
    return {"involvedObject": {"uid": uid}, "message": message}


class Events:
    """What is listed, and how often."""

    def __init__(self) -> None:
        self.there = [event("a", "one"), event("b", "two"), event("a", "three")]
        self.read: list[str] = []
        self.away = False

    async def list(self, namespace: str) -> Sequence[Document]:
        self.read.append(namespace)
        await asyncio.sleep(0)
        if self.away:
            raise UnavailableError("away")
        return self.there


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def queue() -> WorkQueue[Key]:
    return WorkQueue()


@pytest.fixture
def failed_creates(events: Events, queue: WorkQueue[Key]) -> FailedCreates:
    return FailedCreates(events.list, queue)


async def drained(queue: WorkQueue[Key]) -> set[Key]:
    found = {await queue.get() for _ in range(len(queue))}
    for key in found:
        queue.done(key)
    return found


async def test_one_listing_answers_for_all_that_ask(
    events: Events, failed_creates: FailedCreates
) -> None:
    asked = [
        failed_creates.of(("lab", f"{uid}-{number}"), uid)
        for uid in ("a", "b", "c")
        for number in range(100)
    ]
    told = await asyncio.gather(*asked)
    assert events.read == ["lab"]
    assert [one["message"] for one in told[0]] == ["one", "three"]
    assert [one["message"] for one in told[100]] == ["two"]
    assert list(told[200]) == []
    await failed_creates.of(OTHER, "c")
    assert events.read == ["lab", "other"]


async def test_those_are_reconciled_that_there_is_news_of(
    events: Events, failed_creates: FailedCreates, queue: WorkQueue[Key]
) -> None:
    for key, uid in ((FIRST, "a"), (SECOND, "c"), (OTHER, "d")):
        await failed_creates.of(key, uid)
    await failed_creates.look()
    assert len(queue) == 0
    events.there.append(event("c", "new"))
    await failed_creates.look()
    assert await drained(queue) == {SECOND}
    assert await failed_creates.of(SECOND, "c") == [event("c", "new")]
    del events.there[:]
    await failed_creates.look()
    assert await drained(queue) == {FIRST, SECOND}


async def test_nothing_is_listed_where_no_run_waits(
    events: Events, failed_creates: FailedCreates, queue: WorkQueue[Key]
) -> None:
    await failed_creates.of(FIRST, "a")
    await failed_creates.of(OTHER, "a")
    failed_creates.forget(FIRST)
    del events.read[:], events.there[:]
    await failed_creates.look()
    assert events.read == ["other"]
    assert await drained(queue) == {OTHER}
    assert await failed_creates.of(FIRST, "a") == []
    assert events.read == ["other", "lab"]


async def test_what_could_not_be_read_is_asked_for_again(
    events: Events, failed_creates: FailedCreates, queue: WorkQueue[Key]
) -> None:
    events.away = True
    with pytest.raises(UnavailableError):
        await failed_creates.of(FIRST, "a")
    events.away = False
    assert len(await failed_creates.of(FIRST, "a")) == 2
    events.away = True
    await failed_creates.look()
    assert (len(queue), len(await failed_creates.of(FIRST, "a"))) == (0, 2)
    events.away = False
    events.there.append(event("a", "four"))
    await failed_creates.look()
    assert await drained(queue) == {FIRST}


async def test_an_event_that_does_not_say_which_job_it_is_about_is_passed_over(
    events: Events, failed_creates: FailedCreates, queue: WorkQueue[Key]
) -> None:
    """Whoever may create Events may create such a one."""
    await failed_creates.of(FIRST, "a")
    events.there += [{"involvedObject": {"name": "x"}, "message": "?"}, event("a", "four")]
    await failed_creates.look()
    assert await drained(queue) == {FIRST}
