"""One progress for a run of several trainers."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from trainyard_schema import ModelType, Progress, Stage
from trainyard_schema.run import RunProgress

_STAGES = list(Stage)


def stage(running: Sequence[RunProgress]) -> Stage | None:
    """The stage of the trainer that is furthest behind."""
    return min((one.stage for one in running), key=_STAGES.index, default=None)


def combine(
    model_types: Sequence[ModelType],
    *,
    done: frozenset[ModelType],
    reports: Mapping[ModelType, RunProgress],
    previous: Progress | None,
) -> Progress | None:
    """The mean percent of all model types, and the units of the one that is behind.

    `done` are the model types whose trainers have ended. Returns `previous` where nothing moved.
    """
    if not reports:
        return previous
    percents = {
        kind: 100 if kind in done else reports[kind].progress.percent if kind in reports else 0
        for kind in model_types
    }
    behind = min(reports.values(), key=lambda report: report.progress.percent).progress
    combined = Progress(
        percent=sum(percents.values()) // len(percents),
        unit=behind.unit,
        done=behind.done,
        total=behind.total,
        eta_seconds=behind.eta_seconds,
        updated_at=behind.updated_at,
    )
    if previous is not None and _position(previous) == _position(combined):
        return previous
    return combined


def complete(previous: Progress | None, now: datetime) -> Progress:
    """The progress of a run that has succeeded."""
    if previous is None:
        return Progress(percent=100, updated_at=now)
    return previous.model_copy(
        update={"percent": 100, "done": previous.total, "eta_seconds": None, "updated_at": now}
    )


def _position(progress: Progress) -> tuple[object, ...]:
    return progress.percent, progress.unit, progress.done, progress.total
