"""Faults that last for a while, as a campaign draws them: each may last as long as it likes."""

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from random import Random

from .injection import (
    Answer,
    Cut,
    Delay,
    Fault,
    Kill,
    Request,
    WatchEvent,
    at_once,
    at_write,
    no_fault,
)
from .world import World

Trouble = Callable[[World, Random], AbstractContextManager[None]]


def _at_a_write(fault: Fault) -> Trouble:
    @contextmanager
    def trouble(world: World, random: Random) -> Iterator[None]:
        proxy = world.operator.proxy
        proxy.requests = at_write(len(proxy.writes) + random.randint(1, 4), fault)
        yield
        proxy.requests = no_fault

    return trouble


def _now_and_then(fault: Fault) -> Trouble:
    @contextmanager
    def trouble(world: World, random: Random) -> Iterator[None]:
        def maybe(_: Request) -> Fault:
            return fault if random.random() < 0.4 else None

        world.operator.proxy.requests = maybe
        yield
        world.operator.proxy.requests = no_fault

    return trouble


@contextmanager
def _disordered(world: World, random: Random) -> Iterator[None]:
    def deliveries(_: WatchEvent) -> tuple[float, ...]:
        return tuple(random.choice((0.0, random.random())) for _ in range(random.randint(1, 2)))

    world.operator.proxy.events = deliveries
    yield
    world.operator.proxy.events = at_once


@contextmanager
def _lost(world: World, random: Random) -> Iterator[None]:
    """Nobody tells afterwards what was lost: the operator's own comparison finds it."""
    world.operator.proxy.events = lambda _: () if random.random() < 0.5 else (0.0,)
    yield
    world.operator.proxy.events = at_once


@contextmanager
def _expired(world: World, _: Random) -> Iterator[None]:
    proxy = world.operator.proxy
    proxy.events = lambda _: ()
    yield
    proxy.events = at_once
    for resource in proxy.watches():
        proxy.expire(resource)


@contextmanager
def _silent(world: World, _: Random) -> Iterator[None]:
    world.operator.proxy.silence()
    yield
    with world.operator.proxy.away():
        pass


@contextmanager
def _away(world: World, _: Random) -> Iterator[None]:
    with world.operator.proxy.away():
        yield


@contextmanager
def _stale(world: World, random: Random) -> Iterator[None]:
    with world.operator.proxy.stale("jobs", "pods", "trainingjobs"):
        world.operator.kill()
        yield


@contextmanager
def _frozen(world: World, _: Random) -> Iterator[None]:
    """Its process does not run: what it knows grows old."""
    fork = world.operator.fork
    assert fork is not None
    fork.send_signal(signal.SIGSTOP)
    yield
    fork.send_signal(signal.SIGCONT)


@contextmanager
def _doubled(world: World, _: Random) -> Iterator[None]:
    second = world.operators[1] if len(world.operators) > 1 else world.add_operator()
    second.start()
    yield
    second.stop(kill=True)


@contextmanager
def _terminated(world: World, _: Random) -> Iterator[None]:
    fork = world.operator.fork
    assert fork is not None
    fork.terminate()
    yield


TROUBLES: dict[str, Trouble] = {
    "killed-before": _at_a_write(Kill(after=False)),
    "killed-after": _at_a_write(Kill(after=True)),
    "cut-after": _at_a_write(Cut()),
    "429": _now_and_then(Answer(429, "TooManyRequests", retry_after=1)),
    "500": _now_and_then(Answer(500, "InternalError")),
    "late": _now_and_then(Delay(0.5)),
    "disordered": _disordered,
    "lost": _lost,
    "expired": _expired,
    "silent": _silent,
    "away": _away,
    "stale": _stale,
    "frozen": _frozen,
    "doubled": _doubled,
    "terminated": _terminated,
}
