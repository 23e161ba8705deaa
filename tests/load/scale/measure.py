"""The figures of one case."""

import asyncio
import os
import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from trainyard_devtools.steps import step

from ...component.control_plane import wait_for
from .cases import SUCCEEDS, Case
from .environment import Environment
from .load import Load
from .meters import cluster_writes, cpu_seconds, megabytes
from .operator import operator, wait_until_ready
from .played import PlayedNodes
from .record import Record
from .runs import Kind

_QUIET_SECONDS = 2.0
_CALM_SECONDS = 120.0
_RESTARTS_SECONDS = 120.0

Figures = dict[str, Any]


@dataclass(frozen=True)
class Loaded:
    """What became of the runs of one kind."""

    record: Record
    cluster_writes: float
    """Requests of everybody, the harness as well, for each run."""
    harness_cpu_seconds: float


def _quiet(env: Environment) -> None:
    """Until nobody has written anything for a while."""
    last: tuple[float, int] = (time.monotonic(), -1)

    def quiet() -> bool:
        nonlocal last
        total = cluster_writes(env.plane.rest).total()
        if total != last[1]:
            last = (time.monotonic(), total)
        return time.monotonic() - last[0] >= _QUIET_SECONDS

    wait_for("nobody writes any more", quiet, _CALM_SECONDS)


def load(env: Environment, case: Case, kind: Kind) -> Loaded:
    """Have all runs of one kind come and end."""

    async def run() -> Record:
        async with env.session() as session:
            played = PlayedNodes(session, kind.namespace).running()
            async with nullcontext() if env.fake_nodes else played:
                return await Load(session, case, kind).run()

    before, own = cluster_writes(env.plane.rest), cpu_seconds(os.getpid())
    record = asyncio.run(run())
    spent = cpu_seconds(os.getpid()) - own
    _quiet(env)
    written = cluster_writes(env.plane.rest).total() - before.total()
    return Loaded(record, written / case.count, spent / case.count)


def compared(bare: Loaded, ours: Loaded) -> Figures:
    """What both have, side by side."""
    rates = {"bare": bare.record.succeeded_per_second, "ours": ours.record.succeeded_per_second}
    return {
        "throughput_ratio": round(rates["ours"] / rates["bare"], 3),
        "succeeded_per_second": {name: round(rate, 2) for name, rate in rates.items()},
        "create_to_job_ms": ours.record.create_to_job,
        "status_lag_ms": ours.record.status_lag,
        "cancel_to_pod_gone_ms": ours.record.cancel_to_pod_gone,
        "bare_cancel_to_pod_gone_ms": bare.record.cancel_to_pod_gone,
        "cluster_writes_per_job": {
            "ours": round(ours.cluster_writes, 2),
            "bare": round(bare.cluster_writes, 2),
        },
        "harness_cpu_seconds_per_job": {
            "ours": round(ours.harness_cpu_seconds, 4),
            "bare": round(bare.harness_cpu_seconds, 4),
        },
        "ledger": ours.record.ledger(),
        "bare_ledger": bare.record.ledger(),
    }


def measure(env: Environment, case: Case) -> Figures:
    """Bare Jobs, then TrainingJobs, then restarts with all of them finished."""
    with step(f"{case}: bare Jobs"):
        bare = load(env, case, env.bare_jobs)
    log = env.folder / "operator.log"
    with operator(env.plane, env.settings, log) as running:
        wait_until_ready(running, log)
        spent = cpu_seconds(running.pid)
        with step(f"{case}: TrainingJobs"):
            ours = load(env, case, env.training_jobs)
        writes = running.metrics().writes
        own = {
            "api_writes_per_job": round(writes.total() / case.count, 2),
            "api_writes": dict(writes),
            "cpu_seconds_per_job": round((cpu_seconds(running.pid) - spent) / case.count, 4),
            "rss_mb": megabytes(running.pid),
            "rss_peak_mb": megabytes(running.pid, "VmHWM"),
        }
    with step(f"{case}: restarts with {case.count} finished"):
        return compared(bare, ours) | own | restarted(env, case)


def restarted(env: Environment, case: Case) -> Figures:
    """What a restart writes where there is nothing to do, and how soon a new run is served."""
    log = env.folder / "operator-restarted.log"
    _quiet(env)
    before = cluster_writes(env.plane.rest)
    with operator(env.plane, env.settings, log) as running:
        wait_until_ready(running, log)

        def looked_at_all() -> bool:
            metrics = running.metrics()
            return metrics.reconciliations >= case.count and metrics.waiting == 0

        wait_for("it has looked at all", looked_at_all, _RESTARTS_SECONDS)
        _quiet(env)
        written = cluster_writes(env.plane.rest) - before
        megabytes_restarted = megabytes(running.pid)
    return {
        "idle_restart_writes": written.total(),
        "rss_restarted_mb": megabytes_restarted,
        "restart_to_first_reconcile_s": _first_reconcile(env),
    }


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
            _RESTARTS_SECONDS,
        )
        return round(time.monotonic() - started, 2)
