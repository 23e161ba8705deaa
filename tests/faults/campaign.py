"""Many jobs, and troubles one after another, as a seed has it; in the end the same oracle."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from trainyard_schema import ModelType, names

from ..trainer_pods import BAD_DATA, End, uploaded
from .node import index_of
from .oracle import difference, end_state
from .trouble import TROUBLES
from .upstream import Document
from .world import World

JOBS_A_SECOND = 1.5
LONGEST_RUN_SECONDS = 2.5
CONVERGENCE_SECONDS = 60.0
SETTINGS = {"TRAINYARD_RESYNC_SECONDS": "5"}
"""What is lost is found soon, so that a campaign sees that it is."""
_SHARES = {"success": 6, "failure": 3, "all": 2, "cancel": 4, "delete": 2, "suspend": 2}
_CERTAIN = ("success", "failure", "all")
"""The kinds whose end does not depend on who is first."""


@dataclass(frozen=True, order=True)
class Act:
    """What a user does, and when: seconds from the start."""

    at: float
    name: str
    verb: str


@dataclass(frozen=True)
class Report:
    """What the last line says."""

    seed: str
    seconds: float
    jobs: int
    faults: dict[str, int]
    starts: int
    writes: int
    converged: int
    violations: list[str] = field(default_factory=list)


def acts(seed: str, seconds: float) -> list[Act]:
    """What users do in a campaign, by time."""
    random = Random(seed)
    found = []
    kinds, weights = list(_SHARES), list(_SHARES.values())
    for number in range(int(seconds * JOBS_A_SECOND)):
        [kind] = random.choices(kinds, weights)
        name, at = f"chaos-{number:04}-{kind}", random.uniform(0, seconds)
        found.append(Act(at, name, "submit"))
        if kind in ("cancel", "delete", "suspend"):
            at += random.uniform(0, LONGEST_RUN_SECONDS)
            found.append(Act(at, name, kind))
        if kind == "suspend":
            found.append(Act(at + random.uniform(0, LONGEST_RUN_SECONDS), name, "resume"))
    return sorted(found)


def kind_of(name: str) -> str:
    """What is to become of a job."""
    return name.rpartition("-")[2]


def plan(pod: Document) -> tuple[float, End]:
    """How long its trainer runs, and how it ends: the name of the job says it."""
    name, index = pod["metadata"]["labels"][names.NAME_LABEL], index_of(pod)
    seconds = Random(f"{name}/{index}").uniform(0.1, LONGEST_RUN_SECONDS)
    kind = list(ModelType)[index] if kind_of(name) == "all" else ModelType.XGBOOST
    return seconds, BAD_DATA if kind_of(name) == "failure" else uploaded(kind)


def _do(world: World, act: Act) -> None:
    match act.verb:
        case "submit":
            spec = {"modelType": "all"} if kind_of(act.name) == "all" else {}
            world.submit(act.name, **spec)
        case "cancel":
            world.patch(act.name, cancel=True)
        case "delete":
            world.delete(act.name)
        case "suspend" | "resume":
            world.patch(act.name, suspend=act.verb == "suspend")


def _users(world: World, todo: list[Act], started: float) -> Iterator[None]:
    """Does what is due, each time it is asked."""
    waiting = list(reversed(todo))
    while True:
        while waiting and waiting[-1].at <= time.monotonic() - started:
            _do(world, waiting.pop())
        yield


def _alone(world: World, name: str) -> Any:
    """The end state of one job, as if it had no name."""
    training_job = world.get(name)
    if training_job is None:
        return None
    job = world.job(name)
    state = end_state([training_job], [job] if job else [], world.pods(name))
    return json.loads(json.dumps(state).replace(name, "it"))


def _wrong(world: World, name: str, references: dict[str, Any]) -> list[str]:
    """In what the end of a job differs from that without faults."""
    kind, state = kind_of(name), _alone(world, name)
    if kind == "delete":
        return [] if state is None and not world.pods(name) else [f"{name} is still there"]
    if kind in _CERTAIN:
        return difference(references[kind], state, name)
    status = state["trainingJobs"]["it"]["status"] or {}
    if kind == "cancel" and status.get("phase") == "Cancelled":
        left = [*state["jobs"], *state["pods"]]
        return [f"{name} is cancelled, and there is still {left}"] if left else []
    done = status.get("phase") == "Succeeded" and len(status.get("models", [])) == 1
    return [] if done else [f"{name}: {status}"]


def run(world: World, *, seed: str, seconds: float) -> Report:
    """One campaign in a world whose node follows `plan`."""
    world.operator.start()
    references = {}
    for kind in _CERTAIN:
        name = f"reference-{kind}"
        _do(world, Act(0.0, name, "submit"))
        world.until("Succeeded", "Failed", name=name)
        world.settle()
        references[kind] = _alone(world, name)
    todo = acts(seed, seconds)
    faults = _trouble(world, todo, seed, seconds)
    jobs = sorted({act.name for act in todo})
    wrong = _converge(world, jobs, references)
    world.settle()
    again = [f"told twice: {told}" for told, count in world.told().items() if count > 1]
    lasting = [line for name in jobs for line in _wrong(world, name, references)]
    return Report(
        seed=seed,
        seconds=seconds,
        jobs=len(jobs),
        faults=dict(faults),
        starts=world.operator.starts,
        writes=len(world.writes),
        converged=len(jobs) - len(wrong),
        violations=[
            *world.witness.violations,
            *again,
            *lasting,
            *(f"{name} is an orphan" for name in world.orphans()),
        ],
    )


def _trouble(world: World, todo: list[Act], seed: str, seconds: float) -> "Counter[str]":
    random = Random(f"{seed}/faults")
    faults: Counter[str] = Counter()
    started = time.monotonic()
    users = _users(world, todo, started)

    def spend(duration: float) -> None:
        until = time.monotonic() + duration
        while time.monotonic() < until:
            next(users)
            time.sleep(0.02)

    while time.monotonic() - started < seconds:
        kind = random.choice(list(TROUBLES))
        with TROUBLES[kind](world, Random(random.random())):
            spend(random.uniform(0.2, 3.0))
        faults[kind] += 1
        spend(random.uniform(0.0, 1.0))
    spend(max((act.at for act in todo), default=0.0) + started - time.monotonic() + 0.1)
    return faults


def _converge(world: World, jobs: list[str], references: dict[str, Any]) -> list[str]:
    """The jobs that are not what they are to be in the end, when the time is up."""
    deadline = time.monotonic() + CONVERGENCE_SECONDS
    open_jobs = jobs
    while open_jobs := [name for name in open_jobs if _wrong(world, name, references)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)
    return open_jobs
