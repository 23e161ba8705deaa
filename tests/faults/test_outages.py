"""Outages that take as long as they are said to."""

import time

import pytest

from ..trainer_pods import uploaded
from .lives import start
from .sweep import References
from .world import World

pytestmark = [pytest.mark.component, pytest.mark.timeout(240)]


def test_the_api_server_is_away_for_a_minute(world: World, references: References) -> None:
    world.operator.start()
    start(world)
    back = time.monotonic() + 60
    with world.operator.proxy.away():
        world.end(uploaded())
        time.sleep(back - time.monotonic())
    world.until("Succeeded", timeout=30)
    world.converge(references["success"].state)
    [phases] = world.witness.phases.values()
    assert phases == ["Starting", "Running", "Succeeded"]


def test_watches_that_fall_silent_are_noticed(world: World, references: References) -> None:
    world.operator.start()
    start(world)
    world.operator.proxy.silence()
    world.end(uploaded())
    world.until("Succeeded", timeout=90)
    world.converge(references["success"].state)
