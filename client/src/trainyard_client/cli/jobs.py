"""Trainings: list, show, cancel, read their logs."""

import itertools
import sys
from typing import Annotated

import typer

from trainyard_client.cli.completion import complete_job, complete_model
from trainyard_client.cli.describe import best_metric, print_job
from trainyard_client.cli.log_lines import readable
from trainyard_client.cli.output import (
    Output,
    OutputOption,
    clean,
    console,
    document_of,
    print_document,
    print_list,
    print_names,
    print_one,
    say,
)
from trainyard_client.cli.progress import percent
from trainyard_client.cli.watch import TimeoutOption
from trainyard_client.client import Client
from trainyard_client.views import Status

Name = Annotated[str, typer.Argument(help="Name of the training.", autocompletion=complete_job)]
_COLUMNS = {
    "NAME": lambda job: job.job_id,
    "MODEL": lambda job: job.model,
    "TYPE": lambda job: job.model_type,
    "STATUS": lambda job: job.status,
    "PROGRESS": lambda job: f"{percent(job)} %",
    "METRIC": best_metric,
    "AGE": lambda job: job.created_at,
}


def list_jobs(
    client: Client,
    *,
    status: Annotated[
        Status | None, typer.Option("--status", "-s", help="Only those with this status.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help="Only those of this model.", autocompletion=complete_model
        ),
    ] = None,
    model_type: Annotated[
        str | None, typer.Option("--type", "-t", help="Only those that train this type.")
    ] = None,
    label: Annotated[
        str | None,
        typer.Option("--label", "-l", metavar="KEY=VALUE", help="Only those with this label."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    output: OutputOption = Output.TABLE,
) -> None:
    """List trainings, newest first."""
    found = client.jobs.list(status=status, model=model, model_type=model_type, label=label)
    print_list(
        itertools.islice(found, limit), output, lambda job: job.job_id, _COLUMNS, "No trainings."
    )


def status(client: Client, name: Name, output: OutputOption = Output.TABLE) -> None:
    """Show all that is known about a training."""
    print_one(client.jobs.get(name), output, name, print_job)


def cancel(
    client: Client,
    *,
    names: Annotated[
        list[str], typer.Argument(help="Trainings to stop.", autocompletion=complete_job)
    ],
    output: OutputOption = Output.TABLE,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Until no pod is left.")] = False,
    timeout: TimeoutOption = None,
) -> None:
    """Stop trainings for good. Their records stay."""
    jobs = [client.jobs.cancel(name) for name in names]
    if wait:
        jobs = [client.jobs.wait(name, timeout=timeout) for name in names]
    match output:
        case Output.TABLE:
            for job in jobs:
                say(clean(f"{job.job_id}: {job.message}"))
        case Output.NAME:
            print_names(job.job_id for job in jobs)
        case _:
            print_document({"items": [document_of(job) for job in jobs]}, output)


def logs(
    client: Client,
    *,
    name: Name,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it ends.")] = False,
    model_type: Annotated[
        str | None, typer.Option("--type", "-t", help="Which one, where all were trained.")
    ] = None,
) -> None:
    """Print what the trainer said; in a pipe as it is, one JSON document a line."""
    out = console()
    for line in client.jobs.logs(name, follow=follow, model_type=model_type):
        if out.is_terminal:
            out.print(readable(line))
            continue
        sys.stdout.write(clean(line) + "\n")
        if follow:
            sys.stdout.flush()
