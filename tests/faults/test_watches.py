"""What becomes of a life when its events are late, lost, told twice or out of order."""

from itertools import count
from threading import Event

import pytest

from ..component.controller.queueing import next_second
from ..trainer_pods import uploaded
from .conftest import Worlds
from .injection import Answer, Delay, Fault, Kill, Request, WatchEvent, at_once, at_write
from .lives import LIVES, start
from .sweep import References
from .world import BOUND_SECONDS, World

pytestmark = [pytest.mark.component, pytest.mark.timeout(120)]


def begin(world: World) -> None:
    """The operator runs, and watches all that it watches."""
    world.operator.start()
    world.wait("it watches", lambda: len(world.operator.proxy.watches()) == 4)


@pytest.mark.parametrize("life", ["success", "cancel", "all"])
def test_events_told_twice_and_out_of_order(
    world: World, references: References, life: str
) -> None:
    number = count()

    def disorder(_: WatchEvent) -> tuple[float, ...]:
        return [(0.0, 0.2), (0.3,), (0.0,)][next(number) % 3]

    world.operator.proxy.events = disorder
    world.operator.start()
    LIVES[life].script(world)
    world.converge(references[life].state)
    world.settle()
    assert world.told() == references[life].told
    assert [str(write) for write in world.operator.proxy.writes].count("POST jobs") == 1


def test_a_watch_that_has_expired_is_begun_anew(world: World, references: References) -> None:
    begin(world)
    proxy = world.operator.proxy
    proxy.events = lambda _: ()
    world.cordon()
    world.submit()
    proxy.events = lambda _: (0.0,)
    for resource in proxy.watches():
        proxy.expire(resource)
    world.until("Starting", timeout=10)
    world.uncordon()
    world.until("Running")
    world.end(uploaded())
    world.until("Succeeded")
    world.converge(references["success"].state)


@pytest.mark.parametrize("resource", ["jobs", "pods"])
def test_an_end_that_is_never_told_is_found(
    worlds: Worlds, references: References, resource: str
) -> None:
    with worlds(TRAINYARD_RESYNC_SECONDS="2") as world:
        world.operator.start()
        start(world)
        world.operator.proxy.events = lambda event: () if event.resource == resource else (0.0,)
        world.end(uploaded())
        world.until("Succeeded", timeout=15)
        world.converge(references["success"].state)


def test_an_end_that_is_told_while_it_is_asked_for(world: World, references: References) -> None:
    """The Job's end comes first; the pod's comes while the operator looks for itself."""
    begin(world)
    start(world)
    proxy = world.operator.proxy
    asked = Event()

    def slow(request: Request) -> Fault:
        is_look = request.method == "GET" and request.resource == "jobs" and not request.is_list
        if not is_look or request.is_watch:
            return None
        asked.set()
        return Delay(2.0)

    proxy.requests = slow
    proxy.events = lambda event: () if event.resource == "pods" else (0.0,)
    world.end(uploaded())
    assert asked.wait(BOUND_SECONDS)
    proxy.events = at_once
    proxy.expire("pods")
    world.until("Succeeded")
    world.converge(references["success"].state)


def test_a_list_without_the_job_makes_no_second_one(world: World, references: References) -> None:
    begin(world)
    proxy = world.operator.proxy
    with proxy.stale("jobs", "pods", "trainingjobs"):
        proxy.events = lambda event: () if event.resource == "jobs" else (0.0,)
        proxy.requests = at_write(1, Kill(after=True))
        start(world)
    proxy.events = lambda _: (0.0,)
    proxy.expire("jobs")
    world.end(uploaded())
    world.until("Succeeded")
    world.converge(references["success"].state)
    posts = [write for write in proxy.writes if str(write) == "POST jobs"]
    assert len(posts) == 2, "the second meets the first one's Job"


def test_a_run_whose_pod_was_not_listed_is_not_suspended_before_that_has_stopped(
    world: World, references: References
) -> None:
    begin(world)
    start(world)
    world.cordon()
    proxy = world.operator.proxy
    with proxy.stale("pods"):
        proxy.events = lambda event: () if event.resource == "pods" else (0.0,)
        world.operator.kill()
        world.wait("it is started again", lambda: world.operator.starts == 2)
        world.patch(suspend=True)
        world.until("Suspended")
        assert world.pods() == []
    proxy.events = at_once
    proxy.expire("pods")
    world.patch(suspend=False)
    world.until("Starting")
    next_second()
    world.uncordon()
    world.until("Running")
    world.end(uploaded())
    world.until("Succeeded")
    world.converge(references["suspend"].state)
    assert world.told() == references["suspend"].told


@pytest.mark.parametrize("life", ["success", "cancel", "delete"])
def test_two_operators_at_once(world: World, references: References, life: str) -> None:
    second = world.add_operator()
    second.start()
    world.operator.start()
    LIVES[life].script(world)
    world.converge(references[life].state)
    world.settle()
    assert world.told() == references[life].told


def test_what_has_ended_is_not_begun_by_an_operator_that_was_not_told(world: World) -> None:
    """Another has created the Job meanwhile, and deleted it again."""
    late = world.add_operator()
    late.proxy.requests = lambda request: Answer(503) if request.number else None
    late.proxy.events = lambda event: () if event.resource == "trainingjobs" else (0.0,)
    world.submit()
    late.start()
    world.wait("it tries to create the Job", lambda: late.proxy.writes)
    world.operator.start()
    world.until("Running")
    world.patch(cancel=True)
    world.until("Cancelled")
    world.operator.stop()
    decided = Event()

    def decides(request: Request) -> Fault:
        looks = request.resource == "trainingjobs" and not request.is_list | request.is_watch
        if looks or str(request) == "POST jobs":
            decided.set()
        return None

    tried = len(late.proxy.writes)
    late.proxy.requests = decides
    assert decided.wait(BOUND_SECONDS)
    world.settle()
    assert "POST jobs" not in map(str, late.proxy.writes[tried:])


def test_a_job_that_comes_after_its_run_was_cancelled_does_not_stay(world: World) -> None:
    """One operator's create is on its way when another ends the run."""
    begin(world)
    proxy, second = world.operator.proxy, world.add_operator()
    proxy.requests = at_write(1, Delay(4.0))
    world.submit()
    world.wait("the Job is on its way", lambda: proxy.injected)
    world.patch(cancel=True)
    second.start()
    world.until("Cancelled")
    assert world.job() is None
    world.wait("the Job has come and gone", lambda: "DELETE jobs" in map(str, world.writes))
    world.wait("nothing is left", lambda: not world.job() and not world.pods())
    assert world.status().phase == "Cancelled"
    assert world.witness.violations == []
