"""Lives of a TrainingJob, as scripts: each is lived once without faults, and again with each.

A script waits for every phase that the operator is to write before it goes on. So a life always
takes the operator the same writes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trainyard_schema import ModelType

from ..component.controller.queueing import next_second
from ..trainer_pods import BAD_DATA, OUT_OF_MEMORY, uploaded
from .world import World


def start(world: World, **spec: Any) -> None:
    """Until the trainer runs."""
    world.cordon()
    world.submit(**spec)
    world.until("Starting")
    world.uncordon()
    world.until("Running")


def success(world: World) -> None:
    start(world)
    world.end(uploaded())
    world.until("Succeeded")


def failure(world: World) -> None:
    start(world)
    world.end(BAD_DATA)
    world.until("Failed")


def cancel(world: World) -> None:
    start(world)
    world.patch(cancel=True)
    world.until("Cancelled")


def delete(world: World) -> None:
    start(world)
    world.delete()
    world.until_gone()


def all_three(world: World) -> None:
    start(world, modelType="all")
    for known, kind in enumerate(ModelType, start=1):
        world.end(uploaded(kind, f"0.8{known}"), index=known - 1)
        world.until_models(known)
    world.until("Succeeded")


def suspend(world: World) -> None:
    start(world)
    world.cordon()
    world.patch(suspend=True)
    world.until("Suspended")
    world.patch(suspend=False)
    world.until("Starting")
    next_second()  # in which two pods cannot start on a real node
    world.uncordon()
    world.until("Running")
    world.end(uploaded())
    world.until("Succeeded")


def oom_retry(world: World) -> None:
    start(world, oomRetry={"factor": 2, "maxMemory": "4Gi"})
    world.cordon()
    world.end(OUT_OF_MEMORY)
    world.until("Starting")
    world.uncordon()
    world.until("Running")
    world.end(uploaded())
    world.until("Succeeded")


@dataclass(frozen=True)
class Life:
    """A script, and how many writes it takes the operator where nothing goes wrong."""

    script: Callable[[World], None]
    writes: int
    settle_seconds: float = 20.0
    """How long the operator waits for more before it writes what can wait: the end, above all."""


LIVES = {
    "success": Life(success, writes=4),
    "failure": Life(failure, writes=5),
    "cancel": Life(cancel, writes=7),
    "delete": Life(delete, writes=3),
    "suspend": Life(suspend, writes=12),
    "oom-retry": Life(oom_retry, writes=10),
    "all": Life(all_three, writes=6, settle_seconds=0.2),
}
