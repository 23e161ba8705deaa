"""Ask Models for a run, and see what became of it."""

import itertools
import sys
from typing import Annotated

import typer

from trainyard_client.cli.completion import complete_model
from trainyard_client.cli.connection import program
from trainyard_client.cli.errors import CommandError, Exit
from trainyard_client.cli.history import Everybody, User, one_wish
from trainyard_client.cli.output import (
    Output,
    OutputOption,
    clean,
    document_of,
    print_document,
    print_list,
    print_names,
    say,
)
from trainyard_client.cli.watch import TimeoutOption
from trainyard_client.client import Client
from trainyard_client.errors import WaitTimeoutError
from trainyard_client.views import Retrain

_COLUMNS = {
    "ID": lambda one: one.id,
    "MODEL": lambda one: one.model_type,
    "MODE": lambda one: "full" if one.full_retrain else "incremental",
    "STATUS": lambda one: one.status,
    "REQUESTER": lambda one: one.requester,
    "RUNS": lambda one: ", ".join(run.run for run in one.runs),
    "AGE": lambda one: one.created_at,
    "ERROR": lambda one: one.error_message,
}


def retrain(
    client: Client,
    *,
    model: Annotated[
        str | None, typer.Argument(help="Name of the Model.", autocompletion=complete_model)
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every Model that is marked for retraining.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="From scratch, instead of continuing from the champion.")
    ] = False,
    output: OutputOption = Output.TABLE,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Show it until it ends.")] = False,
    timeout: TimeoutOption = None,
) -> None:
    """Train a Model anew, as its template says."""
    if (model is None) != everything:
        raise CommandError("Give the name of a Model, or --all", Exit.USAGE)
    if model is None:
        started = client.retrains.start_all(full=full)
    else:
        started = client.models.retrain(model, full=full)
    match output:
        case Output.NAME:
            print_names([started.id])
        case Output.TABLE:
            _tell(started, waits=wait)
        case _:
            print_document(document_of(started), output)
    if wait:
        _wait(client, started.id, timeout, quiet=output is not Output.TABLE)


def list_retrains(
    client: Client,
    *,
    user: User = None,
    everybody: Everybody = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 20,
    output: OutputOption = Output.TABLE,
) -> None:
    """List requests to retrain, newest first, with what became of them."""
    one_wish(user, everybody=everybody)
    found = itertools.islice(client.retrains.list(user=user, everybody=everybody), limit)
    print_list(found, output, lambda one: one.id, _COLUMNS, "No requests to retrain.")


def _tell(started: Retrain, *, waits: bool) -> None:
    say(f"Retraining {clean(started.model_type)}: request {started.id}.")
    if waits:
        return
    watched = [f"  {program()} watch {clean(run.run)}" for run in started.runs]
    say("", "Next:", *watched, f"  {program()} retrains")


def _wait(client: Client, request: str, timeout: float | None, *, quiet: bool) -> None:
    last: Retrain | None = None
    try:
        for last in client.retrains.watch(request, timeout=timeout):
            if not quiet:
                sys.stdout.write(_line(last) + "\n")
                sys.stdout.flush()
    except WaitTimeoutError:
        raise CommandError(f"Not ended within {timeout:g} s. It goes on.", Exit.TIMED_OUT) from None
    if last is not None and last.status != "completed":
        why = f": {last.error_message}" if last.error_message else ""
        raise CommandError(clean(f"Retraining {last.status}{why}"), Exit.FAILED)


def _line(retrain: Retrain) -> str:
    runs = ", ".join(f"{run.run} {run.status}" for run in retrain.runs)
    return clean(f"{retrain.model_type}  {retrain.status}  {runs}".rstrip())
