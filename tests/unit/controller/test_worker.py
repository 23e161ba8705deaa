import asyncio
from collections.abc import Awaitable, Callable

import pytest
from trainyard_controller.errors import ConflictError, RefusedError, UnavailableError
from trainyard_controller.objects import Key
from trainyard_controller.worker import work
from trainyard_controller.workqueue import WorkQueue

KEY: Key = ("lab", "churn")


async def run(reconcile: Callable[[Key], Awaitable[None]], queue: WorkQueue[Key]) -> None:
    """Let one worker handle the key for long enough that two retries would show."""
    queue.add(KEY)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await work(queue, reconcile)


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
    calls = []

    async def reconcile(key: Key) -> None:
        calls.append(key)
        if len(calls) == 1:
            raise error

    await run(reconcile, WorkQueue(base_delay=0.01))
    assert calls == [KEY, KEY]


async def test_what_succeeds_is_not() -> None:
    calls = []

    async def reconcile(key: Key) -> None:
        calls.append(key)

    await run(reconcile, WorkQueue(base_delay=0.01))
    assert calls == [KEY]


async def test_a_key_added_while_it_is_handled_is_handled_again() -> None:
    queue: WorkQueue[Key] = WorkQueue()
    calls = []

    async def reconcile(key: Key) -> None:
        calls.append(key)
        if len(calls) == 1:
            queue.add(key)

    await run(reconcile, queue)
    assert calls == [KEY, KEY]
