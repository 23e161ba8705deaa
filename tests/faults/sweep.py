"""A life without faults, and the same one with a fault at each of its writes.

Which write a case meets stands in its id: `test_success.py::test_fault[killed-before-3]` kills the
operator before its third write.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from .conftest import Worlds
from .injection import Cut, Fault, Kill, at_write
from .lives import LIVES
from .oracle import Told
from .world import World

MARKS = [pytest.mark.component, pytest.mark.timeout(120)]
FAULTS: dict[str, Fault] = {
    "killed-before": Kill(after=False),
    "killed-after": Kill(after=True),
    "cut-after": Cut(),
}


@dataclass(frozen=True)
class End:
    """How a life ends."""

    state: dict[str, Any]
    told: Told
    writes: list[str]


def begin(world: World, life: str) -> None:
    """Start the operator, as patient as the life asks for."""
    world.operator.start(f"recorder.SETTLE_SECONDS = {LIVES[life].settle_seconds}\n")


def live(world: World, life: str) -> End:
    """Live it to its end."""
    begin(world, life)
    LIVES[life].script(world)
    world.settle()
    assert world.witness.violations == []
    assert world.orphans() == []
    return End(world.state(), world.told(), [str(write) for write in world.operator.proxy.writes])


class References:
    """How each life ends where nothing goes wrong: lived when it is first asked for."""

    def __init__(self, worlds: Worlds) -> None:
        self._worlds = worlds
        self._ends: dict[str, End] = {}

    def __getitem__(self, life: str) -> End:
        if life not in self._ends:
            with self._worlds() as world:
                self._ends[life] = live(world, life)
        return self._ends[life]


def each_write(life: str) -> Callable[..., Any]:
    """Parametrizes a test with every fault at every write of a life."""
    writes = range(1, LIVES[life].writes + 1)
    cases = [(fault, number) for fault in FAULTS for number in writes]
    ids = [f"{fault}-{number}" for fault, number in cases]
    return pytest.mark.parametrize(("fault", "number"), cases, ids=ids)


def swept(life: str) -> tuple[Callable[..., None], Callable[..., None]]:
    """The tests of a life: without a fault, and with every fault at every write."""

    def test_without_a_fault(references: References) -> None:
        check_reference(life, references[life])

    @each_write(life)
    def test_fault(world: World, references: References, fault: str, number: int) -> None:
        check_fault(world, life, references[life], fault, number)

    return test_without_a_fault, test_fault


def check_reference(life: str, reference: End) -> None:
    """Without this, a write that the operator has learned would meet no fault."""
    assert len(reference.writes) == LIVES[life].writes, (
        f"say in lives.py that {life!r} takes {len(reference.writes)} writes: {reference.writes}"
    )


def check_fault(world: World, life: str, reference: End, fault: str, number: int) -> None:
    """The same end, whatever happens to this write."""
    proxy = world.operator.proxy
    proxy.requests = at_write(number, FAULTS[fault])
    begin(world, life)
    LIVES[life].script(world)
    world.wait("the fault is injected", lambda: proxy.injected)
    starts = 2 if isinstance(FAULTS[fault], Kill) else 1
    world.wait("it is started again", lambda: world.operator.starts >= starts)
    world.converge(reference.state)
    # An Event is a courtesy: it is lost with the answer to the write that it tells of. None is told
    # twice, and none that a life without faults does not tell.
    assert not world.told() - reference.told
    assert (reference.told - world.told()).total() <= 1
    assert world.operator.starts == starts
