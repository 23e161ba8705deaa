"""One progress for a run of several trainers: what the status says of it, and when that moves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from trainyard_schema import UNITS, ModelType, ModelVersion, Progress, Stage
from trainyard_schema.run import RunProgress

from trainyard_controller.estimate import Estimate, estimate
from trainyard_controller.past import PastRun

SILENCE_SECONDS = 30.0
"""How long a trainer that runs may not be heard until what is known of it is stale."""
_STAGES = list(Stage)
_SHIFT_SECONDS = 5.0
_SHIFT_SHARE = 0.1
"""By how much the predicted end moves, of the time left, before that is news."""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A trainer's word, and when it was heard."""

    report: RunProgress
    time: datetime
    """In whole seconds, by the operator's clock."""


def stage(running: Sequence[Heard]) -> Stage | None:
    """The stage of the trainer that is furthest behind."""
    return min((one.report.stage for one in running), key=_STAGES.index, default=None)


def estimates(
    heard: Mapping[ModelType, Heard],
    past: Mapping[ModelType, Sequence[PastRun]],
    *,
    gated: bool,
) -> dict[ModelType, Estimate]:
    """What can be said of each trainer that was heard."""
    return {
        kind: estimate(one.report, past.get(kind, ()), gated=gated) for kind, one in heard.items()
    }


def combine(
    model_types: Sequence[ModelType],
    *,
    done: frozenset[ModelType],
    heard: Mapping[ModelType, Heard],
    judged: Mapping[ModelType, Estimate],
    silent: bool,
    previous: Progress | None,
) -> Progress | None:
    """The mean percent of all model types, the units of the one that is behind, and the time until
    the last one ends. The percent never falls, also where another attempt begins anew.

    `done` are the model types whose trainers have ended, `judged` what can be said of the others
    that were `heard`; `silent`: one of them has said nothing for long. Returns `previous` where
    nothing moved.
    """
    percents = {
        kind: 100 if kind in done else judged[kind].percent if kind in judged else 0
        for kind in model_types
    }
    behind = min(judged, key=lambda kind: judged[kind].percent)
    report = heard[behind].report
    counted = report.done is not None
    combined = Progress(
        percent=max(sum(percents.values()) // len(percents), previous.percent if previous else 0),
        unit=UNITS[behind] if counted else None,
        done=report.done,
        total=report.total if counted else None,
        eta_seconds=None if silent else _last_end(model_types, done, judged),
        stale=silent or None,
        updated_at=min(one.time for one in heard.values()),
    )
    return previous if previous is not None and not _moved(previous, combined) else combined


def unheard(previous: Progress | None, *, runs: bool, silent: bool) -> Progress | None:
    """The progress while no trainer has said anything: of one that `runs` it is what was known,
    and stale when that is long ago; without one nobody knows when the run will end.
    """
    if previous is None or (runs and not silent):
        return previous
    return previous.model_copy(update={"eta_seconds": None, "stale": (runs and silent) or None})


def complete(previous: Progress | None, models: Sequence[ModelVersion], now: datetime) -> Progress:
    """The progress of a run that has succeeded, with the units that were really trained."""
    if previous is None:
        return Progress(percent=100, updated_at=now)
    trained = {UNITS[model.model_type]: model.units for model in models}
    units = trained.get(previous.unit) if previous.unit else None
    counted = {} if units is None else {"done": units, "total": units}
    ended = {"percent": 100, "eta_seconds": None, "stale": None, "updated_at": now}
    return previous.model_copy(update=counted | ended)


def predicted_end(progress: Progress) -> datetime | None:
    """When the run ends, by what its progress says."""
    if progress.eta_seconds is None:
        return None
    return progress.updated_at + timedelta(seconds=progress.eta_seconds)


def _last_end(
    model_types: Sequence[ModelType],
    done: frozenset[ModelType],
    judged: Mapping[ModelType, Estimate],
) -> int | None:
    """Seconds until the last trainer ends; None while one has yet to begin, or cannot tell."""
    awaited = [kind for kind in model_types if kind not in done]
    left = [judged[kind].seconds_left for kind in awaited if kind in judged]
    known = [seconds for seconds in left if seconds is not None]
    return round(max(known)) if len(known) == len(awaited) and known else None


def _moved(before: Progress, after: Progress) -> bool:
    if _position(before) != _position(after):
        return True
    ends = predicted_end(before), predicted_end(after)
    if ends[0] is None or ends[1] is None:
        return ends[0] is not ends[1]
    shift = abs((ends[1] - ends[0]).total_seconds())
    return shift > max(_SHIFT_SECONDS, _SHIFT_SHARE * (after.eta_seconds or 0))


def _position(progress: Progress) -> tuple[object, ...]:
    return progress.percent, progress.unit, progress.done, progress.total, progress.stale
