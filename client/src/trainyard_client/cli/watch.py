"""`trainyard watch`, and what `--wait` does."""

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from trainyard_client.cli.completion import complete_job
from trainyard_client.cli.describe import print_results
from trainyard_client.cli.errors import EXIT_OF_STATUS, EXITS, CommandError, Exit
from trainyard_client.cli.output import clean, say
from trainyard_client.cli.progress import Board
from trainyard_client.client import Client
from trainyard_client.errors import WaitTimeoutError
from trainyard_client.views import Job, Status

_MOST: Final = 50

TimeoutOption = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="With --wait: how long; it goes on all the same."),
]


def watch(
    client: Client,
    *,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Trainings; none: all that have not ended.", autocompletion=complete_job
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="How long to watch; they go on all the same."),
    ] = None,
) -> None:
    """Show the progress of trainings until they end."""
    if not names:
        active = [
            job.job_id
            for status in (Status.RUNNING, Status.STARTED)
            for job in client.jobs.list(status=status)
        ]
        if not active:
            say("No training is going on.")
            return
        names = active[:_MOST]
        if len(active) > _MOST:
            say(f"Of {len(active)} trainings, {_MOST} are shown.")
    wait_for(client, list(dict.fromkeys(names)), timeout)


watch.__doc__ = f"{watch.__doc__}\n\n{EXITS}"


def wait_for(
    client: Client, names: Sequence[str], timeout: float | None, *, quiet: bool = False
) -> None:
    """Wait until trainings have ended, showing them unless `quiet`; then end with what they tell.

    Of several, the first that has not completed decides the exit code.
    """
    last: dict[str, Job] = {}
    try:
        if quiet:
            for job in client.jobs.watch(*names, timeout=timeout):
                last[job.job_id] = job
        else:
            with Board() as board:
                for job in client.jobs.watch(*names, timeout=timeout):
                    last[job.job_id] = job
                    board.show(job)
    except WaitTimeoutError:
        going = [name for name in names if name not in last or not last[name].ended]
        raise CommandError(
            f"Not ended within {timeout:g} s: {', '.join(going)}. They go on.", Exit.TIMED_OUT
        ) from None
    ended = [last[name] for name in names if name in last]
    if not quiet:
        for job in ended:
            if job.status is Status.COMPLETED:
                print_results(job)
    for job in ended:
        if job.status is not Status.COMPLETED:
            what = f"{job.job_id} {job.status}"
            why = f": {job.reason}: {job.message}" if job.reason else ""
            raise CommandError(clean(what + why), EXIT_OF_STATUS[job.status])
