import asyncio
from collections.abc import Awaitable, Callable

import pytest
from trainyard_controller.errors import ConflictError, RefusedError, UnavailableError
from trainyard_controller.objects import Key
from trainyard_controller.worker import work
from trainyard_controller.workqueue import WorkQueue
from trainyard_schema import names

KEY: Key = ("lab", "churn")
BASE_DELAY = 0.01


SENTINEL: Key = ("lab", "sentinel")


async def calls_of(
    reconcile: Callable[[int], Awaitable[None]], queue: WorkQueue[Key], *, expected: int
) -> int:
    """How often one worker handles the key. `reconcile` gets the number of the call.

    After the expected calls another key becomes due later than any retry would: when it is handled,
    nothing more is to come.
    """
    calls = 0
    enough, over = asyncio.Event(), asyncio.Event()

    async def count(key: Key) -> None:
        nonlocal calls
        if key == SENTINEL:
            over.set()
            return
        calls += 1
        if calls == expected:
            enough.set()
        await reconcile(calls)

    queue.add(KEY)
    worker = asyncio.create_task(work(names.KIND, queue, count, lambda _: None))
    async with asyncio.timeout(30):
        await enough.wait()
        queue.add_after(SENTINEL, 20 * BASE_DELAY)
        await over.wait()
    worker.cancel()
    return calls


@pytest.mark.parametrize(
    "error",
    [
        ConflictError("changed"),
        UnavailableError("down"),
        RefusedError("no", status=403),
        ValueError("a bug"),
    ],
)
async def test_whatever_fails_is_tried_again_and_the_worker_lives(error: Exception) -> None:
    async def reconcile(call: int) -> None:
        if call == 1:
            raise error

    assert await calls_of(reconcile, WorkQueue(base_delay=BASE_DELAY), expected=2) == 2


async def test_what_succeeds_is_not() -> None:
    async def reconcile(call: int) -> None:
        pass

    assert await calls_of(reconcile, WorkQueue(base_delay=BASE_DELAY), expected=1) == 1


async def test_a_key_added_while_it_is_handled_is_handled_again() -> None:
    queue: WorkQueue[Key] = WorkQueue(base_delay=BASE_DELAY)

    async def reconcile(call: int) -> None:
        if call == 1:
            queue.add(KEY)

    assert await calls_of(reconcile, queue, expected=2) == 2
