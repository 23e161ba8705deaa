"""Which of a Model's runs came later, and which finished ones are kept."""

from collections.abc import Sequence
from datetime import datetime

from trainyard_schema import HistoryLimits, Phase

from trainyard_controller.objects import TrainingJob


def turn(run: TrainingJob) -> tuple[datetime, bool, int]:
    """What orders runs. Of those created within one second, the last goes on, or ended last."""
    return run.created, not run.finished, int(run.resource_version)


def beyond_limits(runs: Sequence[TrainingJob], limits: HistoryLimits) -> list[TrainingJob]:
    """The finished runs that are more than the limits allow: the oldest ones."""
    finished = sorted(
        (run for run in runs if run.finished and not run.deleting),
        key=turn,
        reverse=True,
    )
    succeeded = [run for run in finished if run.status.phase is Phase.SUCCEEDED]
    failed = [run for run in finished if run.status.phase is not Phase.SUCCEEDED]
    return succeeded[limits.succeeded :] + failed[limits.failed :]
