"""Which finished TrainingJobs of a Model are kept."""

from collections.abc import Sequence

from trainyard_schema import HistoryLimits, Phase

from trainyard_controller.objects import TrainingJob


def beyond_limits(runs: Sequence[TrainingJob], limits: HistoryLimits) -> list[TrainingJob]:
    """The finished runs that are more than the limits allow: the oldest ones."""
    finished = sorted(
        (run for run in runs if run.finished and not run.deleting),
        key=lambda run: (run.created, run.name),
        reverse=True,
    )
    succeeded = [run for run in finished if run.status.phase is Phase.SUCCEEDED]
    failed = [run for run in finished if run.status.phase is not Phase.SUCCEEDED]
    return succeeded[limits.succeeded :] + failed[limits.failed :]
