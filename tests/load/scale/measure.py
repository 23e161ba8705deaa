"""The figures of one case."""

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from trainyard_devtools.steps import step

from ...component.control_plane import wait_for
from . import peer as peers
from .cases import CANCELLED, SUCCEEDS, Case
from .environment import Environment, environment
from .load import Load
from .meters import cluster_writes, cpu_seconds, megabytes, watches_cut
from .operator import operator, wait_until_ready
from .played import PlayedNodes
from .record import Record
from .runs import Kind

_QUIET_SECONDS = 2.0
_PATIENCE_SECONDS = 180.0
_COLLECTOR_SECONDS = 90.0

Figures = dict[str, Any]


@dataclass(frozen=True)
class Loaded:
    """What became of the runs of one kind, and what each of them cost."""

    record: Record
    cluster_writes: float
    """Requests of everybody, the harness as well."""
    cpu_seconds: float
    """Of the programs that serve this kind."""
    harness_cpu_seconds: float
    rss_mb: float
    rss_peak_mb: float
    watches_cut: int
    """Of everybody: whoever reads too slowly has to read all objects anew."""

    def figures(self, bare: "Loaded") -> Figures:
        """Beside bare Jobs."""
        record = self.record
        rate, bare_rate = record.succeeded_per_second, bare.record.succeeded_per_second
        return {
            "throughput_ratio": round(rate / bare_rate, 3),
            "succeeded_per_second": round(rate, 2),
            "create_to_job_ms": record.create_to_job,
            "status_lag_ms": record.status_lag,
            "cancel_to_pod_gone_ms": record.cancel_to_pod_gone,
            "cluster_writes_per_job": round(self.cluster_writes, 2),
            "cpu_seconds_per_job": round(self.cpu_seconds, 4),
            "harness_cpu_seconds_per_job": round(self.harness_cpu_seconds, 4),
            "rss_mb": self.rss_mb,
            "rss_peak_mb": self.rss_peak_mb,
            "watches_cut": self.watches_cut,
            "ledger": record.ledger(),
        }


def _bare_figures(bare: Loaded) -> Figures:
    """What the others are compared with."""
    found = bare.figures(bare)
    kept = (
        "succeeded_per_second",
        "cancel_to_pod_gone_ms",
        "cluster_writes_per_job",
        "watches_cut",
        "ledger",
    )
    return {f"bare_{name}": found[name] for name in kept}


def _quiet(env: Environment) -> None:
    """Until nobody has written anything for a while."""
    last: tuple[float, int] = (time.monotonic(), -1)

    def quiet() -> bool:
        nonlocal last
        total = cluster_writes(env.plane.rest).total()
        if total != last[1]:
            last = (time.monotonic(), total)
        return time.monotonic() - last[0] >= _QUIET_SECONDS

    wait_for("nobody writes any more", quiet, _PATIENCE_SECONDS)


def _wait_for_collector(env: Environment, kind: Kind) -> None:
    """Until the Job and the pod of a run that is deleted go as well.

    The garbage collector looks for new kinds every 30 s; where they are in use, it knows them.
    """
    name, rest = "before-the-load", env.plane.rest
    jobs = f"/apis/batch/v1/namespaces/{kind.namespace}/jobs"
    pods = f"/api/v1/namespaces/{kind.namespace}/pods"
    rest.post(kind.path, kind.manifest(name, CANCELLED))
    wait_for("a run has its pod", partial(rest.items, pods), _COLLECTOR_SECONDS)
    rest.delete(f"{kind.path}/{name}", propagationPolicy="Background")
    wait_for(
        "its Job and its pod are gone",
        lambda: not rest.items(jobs) and not rest.items(pods),
        _COLLECTOR_SECONDS,
    )


def load(env: Environment, case: Case, kind: Kind, served_by: Sequence[int] = ()) -> Loaded:
    """Have all runs of one kind come and end. `served_by`: pids of the programs in between."""

    async def run() -> Record:
        async with env.session() as session:
            played = PlayedNodes(session, kind.namespace).running()
            async with nullcontext() if env.fake_nodes else played:
                return await Load(session, case, kind).run()

    def spent() -> float:
        return sum(cpu_seconds(pid) for pid in served_by)

    _quiet(env)
    rest = env.plane.rest
    writes, cut, before = cluster_writes(rest).total(), watches_cut(rest), spent()
    harness = cpu_seconds(os.getpid())
    record = asyncio.run(run())
    harness = cpu_seconds(os.getpid()) - harness
    _quiet(env)
    return Loaded(
        record=record,
        cluster_writes=(cluster_writes(rest).total() - writes) / case.count,
        cpu_seconds=(spent() - before) / case.count,
        harness_cpu_seconds=harness / case.count,
        rss_mb=round(sum(megabytes(pid) for pid in served_by), 1),
        rss_peak_mb=round(sum(megabytes(pid, "VmHWM") for pid in served_by), 1),
        watches_cut=watches_cut(rest) - cut,
    )


def measure(
    case: Case, folder: Path, peer: peers.Peer | None = None, *, fake_nodes: bool = True
) -> Iterator[Figures]:
    """Bare Jobs, then TrainingJobs and restarts with all of them finished, then the peer.

    Figures come as soon as they are known: one kind may take an hour. Each has a fresh control
    plane: what those before leave would slow it down.
    """

    def fresh(kind: str) -> AbstractContextManager[Environment]:
        place = folder / kind
        place.mkdir()
        return environment(place, case, fake_nodes=fake_nodes)

    with fresh("jobs") as env, step(f"{case}: bare Jobs"):
        bare = load(env, case, env.bare_jobs)
    yield _bare_figures(bare)
    with fresh("training-jobs") as env:
        yield _ours(env, case, bare)
        with step(f"{case}: restarts with {case.count} finished"):
            restarted = _restarted(env, case)
        yield restarted
    if peer is not None:
        with fresh("train-jobs") as env, step(f"{case}: TrainJobs"):
            theirs = _load_peer(env, case, peer).figures(bare)
        yield {f"peer_{name}": value for name, value in theirs.items()}


def _ours(env: Environment, case: Case, bare: Loaded) -> Figures:
    log = env.folder / "operator.log"
    with operator(env.plane, env.settings, log) as running, step(f"{case}: TrainingJobs"):
        wait_until_ready(running, log)
        if env.fake_nodes:
            _wait_for_collector(env, env.training_jobs)
        before = running.metrics()
        ours = load(env, case, env.training_jobs, [running.pid])
        after = running.metrics()
    writes = after.writes - before.writes
    reconciliations = after.reconciliations - before.reconciliations
    return {
        **ours.figures(bare),
        "reconciles_per_job": round(reconciliations / case.count, 2),
        "api_writes_per_job": round(writes.total() / case.count, 2),
        "api_writes": dict(writes),
    }


def _load_peer(env: Environment, case: Case, peer: peers.Peer) -> Loaded:
    kind = peers.TrainJobs()
    env.add_namespace(kind)
    with peers.running(env.plane, peer, env.folder) as processes:
        _wait_for_collector(env, kind)
        return load(env, case, kind, [process.pid for process in processes])


def _restarted(env: Environment, case: Case) -> Figures:
    """What a restart writes where there is nothing to do, and how soon a new run is served."""
    log = env.folder / "operator-restarted.log"
    _quiet(env)
    before = cluster_writes(env.plane.rest)
    with operator(env.plane, env.settings, log) as running:
        wait_until_ready(running, log)

        def looked_at_all() -> bool:
            metrics = running.metrics()
            return metrics.reconciliations >= case.count and metrics.waiting == 0

        wait_for("it has looked at all", looked_at_all, _PATIENCE_SECONDS)
        _quiet(env)
        written = cluster_writes(env.plane.rest) - before
        figures = {
            "idle_restart_writes": written.total(),
            "rss_restarted_mb": megabytes(running.pid),
            "rss_restarted_peak_mb": megabytes(running.pid, "VmHWM"),
        }
    return {**figures, "restart_to_first_reconcile_s": _first_reconcile(env)}


def _first_reconcile(env: Environment) -> float:
    """Seconds from the start of the process to the Job of a run that came while it was away."""
    kind, name = env.training_jobs, "after-the-restart"
    rest = env.plane.rest
    rest.post(kind.path, kind.manifest(name, SUCCEEDS))
    jobs = f"/apis/batch/v1/namespaces/{kind.namespace}/jobs"
    selector = f"{kind.name_label}={name}"
    started = time.monotonic()
    with operator(env.plane, env.settings, env.folder / "operator-restarted.log"):
        wait_for(
            "the new run has its Job",
            lambda: rest.items(jobs, labelSelector=selector),
            _PATIENCE_SECONDS,
        )
        return round(time.monotonic() - started, 2)
