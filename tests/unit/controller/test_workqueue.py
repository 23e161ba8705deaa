import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trainyard_controller.workqueue import Lane, QueueClosed, WorkQueue

KEYS = st.sampled_from("abc")
STEPS = st.lists(st.tuples(st.sampled_from(["add", "get", "done"]), KEYS), max_size=60)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_a_key_is_never_held_twice_and_never_lost(steps: list[tuple[str, str]]) -> None:
    async def scenario() -> None:
        queue: WorkQueue[str] = WorkQueue(lane=lambda key: Lane("abc".index(key)))
        held: set[str] = set()
        owed: set[str] = set()  # added, and not handed out since
        for step, key in steps:
            if step == "add":
                queue.add(key)
                owed.add(key)
            elif step == "get" and len(queue):
                got = await queue.get()
                assert got not in held
                held.add(got)
                owed.remove(got)
            elif step == "done" and key in held:
                queue.done(key)
                held.remove(key)
            assert len(queue) == len(owed - held)
        for key in held:
            queue.done(key)
        handed_out = {await queue.get() for _ in range(len(queue))}
        assert handed_out == owed

    asyncio.run(scenario())


async def test_get_waits_for_a_key() -> None:
    queue: WorkQueue[str] = WorkQueue()
    getting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not getting.done()
    queue.add("a")
    assert await getting == "a"


async def test_two_workers_get_two_keys() -> None:
    queue: WorkQueue[str] = WorkQueue()
    workers = [asyncio.create_task(queue.get()) for _ in range(2)]
    await asyncio.sleep(0)
    queue.add("a")
    queue.add("b")
    assert sorted(await asyncio.gather(*workers)) == ["a", "b"]


async def test_urgent_keys_overtake_all_others_and_keep_their_order() -> None:
    urgent: set[str] = set()
    queue: WorkQueue[str] = WorkQueue(
        lane=lambda key: Lane.URGENT if key in urgent else Lane.UNDER_WAY
    )
    for key in "abcd":
        queue.add(key)
    urgent.update("cdx")
    for key in "dcxd":
        queue.add(key)
    assert len(queue) == 5
    assert [await queue.get() for _ in range(5)] == list("dcxab")


async def test_fresh_keys_and_those_under_way_take_turns() -> None:
    queue: WorkQueue[str] = WorkQueue(
        lane=lambda key: Lane.FRESH if key.isupper() else Lane.UNDER_WAY
    )
    for key in "ABCDabe":
        queue.add(key)
    assert [await queue.get() for _ in range(7)] == list("AaBbCeD")


async def test_a_key_waits_in_one_lane_only() -> None:
    lanes = {"a": Lane.FRESH}
    queue = WorkQueue(lane=lanes.__getitem__)
    queue.add("a")
    for lane in Lane:
        lanes["a"] = lane
        queue.add("a")
        assert len(queue) == 1
    assert [await queue.get(), len(queue)] == ["a", 0]


async def test_of_several_delays_the_earliest_counts() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 30)
    queue.add_after("a", 0.01)
    queue.add_after("a", 60)
    async with asyncio.timeout(5):
        assert await queue.get() == "a"
    assert len(queue) == 0


async def test_no_delay_means_at_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", -5)
    assert len(queue) == 1


async def test_failures_are_retried_ever_later_until_one_succeeds() -> None:
    queue: WorkQueue[str] = WorkQueue(base_delay=1, max_delay=8)
    delays = [queue.retry("a") for _ in range(6)]
    for delay, longest in zip(delays, [1, 2, 4, 8, 8, 8], strict=True):
        assert longest / 2 <= delay <= longest
    queue.succeeded("a")
    assert queue.retry("a") <= 1


async def test_tries_that_events_bring_early_put_the_planned_one_off_no_further() -> None:
    queue: WorkQueue[str] = WorkQueue(base_delay=0.2)
    queue.add("a")
    await queue.get()
    planned = queue.retry("a")
    queue.done("a")
    for _ in range(10):
        queue.add("a")
        await queue.get()
        assert queue.retry("a") <= planned
        queue.done("a")
    async with asyncio.timeout(5):
        await queue.get()
    assert 0.2 <= queue.retry("a") <= 0.4


async def test_a_server_that_asks_for_time_gets_it() -> None:
    assert WorkQueue[str]().retry("a", at_least=17) == 17


async def test_a_forgotten_key_does_not_come_back() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 0.01)
    queue.forget("a")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await queue.get()


async def test_age_counts_waiting_and_work_but_not_the_pause_before_a_retry() -> None:
    queue: WorkQueue[str] = WorkQueue()
    assert queue.oldest_age == 0
    queue.add("a")
    await asyncio.sleep(0.02)
    assert queue.oldest_age >= 0.02
    key = await queue.get()
    assert queue.oldest_age >= 0.02
    queue.retry(key)
    queue.done(key)
    assert queue.oldest_age == 0


async def test_workers_that_are_behind_are_not_stalled_and_those_that_hang_are() -> None:
    queue: WorkQueue[str] = WorkQueue()
    assert queue.stalled_seconds == 0
    for key in "abc":
        queue.add(key)
    await asyncio.sleep(0.05)
    assert queue.stalled_seconds >= 0.05
    key = await queue.get()
    assert (queue.stalled_seconds < 0.05, queue.oldest_age >= 0.05) == (True, True)
    await asyncio.sleep(0.05)
    assert queue.stalled_seconds >= 0.05
    queue.done(key)
    assert queue.stalled_seconds < 0.05


async def test_a_queue_that_was_empty_for_long_is_not_stalled_by_its_first_key() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.done(await queue.get())
    await asyncio.sleep(0.05)
    assert queue.stalled_seconds == 0
    queue.add("b")
    assert queue.stalled_seconds < 0.05


async def test_a_closed_queue_hands_out_nothing_more() -> None:
    queue: WorkQueue[str] = WorkQueue()
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.close()
    with pytest.raises(QueueClosed):
        await waiting
    queue.add("a")
    with pytest.raises(QueueClosed):
        await queue.get()


async def test_a_queue_that_is_restarted_has_these_keys_only_and_none_is_late() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in "abc":
        queue.add(key)
    await asyncio.sleep(0.05)
    queue.restart(["c", "d"])
    assert queue.oldest_age < 0.05
    assert [await queue.get(), await queue.get(), len(queue)] == ["c", "d", 0]
