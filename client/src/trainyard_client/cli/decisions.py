"""Decide about champions. The operator carries it out."""

from typing import Annotated

import typer

from trainyard_client.cli.connection import program
from trainyard_client.cli.errors import CommandError, Exit
from trainyard_client.cli.models import ModelName, describe
from trainyard_client.cli.output import Output, OutputOption, clean, print_one, say
from trainyard_client.cli.watch import TimeoutOption
from trainyard_client.client import Client
from trainyard_client.errors import WaitTimeoutError
from trainyard_client.views import Accepted

VersionName = Annotated[
    str, typer.Argument(metavar="VERSION", help="The version; see: trainyard models versions MODEL")
]
Reason = Annotated[str | None, typer.Option(help="Why; kept in the history.")]
Wait = Annotated[bool, typer.Option("--wait", "-w", help="Until the operator has answered.")]


def promote(
    client: Client,
    *,
    model: ModelName,
    version: VersionName,
    reason: Reason = None,
    output: OutputOption = Output.TABLE,
    wait: Wait = False,
    timeout: TimeoutOption = None,
) -> None:
    """Make a version the champion, whatever the gate said. Needs the role admin."""
    accepted = client.models.promote(model, version, reason=reason)
    what = f"{version} is to become the champion of {model}."
    _tell(client, accepted, what, output, wait=wait, timeout=timeout)


def approve(
    client: Client,
    *,
    model: ModelName,
    version: VersionName,
    output: OutputOption = Output.TABLE,
    wait: Wait = False,
    timeout: TimeoutOption = None,
) -> None:
    """Make a version that awaits approval the champion. Needs the role admin."""
    accepted = client.models.approve(model, version)
    what = f"{version} is to become the champion of {model}."
    _tell(client, accepted, what, output, wait=wait, timeout=timeout)


def reject(
    client: Client,
    *,
    model: ModelName,
    version: VersionName,
    output: OutputOption = Output.TABLE,
    wait: Wait = False,
    timeout: TimeoutOption = None,
) -> None:
    """Turn down a version that awaits approval; the champion stays. Needs the role admin."""
    accepted = client.models.reject(model, version)
    _tell(client, accepted, f"{version} is to be turned down.", output, wait=wait, timeout=timeout)


def rollback(
    client: Client,
    *,
    model: ModelName,
    reason: Reason = None,
    output: OutputOption = Output.TABLE,
    wait: Wait = False,
    timeout: TimeoutOption = None,
) -> None:
    """Make the previous champion the champion again; twice undoes it. Needs the role admin."""
    accepted = client.models.rollback(model, reason=reason)
    what = f"{model} is to go back to its previous champion."
    _tell(client, accepted, what, output, wait=wait, timeout=timeout)


def _tell(
    client: Client,
    accepted: Accepted,
    what: str,
    output: Output,
    *,
    wait: bool,
    timeout: float | None,
) -> None:
    def said(_: Accepted) -> None:
        following = "" if wait else f"\n\nNext:\n  {program()} models show {accepted.model}"
        say(clean(what) + following)

    if not wait:
        print_one(accepted, output, accepted.id, said)
        return
    if output is Output.TABLE:
        said(accepted)
    try:
        model = client.models.answer(accepted, timeout=timeout)
    except WaitTimeoutError as error:
        raise CommandError(f"{error}; the request stands", Exit.TIMED_OUT) from None
    print_one(model, output, model.name, describe)
    if model.refusal:
        raise CommandError(clean(f"The operator {model.refusal}"), Exit.FAILED)
