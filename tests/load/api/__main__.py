"""Measure, and print what was found: all of it as one JSON object on the last line."""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
from trainyard_devtools.bench import percentile
from trainyard_devtools.steps import console, step

from ...component.control_plane import Rest, free_ports, program, wait_until_ok
from . import bare, faults, fill, rates, retrains, streams, submissions
from .environment import JOBS, MODELS, Environment, Replica, environment

_FOLLOWED = 50
_BEATS = 20


def _milliseconds(seconds: Sequence[float]) -> dict[str, float]:
    return {
        "p50": round(percentile(list(seconds), 0.5) * 1000, 1),
        "p99": round(percentile(list(seconds), 0.99) * 1000, 1),
    }


@contextmanager
def _bare(folder: Path) -> Iterator[str]:
    (port,) = free_ports(1)
    url, log = f"http://127.0.0.1:{port}", folder / "bare.log"
    with program([sys.executable, bare.__file__, str(port)], log) as process:
        wait_until_ok(process, f"{url}/healthz", log)
        yield url


def _status_rates(env: Environment, replica: Replica, jobs: Sequence[str]) -> dict[str, Any]:
    with _bare(env.folder) as url:
        ours, theirs = rates.compare(replica.url, url, jobs, env.token("bench"), env.folder)
    return {
        "status_rps": round(ours),
        "bare_rps": round(theirs),
        "status_rps_ratio": round(ours / theirs, 2),
    }


async def _submissions(env: Environment, replica: Replica) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {env.token('bench')}"}
    async with httpx.AsyncClient(base_url=replica.url, headers=headers, timeout=30) as client:
        seconds, answers = await submissions.submit_steadily(client)
    wrong = [answer for answer in answers if getattr(answer, "status_code", None) != 202]
    assert not wrong, wrong[:3]
    measured = _milliseconds(seconds)
    return {"submit_p50_ms": measured["p50"], "submit_p99_ms": measured["p99"]}


async def _streams(env: Environment, replica: Replica, jobs: Sequence[str]) -> dict[str, Any]:
    """Every second each followed training makes progress; every client hears of each."""
    token = env.token("bench", "viewer")
    heard, tasks = await streams.connect([replica.url], jobs, token)
    written: dict[tuple[str, str], float] = {}
    started = time.monotonic()
    for beat in range(_BEATS):
        mark = f"Training, beat {beat}"
        await asyncio.to_thread(_beat, env.plane.rest, jobs, mark, written)
        await asyncio.sleep(max(0.0, started + beat + 1 - time.monotonic()))
    megabytes = replica.resident_megabytes()
    late = []
    fresh_clients = 0
    for client, task in zip(heard, tasks, strict=True):
        name = task.get_name()
        delays = [
            client.marks[mark] - moment
            for (job, mark), moment in written.items()
            if job == name and mark in client.marks
        ]
        late += delays
        complete = len(delays) == _BEATS and not client.closed
        fresh_clients += complete and max(delays) <= 1.0
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {
        "sse_clients": fresh_clients,
        "sse_freshness_ms": {**_milliseconds(late), "max": round(max(late) * 1000, 1)},
        "rss_mb_with_sse": megabytes,
    }


def _beat(
    rest: Rest, jobs: Sequence[str], mark: str, written: dict[tuple[str, str], float]
) -> None:
    for job in jobs:
        written[job, mark] = time.monotonic()
        rest.patch(f"{JOBS}/{job}/status", {"status": {"message": mark}})


def _outages(
    env: Environment, replicas: Sequence[Replica]
) -> dict[str, Callable[[], AbstractContextManager[None]]]:
    return {
        "postgres": env.postgres.killed,
        "apiserver": env.plane.killed,
        "replica": replicas[0].killed,
    }


async def _killed(env: Environment, replicas: Sequence[Replica]) -> dict[str, Any]:
    """What was lost of what was asked for, while each part was killed once."""
    lost: dict[str, Any] = {}
    for part, outage in _outages(env, replicas).items():
        with step(f"Kill {part} in the midst of trainings and retrainings"):
            models = retrains.create_models(env.plane.rest, retrains.KILLED)
            lost[part] = {
                "trainings": await faults.trainings(env, replicas, outage),
                "retrains": await faults.retrains(env, replicas, models, outage),
            }
    return lost


def _measure(folder: Path) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    with environment(folder) as env:
        rest = env.plane.rest
        with step(f"Create {fill.JOBS_COUNT} TrainingJobs"):
            jobs = fill.fill(rest)
        with env.replicas(1) as [replica]:
            with step("GET /train/status/{id} beside a bare FastAPI endpoint, in turn"):
                figures |= _status_rates(env, replica, jobs)
            figures["rss_mb"] = replica.resident_megabytes()
            with step(f"Submit {submissions.COUNT} trainings at {submissions.RATE:g}/s"):
                figures |= asyncio.run(_submissions(env, replica))
            with step(f"{streams.CLIENTS} SSE clients follow {_FOLLOWED} trainings"):
                figures |= asyncio.run(_streams(env, replica, jobs[: _FOLLOWED * 10 : 10]))
        with env.replicas(2) as replicas:
            models = retrains.create_models(rest, retrains.USERS)
            with step(f"{retrains.USERS} users retrain at once, two replicas"):
                answers = asyncio.run(retrains.admitted_at_once(env, replicas, models))
            figures["retrains_admitted_of_50"] = answers["200"]
            figures["retrain_answers"] = dict(answers)
            rest.delete(MODELS)
        with env.replicas(2, RETRAIN_CONCURRENT="1000", RETRAIN_USER_SECONDS="0") as replicas:
            figures["lost"] = asyncio.run(_killed(env, replicas))
    return figures


def main() -> None:
    """Measure in a temporary folder, which is kept when something fails."""
    folder = Path(tempfile.mkdtemp(prefix="trainyard-bench-api-"))
    rates.require_wrk(folder / "apt.log")
    try:
        figures = _measure(folder)
    except BaseException:
        console.print(f"The logs are in {folder}", markup=False)
        raise
    for name, value in figures.items():
        console.print(f"{name:<26} {value}", markup=False)
    print(json.dumps(figures))  # noqa: T201 - plain, whatever the terminal's width


if __name__ == "__main__":
    main()
