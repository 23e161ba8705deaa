"""Who is let go, whatever happens in between, and what those who wait are told."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from trainyard_controller.cache import Cache
from trainyard_controller.objects import Document, Key
from trainyard_controller.queue import admission as module
from trainyard_controller.queue.admission import TELL_AT_MOST, Admission
from trainyard_controller.queue.order import Limits
from trainyard_controller.queue.priorities import Priorities
from trainyard_controller.workqueue import WorkQueue
from trainyard_schema import Phase, names

TERMINAL = ("Succeeded", "Cancelled")


async def no_classes() -> AsyncIterator[Document]:
    for one in list[Document]():
        yield one


@dataclass
class Run:
    """A TrainingJob and its Job as the API server has them."""

    namespace: str
    name: str
    phase: str | None = None
    job: str | None = None
    """running or suspended"""
    suspend: bool = False
    cancel: bool = False
    queue: dict[str, Any] | None = None
    message: str | None = None

    @property
    def key(self) -> Key:
        return self.namespace, self.name

    @property
    def uid(self) -> str:
        return f"uid-of-{self.name}"

    @property
    def finished(self) -> bool:
        return self.phase in TERMINAL

    def training_job(self, version: int) -> Document:
        status = {"phase": self.phase, "queue": self.queue, "message": self.message}
        return {
            "metadata": {
                "namespace": self.namespace,
                "name": self.name,
                "uid": self.uid,
                "resourceVersion": str(version),
                "creationTimestamp": "2026-11-23T09:00:00Z",
            },
            "spec": {"modelType": "xgboost", "suspend": self.suspend, "cancel": self.cancel},
            "status": {key: value for key, value in status.items() if value is not None},
        }

    def job_document(self, version: int) -> Document:
        return {
            "metadata": {
                "name": names.job_name(self.name, self.uid),
                "uid": f"job-{self.uid}",
                "resourceVersion": str(version),
                "creationTimestamp": "2026-11-23T09:00:00Z",
                "labels": {names.UID_LABEL: self.uid},
            },
            "spec": {"suspend": self.job == "suspended"},
        }


class World:
    """Runs in an API server, and an operator that can be killed at any time."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.runs: dict[Key, Run] = {}
        self.version = 0
        self.writes: Counter[Key] = Counter()

    async def start_operator(self) -> None:
        """A new process, which knows what the API server has."""
        self.cache = Cache()
        self.queue: WorkQueue[Key] = WorkQueue()
        for run in self.runs.values():
            self.publish(run, wake=False)
        self.admission = Admission(
            limits=self.limits,
            cache=self.cache,
            queue=self.queue,
            priorities=Priorities(no_classes),
        )
        await self.admission.prime()
        for key in self.runs:
            self.queue.add(key)

    def publish(self, run: Run, *, wake: bool = True) -> None:
        """The watches tell of a run."""
        self.version += 1
        self.cache.put_training_job(run.training_job(self.version))
        if run.job is None:
            job = run.job_document(self.version)["metadata"]
            self.cache.drop_job(job["name"], job["uid"])
        else:
            self.cache.put_job(run.job_document(self.version))
        if wake:
            self.queue.add(run.key)

    def submit(self, namespace: str) -> Run:
        run = Run(namespace, f"run-{len(self.runs)}")
        self.runs[run.key] = run
        self.publish(run)
        return run

    async def reconcile(self) -> None:
        """What the reconciler does about one key, if there is any to be handled."""
        if not len(self.queue):
            return
        key = await self.queue.get()
        known, run = self.cache.training_job(key), self.runs[key]
        if known is None or known.finished:
            self.admission.leave(key, known)
        else:
            wait = await self.admission.turn(known)
            self.settle(run, wait)
        self.queue.done(key)
        self.check()

    def settle(self, run: Run, wait: Any) -> None:
        before = (run.phase, run.queue)
        run.queue = run.message = None
        if run.cancel:
            run.job, run.phase = None, "Cancelled"
        elif run.suspend:
            run.job, run.phase = "suspended", "Suspended"
        elif wait is None:
            run.job, run.phase = "running", "Starting"
        else:
            run.phase, run.message = "Queued", wait.message
            run.queue = wait.place.to_dict() if wait.place else None
        if (run.phase, run.queue) != before:
            self.writes[run.key] += 1
            # The Job controller tells of a Job that it has suspended.
            self.publish(run, wake=run.finished or run.job == "suspended")

    async def rest(self) -> None:
        """Until nothing is left to do: then nobody waits for a slot that is free."""
        while len(self.queue):
            await self.reconcile()
        each = Counter(run.namespace for run in self.going())
        for run in self.runs.values():
            if run.phase == "Queued":
                free = self.limits.leave_room(each.total())
                assert not (free and self.limits.leave_room_in(each[run.namespace]))

    def going(self) -> list[Run]:
        return [one for one in self.runs.values() if one.job == "running" and not one.finished]

    def check(self) -> None:
        each = Counter(run.namespace for run in self.going())
        assert each.total() <= (self.limits.total or each.total())
        assert max(each.values(), default=0) <= (self.limits.per_namespace or each.total())


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["submit", "reconcile", "reconcile", "end", "suspend", "resume", "cancel", "kill"]
        ),
        st.integers(0, 20),
    ),
    min_size=20,
    max_size=80,
)
LIMITS = st.sampled_from(
    [Limits(total=1), Limits(total=2), Limits(per_namespace=1), Limits(total=3, per_namespace=2)]
)


def take(world: World, step: str, number: int) -> None:
    """Something happens to a run from outside."""
    unfinished = [run for run in world.runs.values() if not run.finished]
    if step == "submit":
        world.submit("ab"[number % 2])
        return
    going = [run for run in unfinished if run.job == "running" and not run.suspend]
    candidates = going if step == "end" else unfinished
    if not candidates:
        return
    run = candidates[number % len(candidates)]
    if step == "end":
        run.phase = "Succeeded"
    elif step == "cancel":
        run.cancel = True
    else:
        run.suspend = step == "suspend"
    world.publish(run)


@settings(max_examples=300, deadline=None)
@given(LIMITS, STEPS)
def test_limits_hold_and_everyone_has_a_turn_whatever_happens(
    limits: Limits, steps: list[tuple[str, int]]
) -> None:
    async def scenario() -> None:
        world = World(limits)
        await world.start_operator()
        for step, number in steps:
            if step == "reconcile":
                await world.reconcile()
            elif step == "kill":
                await world.start_operator()
            else:
                take(world, step, number)
        await world.rest()
        for run in world.runs.values():
            run.suspend = False
            world.publish(run)
        # Nothing but the end of a run wakes another one: a wake that is lost would stop them all.
        for _ in range(len(world.runs) + 1):
            await world.rest()
            for run in world.going():
                run.phase = "Succeeded"
                world.publish(run)
        assert all(run.finished for run in world.runs.values())

    asyncio.run(scenario())


async def test_without_limits_nobody_waits_and_nothing_is_kept() -> None:
    world = World(Limits())
    await world.start_operator()
    for _ in range(5):
        world.submit("a")
    await world.rest()
    assert len(world.going()) == 5


async def test_a_slot_is_kept_while_the_api_server_does_not_answer() -> None:
    world = World(Limits(total=1))
    await world.start_operator()
    admitted, other = world.submit("b"), world.submit("a")
    one, another = (world.cache.training_job(run.key) for run in (admitted, other))
    assert one
    assert another
    for _ in range(2):
        # Its Job could not be created, and it is tried again.
        assert await world.admission.turn(one) is None
        assert await world.admission.turn(another) is not None
    world.admission.leave(admitted.key)
    assert await world.admission.turn(another) is None


async def test_an_ended_run_wakes_one_and_no_other() -> None:
    world = World(Limits(total=2))
    await world.start_operator()
    runs = [world.submit("a") for _ in range(50)]
    await world.rest()
    runs[0].phase = "Succeeded"
    world.publish(runs[0])
    await world.reconcile()
    assert len(world.queue) == 1
    await world.rest()
    assert [run.name for run in world.going()] == ["run-1", "run-10"]


async def test_a_long_line_costs_few_writes() -> None:
    world = World(Limits(total=1))
    await world.start_operator()
    for _ in range(400):
        world.submit("a")
    await world.rest()
    ends = 0
    while going := world.going():
        [run] = going
        run.phase = "Succeeded"
        world.publish(run)
        ends += 1
        await world.rest()
        if ends % 5 == 0:
            world.admission.tell()
            assert len(world.queue) <= TELL_AT_MOST
            await world.rest()
    assert ends == 400
    # Queued without a place, then with one, Starting, and its places on the way.
    assert max(world.writes.values()) <= 3 + 30
    assert world.writes.total() / 400 <= 16


async def test_places_are_told_to_all_in_turn(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "TELL_AT_MOST", 3)
    world = World(Limits(total=1))
    await world.start_operator()
    runs = [world.submit("a") for _ in range(10)]
    await world.rest()
    for _ in range(3):
        world.admission.tell()
        assert len(world.queue) <= 3
        await world.rest()
    positions = sorted(run.queue["position"] for run in runs if run.queue)
    assert positions == list(range(1, 10))


async def test_a_new_process_repeats_what_was_told() -> None:
    world = World(Limits(total=1))
    await world.start_operator()
    for _ in range(30):
        world.submit("a")
    await world.rest()
    world.admission.tell()
    await world.rest()
    world.writes.clear()
    await world.start_operator()
    await world.rest()
    assert world.writes.total() == 0
    assert {run.phase for run in world.runs.values()} == {"Starting", Phase.QUEUED}
