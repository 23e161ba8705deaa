"""What users have asked for."""

import itertools
from typing import Annotated

import typer

from trainyard_client.cli.errors import CommandError, Exit
from trainyard_client.cli.output import Output, OutputOption, print_list
from trainyard_client.client import Client
from trainyard_client.history import HistoryEntry, HistoryRun

User = Annotated[
    str | None, typer.Option(help="Those of this user, by subject or id; needs the role admin.")
]
Everybody = Annotated[bool, typer.Option("--all", help="Those of everybody; needs the role admin.")]


def list_history(
    client: Client,
    *,
    user: User = None,
    everybody: Everybody = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 20,
    output: OutputOption = Output.TABLE,
) -> None:
    """List what you have asked for, newest first: retrainings, feedback, and what became of them.

    That of a Model's champions is shown by: models history
    """
    one_wish(user, everybody=everybody)
    found = itertools.islice(client.history(user=user, everybody=everybody), limit)
    print_list(found, output, lambda entry: entry.id, _COLUMNS, "Nothing has been asked for.")


def one_wish(user: str | None, *, everybody: bool) -> None:
    """Raises `CommandError` for two wishes at once."""
    if user is not None and everybody:
        raise CommandError("Give --user or --all, not both", Exit.USAGE)


def _what(entry: HistoryEntry) -> str | None:
    if entry.details:
        return ", ".join(f"{name}={value}" for name, value in entry.details.items())
    return f"{entry.model_type} in full" if entry.full_retrain else entry.model_type


def _result(run: HistoryRun) -> str:
    metric = f" {run.metric.name}={run.metric.value:.4f}" if run.metric else ""
    return run.run + metric + (f" {run.verdict.outcome}" if run.verdict else "")


_COLUMNS = {
    "TIME": lambda entry: f"{entry.created_at:%Y-%m-%d %H:%M:%S}",
    "USER": lambda entry: entry.user,
    "TYPE": lambda entry: entry.type,
    "WHAT": _what,
    "STATUS": lambda entry: entry.status,
    "RESULT": lambda entry: ", ".join(map(_result, entry.models)),
    "ERROR": lambda entry: entry.error,
}
