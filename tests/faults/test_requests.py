"""What becomes of a life when the API server refuses, fails, or is asked while nobody asks."""

import pytest

from ..trainer_pods import VERSION, uploaded
from .injection import Answer, Delay, Fault, Request
from .lives import LIVES, start
from .sweep import References
from .world import World

pytestmark = [pytest.mark.component, pytest.mark.timeout(120)]

ANSWERS: dict[str, Fault] = {
    "429": Answer(429, "TooManyRequests", retry_after=1),
    "500": Answer(500, "InternalError"),
    "503": Answer(503, "ServiceUnavailable"),
    "late": Delay(1.0),
}


@pytest.mark.parametrize("life", ["success", "cancel", "all"])
@pytest.mark.parametrize("answer", list(ANSWERS))
def test_every_write_fails_once(
    world: World, references: References, life: str, answer: str
) -> None:
    refused: set[int] = set()

    def every_other(request: Request) -> Fault:
        if request.number is None or request.number - 1 in refused:
            return None
        refused.add(request.number)
        return ANSWERS[answer]

    world.operator.proxy.requests = every_other
    world.operator.start()
    LIVES[life].script(world)
    world.converge(references[life].state)
    assert not world.told() - references[life].told


def test_every_read_fails_once(world: World, references: References) -> None:
    failed: set[str] = set()

    def first(request: Request) -> Fault:
        if request.number is not None or request.path in failed:
            return None
        failed.add(request.path)
        return ANSWERS["500"]

    world.operator.proxy.requests = first
    world.operator.start()
    LIVES["success"].script(world)
    world.converge(references["success"].state)


def test_cancel_lasts_as_long_as_deletes_fail(world: World, references: References) -> None:
    proxy = world.operator.proxy
    world.operator.start()
    start(world)
    proxy.requests = lambda one: ANSWERS["500"] if one.method == "DELETE" else None
    world.patch(cancel=True)
    world.wait("deletes have failed", lambda: len(proxy.injected) >= 4)
    assert world.status().phase in ("Running", "Cancelling")
    assert world.running_pod()
    proxy.requests = lambda _: None
    world.until("Cancelled")
    world.converge(references["cancel"].state)


@pytest.mark.parametrize("life", ["success", "cancel", "delete"])
def test_what_happened_while_no_operator_ran(
    world: World, references: References, life: str
) -> None:
    world.operator.start()
    world.operator.stop()
    world.submit()
    world.operator.start()
    world.until("Running")
    world.operator.stop(kill=True)
    match life:
        case "success":
            world.end(uploaded())
        case "cancel":
            world.patch(cancel=True)
        case "delete":
            world.delete()
            world.until_gone()
    world.operator.start()
    if life != "delete":
        world.until("Succeeded", "Cancelled")
    world.converge(references[life].state)


@pytest.mark.parametrize("first", ["cancel", "end", "saves"])
def test_cancel_and_the_end_at_once(world: World, first: str) -> None:
    """Whichever wins, a version that was filed is on record, and nothing moves afterwards."""
    world.operator.start()
    start(world)
    world.running_pod()
    match first:
        case "cancel":
            world.patch(cancel=True)
            world.end(uploaded())
        case "end":
            world.end(uploaded())
            world.patch(cancel=True)
        case "saves":
            world.set_last_words(uploaded())
            world.patch(cancel=True)
    status = world.until("Succeeded", "Cancelled")
    assert [model.version for model in status.models] == [VERSION]
    world.operator.kill()
    world.settle()
    assert world.status() == status
    assert world.witness.violations == []
    assert world.orphans() == []
