"""How far a trainer is, and how long it still needs: by its own pace and by past runs of its work.

Each past run says what would be left if this one went on like it; the median of these is the
estimate. Training is scaled by its units: with early stopping a run does as many as the past one
did, without it all that are planned. Once the trainer knows its own pace, that counts; all else is
scaled by how many times as long as the past run this one takes for what both have done, be it that
the table has grown or that the node is slower.

What is not known is not said: a run without a past has an estimate in training only, where no early
stopping may end it at any time, and of training only. The percent is then that of fixed shares
(`SHARES`), which are those of a typical run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from trainyard_schema import Stage
from trainyard_schema.run import RunProgress

from trainyard_controller.past import PastRun

SHARES: Mapping[Stage, int] = {
    Stage.DOWNLOADING: 5,
    Stage.VALIDATING: 5,
    Stage.TRAINING: 75,
    Stage.EVALUATING: 5,
    Stage.UPLOADING: 5,
    Stage.JUDGING: 5,
}
_STAGES = list(Stage)
_TRAINING = _STAGES.index(Stage.TRAINING)
_PRIOR = 0.1
"""Share of a run for which it is taken to be as fast as the past one: a second more of a download
that takes one is no sign of a slow node.
"""
_SLOWEST = 10.0
_LONGEST_SECONDS = 10 * 365 * 86400.0
_MOST_PERCENT = 99


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What can be said of one trainer at the time of its word."""

    percent: int
    seconds_left: float | None
    """Until it ends; None while unknown."""


def estimate(report: RunProgress, past: Sequence[PastRun], *, gated: bool) -> Estimate:
    """Judge what a trainer said. `gated`: its version will be judged by a gate."""
    left = _seconds_left(report, past)
    if left is None:
        return Estimate(percent=_by_shares(report, gated=gated), seconds_left=None)
    elapsed = sum(report.stage_seconds.values())
    percent = int(100 * elapsed / (elapsed + left))
    return Estimate(percent=min(percent, _MOST_PERCENT), seconds_left=left)


def _seconds_left(report: RunProgress, past: Sequence[PastRun]) -> float | None:
    if past:
        left = median(_left_as_in(run, report) for run in past)
    elif report.stage is Stage.TRAINING and report.rate and not report.stops_early:
        left = (report.total - (report.done or 0)) / report.rate
    else:
        return None
    # Where it should have ended by now, the time left is not 0 but unknown.
    return left if 0 < left < _LONGEST_SECONDS else None


def _left_as_in(run: PastRun, report: RunProgress) -> float:
    """Seconds left if the run that reports goes on like an earlier one."""
    units = min(run.units, report.total) if report.stops_early else report.total
    work = list(run.seconds)
    work[_TRAINING] *= units / max(run.units, 1)
    present = _STAGES.index(report.stage)
    before, here, to_come = sum(work[:present]), work[present], sum(work[present + 1 :])
    elapsed, elapsed_here = _elapsed(report)
    prior = _PRIOR * sum(work)
    if present == _TRAINING and report.rate:
        units_left = max(0, units - (report.done or 0))
        left, share = units_left / report.rate, units_left / max(units, 1)
    else:
        expected = here * _slowness(elapsed - elapsed_here, before, prior)
        left = max(0.0, expected - elapsed_here)
        share = left / expected if expected else 0.0
    return left + to_come * _slowness(elapsed, before + here * (1 - share), prior)


def _elapsed(report: RunProgress) -> tuple[float, float]:
    """Seconds since its start, and in the present stage."""
    seconds = report.stage_seconds
    return sum(seconds.values()), seconds.get(report.stage, 0.0)


def _slowness(seconds: float, seconds_then: float, prior: float) -> float:
    """How many times as long something takes as it did in a past run, by what both have done."""
    if seconds_then + prior == 0:
        return 1.0
    times = (seconds + prior) / (seconds_then + prior)
    return min(max(times, 1 / _SLOWEST), _SLOWEST)


def _by_shares(report: RunProgress, *, gated: bool) -> int:
    last = Stage.JUDGING if gated or report.stage is Stage.JUDGING else Stage.UPLOADING
    stages = _STAGES[: _STAGES.index(last) + 1]
    before = sum(SHARES[stage] for stage in stages[: stages.index(report.stage)])
    done = before + SHARES[report.stage] * report.share
    return min(_MOST_PERCENT, int(100 * done / sum(SHARES[stage] for stage in stages)))
