"""The election against Leases in memory, with clocks that the test sets."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trainyard_controller.client import Document
from trainyard_controller.election import (
    Elector,
    LeadershipLostError,
    Sighting,
    is_free,
    sight,
)
from trainyard_controller.errors import ConflictError, UnavailableError
from trainyard_controller.leases import Lease, held_by, released

NOW = datetime(2026, 11, 24, 9, 30, 0, 123456, tzinfo=UTC)
DURATION = 15.0


def lease(holder: str | None = "a", version: str = "1", duration: float = DURATION) -> Lease:
    return Lease(holder=holder, duration=duration, resource_version=version, spec={})


class Store:
    """What an API server does with the one Lease: `Leases` without a network."""

    def __init__(self) -> None:
        self.document: Document | None = None
        self.version = 0
        self.away = False
        self.deaf = False
        """A write is done, and its answer gets lost."""

    async def get(self) -> Lease | None:
        self._answer()
        return None if self.document is None else self._lease(self.document)

    async def create(self, spec: Document) -> Lease:
        self._answer()
        if self.document is not None:
            raise ConflictError("there is one")
        return self._put(spec)

    async def replace(self, before: Lease, spec: Document) -> Lease | None:
        self._answer()
        if self.document is None:
            return None
        if before.resource_version != str(self.version):
            raise ConflictError("changed")
        return self._put(spec)

    def _answer(self) -> None:
        if self.away:
            raise UnavailableError("away")

    def _put(self, spec: Document) -> Lease:
        self.version += 1
        self.document = spec
        if self.deaf:
            raise UnavailableError("no answer")
        return self._lease(spec)

    def _lease(self, spec: Document) -> Lease:
        metadata = {"resourceVersion": str(self.version)}
        return Lease.from_document({"metadata": metadata, "spec": spec})


@dataclass
class Clock:
    """A monotonic clock."""

    time: float = 1000.0

    def __call__(self) -> float:
        return self.time


class Candidate(Elector):
    """An elector whose single steps a test may take, without waiting."""

    def __init__(self, store: Store, identity: str, clock: Callable[[], float]) -> None:
        super().__init__(
            store,  # type: ignore[arg-type]
            identity=identity,
            duration=DURATION,
            clock=clock,
            now=lambda: NOW,
        )

    async def try_to_take(self) -> bool:
        return await self._bounded(self._take)

    async def try_to_renew(self) -> bool:
        return await self._bounded(self._renew)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_only_a_change_prolongs_what_is_believed() -> None:
    first = sight(None, lease(), 10.0)
    assert sight(first, lease(), 20.0) is first
    assert sight(first, lease(version="2"), 20.0).since == 20.0


@pytest.mark.parametrize(
    ("sighting", "now", "free"),
    [
        (None, 0.0, True),
        (Sighting(lease(None), 100.0), 100.0, True),
        (Sighting(lease("a"), 100.0), 114.9, False),
        (Sighting(lease("a"), 100.0), 115.0, True),
        # The holder may have another idea of how long it is to be believed.
        (Sighting(lease("a", duration=60.0), 100.0), 159.0, False),
    ],
)
def test_when_a_lease_may_be_taken(sighting: Sighting | None, now: float, free: bool) -> None:
    assert is_free(sighting, now) is free


def test_what_is_written_is_a_lease_as_kubectl_shows_it() -> None:
    time = "2026-11-24T09:30:00.123456Z"
    first = held_by("a", DURATION, {}, NOW)
    assert first == {
        "holderIdentity": "a",
        "leaseDurationSeconds": 15,
        "acquireTime": time,
        "renewTime": time,
        "leaseTransitions": 0,
    }
    again = held_by("a", DURATION, {**first, "acquireTime": "before"}, NOW)
    assert (again["acquireTime"], again["leaseTransitions"]) == ("before", 0)
    other = held_by("b", DURATION, first, NOW)
    assert (other["acquireTime"], other["leaseTransitions"]) == (time, 1)
    left = released(other, NOW)
    assert "holderIdentity" not in left
    assert held_by("a", DURATION, left, NOW)["leaseTransitions"] == 2


async def test_the_second_waits_until_the_first_is_silent_for_the_whole_duration(
    store: Store, clock: Clock
) -> None:
    a, b = Candidate(store, "a", clock), Candidate(store, "b", clock)
    assert await a.try_to_take()
    assert not await b.try_to_take()
    clock.time += 14.9
    assert not await b.try_to_take()
    # By then, the first has long given up.
    assert not a.leads
    clock.time += 0.1
    assert await b.try_to_take()
    with pytest.raises(LeadershipLostError, match="held by b"):
        await a.try_to_renew()


async def test_each_renewal_counts_anew(store: Store, clock: Clock) -> None:
    a, b = Candidate(store, "a", clock), Candidate(store, "b", clock)
    assert await a.try_to_take()
    for _ in range(10):
        clock.time += 8.0
        assert await a.try_to_renew()
        assert not await b.try_to_take()
        assert a.leads


async def test_a_released_lease_is_taken_at_once(store: Store, clock: Clock) -> None:
    a, b = Candidate(store, "a", clock), Candidate(store, "b", clock)
    assert await a.try_to_take()
    assert not await b.try_to_take()
    await a.release()
    assert not a.leads
    assert await b.try_to_take()
    with pytest.raises(LeadershipLostError):
        await a.try_to_renew()


async def test_what_is_no_longer_held_is_not_released(store: Store, clock: Clock) -> None:
    a, b = Candidate(store, "a", clock), Candidate(store, "b", clock)
    assert await a.try_to_take()
    assert not await b.try_to_take()
    clock.time += DURATION
    assert await b.try_to_take()
    await a.release()
    assert b.leads
    assert store.document is not None
    assert store.document["holderIdentity"] == "b"


async def test_a_renewal_whose_answer_got_lost_is_found_again(store: Store, clock: Clock) -> None:
    a = Candidate(store, "a", clock)
    assert await a.try_to_take()
    store.deaf = True
    assert not await a.try_to_renew()
    store.deaf = False
    assert not await a.try_to_renew()  # the version has changed: by its own write
    assert await a.try_to_renew()


async def test_a_lease_that_was_taken_without_an_answer_is_ones_own(
    store: Store, clock: Clock
) -> None:
    a = Candidate(store, "a", clock)
    store.deaf = True
    assert not await a.try_to_take()
    store.deaf = False
    assert await a.try_to_take()


async def test_a_deleted_lease_is_made_again_by_its_holder_and_not_taken_by_another(
    store: Store, clock: Clock
) -> None:
    a, b = Candidate(store, "a", clock), Candidate(store, "b", clock)
    assert await a.try_to_take()
    assert not await b.try_to_take()
    store.document = None
    assert not await b.try_to_take()
    assert await a.try_to_renew()
    assert not await b.try_to_take()


async def test_a_holder_that_slept_goes_on_only_if_nobody_was_faster(
    store: Store, clock: Clock
) -> None:
    a, b = Candidate(store, "a", clock), Candidate(store, "b", clock)
    assert await a.try_to_take()
    clock.time += 60.0
    with pytest.raises(UnavailableError):
        a.check()
    assert await a.try_to_renew()
    assert a.leads
    assert not await b.try_to_take()
    clock.time += 60.0
    assert await b.try_to_take()
    with pytest.raises(LeadershipLostError):
        await a.try_to_renew()


async def test_it_gives_up_when_the_api_server_is_away_for_too_long() -> None:
    store = Store()
    elector = Elector(store, identity="a", duration=0.3)  # type: ignore[arg-type]
    await elector.acquire()
    store.away = True
    holding = asyncio.create_task(elector.hold())
    await asyncio.wait([holding], timeout=10)
    assert "was not renewed" in str(holding.exception())
    assert not elector.leads


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take"] * 12 + ["renew"] * 2 + ["release", "restart"]),
        st.sampled_from("ab"),
        st.sampled_from([""] * 6 + ["away", "deaf"]),
        st.sampled_from([0.0, 9.0, 15.0]),
    ),
    min_size=20,
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_two_never_lead_at_once(steps: list[tuple[str, str, str, float]]) -> None:
    """Whatever happens, in whatever order, to two candidates whose clocks agree in rate only."""

    async def scenario() -> None:
        store, world = Store(), Clock()
        offsets = {"a": 0.0, "b": 5000.0}

        def start(name: str, life: int) -> Candidate:
            return Candidate(store, f"{name}{life}", lambda: world.time + offsets[name])

        lives = dict.fromkeys("ab", 0)
        candidates = {name: start(name, 0) for name in "ab"}
        for step, name, trouble, passes in steps:
            store.away, store.deaf = trouble == "away", trouble == "deaf"
            one = candidates[name]
            lost = step == "restart"
            try:
                if step == "take" and not one.leads:
                    await one.try_to_take()
                elif step == "renew":
                    await one.try_to_renew()
                elif step == "release":
                    await one.release()
            except LeadershipLostError:
                lost = True
            if lost:
                lives[name] += 1
                candidates[name] = start(name, lives[name])
            assert sum(one.leads for one in candidates.values()) <= 1
            world.time += passes

    asyncio.run(scenario())


def test_a_lease_that_somebody_emptied_is_free() -> None:
    emptied = Lease.from_document({"metadata": {"resourceVersion": "7"}})
    assert emptied == replace(lease(None, "7"), duration=0.0)
