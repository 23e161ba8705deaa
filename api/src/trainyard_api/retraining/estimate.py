"""How long a retrain will take, judged by the past runs of its Models."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from trainyard_schema import Phase, names

from trainyard_api.database.tables import RetrainRun, RetrainStatus
from trainyard_api.retraining.selection import Target

_UNKNOWN_SECONDS: Final = 120
"""What the retrain endpoint's document says."""
_RUNS: Final = 10


@dataclass(frozen=True)
class PastRun:
    """A run that completed."""

    name: str
    mode: str
    started_at: datetime
    completed_at: datetime


def estimate_seconds(past: Mapping[str, Iterable[PastRun]], mode: str) -> int:
    """Seconds until the slowest Model is trained, by the past runs of each.

    The median of the last ten in this mode, or else of the last ten; 120 where there is none.
    """
    return max((_of_one(runs, mode) for runs in past.values()), default=_UNKNOWN_SECONDS)


def _of_one(runs: Iterable[PastRun], mode: str) -> int:
    newest = sorted(runs, key=lambda run: run.completed_at, reverse=True)
    alike = [run for run in newest if run.mode == mode] or newest
    if not alike:
        return _UNKNOWN_SECONDS
    seconds = median((run.completed_at - run.started_at).total_seconds() for run in alike[:_RUNS])
    return max(1, math.ceil(seconds))


async def recorded_runs(session: AsyncSession, model: str) -> list[PastRun]:
    """The latest runs of a Model that were asked for here, also those whose TrainingJob is gone."""
    found: list[PastRun] = []
    for mode in ("full", "incremental"):
        rows = await session.scalars(
            select(RetrainRun)
            .where(
                RetrainRun.model == model,
                RetrainRun.mode == mode,
                RetrainRun.status == RetrainStatus.COMPLETED,
                RetrainRun.started_at.is_not(None),
            )
            .order_by(RetrainRun.completed_at.desc())
            .limit(_RUNS)
        )
        found += [
            PastRun(row.run, row.mode, row.started_at, row.completed_at)
            for row in rows
            if row.started_at and row.completed_at
        ]
    return found


def present_runs(jobs: Iterable[Mapping[str, Any]], target: Target) -> list[PastRun]:
    """The runs of a Model whose TrainingJobs are there, whatever started them."""
    return [
        PastRun(
            job["metadata"]["name"],
            job["spec"].get("mode", "full"),
            datetime.fromisoformat(job["metadata"]["creationTimestamp"]),
            datetime.fromisoformat(job["status"]["completionTime"]),
        )
        for job in jobs
        if (job["metadata"].get("labels") or {}).get(names.MODEL_UID_LABEL) == target.uid
        and (job.get("status") or {}).get("phase") == Phase.SUCCEEDED
        and job["status"].get("completionTime")
    ]


def merged(*sources: Sequence[PastRun]) -> list[PastRun]:
    """Each run once."""
    return list({run.name: run for runs in sources for run in runs}.values())
