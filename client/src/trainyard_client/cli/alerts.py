"""Failures that somebody should have heard of."""

import itertools
from typing import Annotated

import typer

from trainyard_client.cli.connection import program
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
from trainyard_client.client import Client

_COLUMNS = {
    "ID": lambda alert: alert.id,
    "TYPE": lambda alert: alert.type,
    "MODEL": lambda alert: alert.data.get("model"),
    "RUN": lambda alert: alert.data.get("run"),
    "AGE": lambda alert: alert.occurred_at,
    "MESSAGE": lambda alert: alert.data.get("message"),
    "STATE": lambda alert: alert.state,
    "ATTEMPTS": lambda alert: alert.attempts,
    "LAST ERROR": lambda alert: alert.last_error,
}


def list_alerts(
    client: Client,
    *,
    state: Annotated[
        str | None,
        typer.Option("--state", "-s", help="Only those in it: pending, delivered or dead."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 20,
    output: OutputOption = Output.TABLE,
) -> None:
    """List failures, newest first, and whether the webhook was told. Needs the role admin."""
    found = itertools.islice(client.alerts.list(state=state), limit)
    print_list(found, output, lambda alert: alert.id, _COLUMNS, "No alerts.")


def redeliver(
    client: Client,
    *,
    alerts: Annotated[list[str], typer.Argument(metavar="ID", help="Alerts to deliver again.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Deliver alerts to the webhook once more, whatever their state. Needs the role admin."""
    asked = [client.alerts.redeliver(alert) for alert in alerts]
    match output:
        case Output.TABLE:
            for alert in asked:
                say(clean(f"{alert.id}: to be delivered again"))
            say("", "Next:", f"  {program()} alerts")
        case Output.NAME:
            print_names(alert.id for alert in asked)
        case _:
            print_document({"items": [document_of(alert) for alert in asked]}, output)
