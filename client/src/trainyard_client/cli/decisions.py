"""Decide about champions. The operator carries it out."""

from typing import Annotated

import typer

from trainyard_client.cli.connection import program
from trainyard_client.cli.models import ModelName
from trainyard_client.cli.output import Output, OutputOption, clean, print_one, say
from trainyard_client.client import Client
from trainyard_client.views import Accepted

VersionName = Annotated[
    str, typer.Argument(metavar="VERSION", help="The version; see: trainyard models versions MODEL")
]
Reason = Annotated[str | None, typer.Option(help="Why; kept in the history.")]


def promote(
    client: Client,
    *,
    model: ModelName,
    version: VersionName,
    reason: Reason = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a version the champion, whatever the gate said. Needs the role admin."""
    accepted = client.models.promote(model, version, reason=reason)
    _tell(accepted, model, f"{version} is to become the champion of {model}.", output)


def approve(
    client: Client, *, model: ModelName, version: VersionName, output: OutputOption = Output.TABLE
) -> None:
    """Make a version that awaits approval the champion. Needs the role admin."""
    accepted = client.models.approve(model, version)
    _tell(accepted, model, f"{version} is to become the champion of {model}.", output)


def reject(
    client: Client, *, model: ModelName, version: VersionName, output: OutputOption = Output.TABLE
) -> None:
    """Turn down a version that awaits approval; the champion stays. Needs the role admin."""
    accepted = client.models.reject(model, version)
    _tell(accepted, model, f"{version} is to be turned down.", output)


def rollback(
    client: Client, *, model: ModelName, reason: Reason = None, output: OutputOption = Output.TABLE
) -> None:
    """Make the previous champion the champion again; twice undoes it. Needs the role admin."""
    accepted = client.models.rollback(model, reason=reason)
    _tell(accepted, model, f"{model} is to go back to its previous champion.", output)


def _tell(accepted: Accepted, model: str, what: str, output: Output) -> None:
    def describe(_: Accepted) -> None:
        say(clean(what), "", "Next:", f"  {program()} models show {model}")

    print_one(accepted, output, model, describe)
