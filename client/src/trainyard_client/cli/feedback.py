"""`trainyard feedback`: true outcomes from a file; `trainyard models feedback`: what they tell."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError
from trainyard_schema.artifacts import SCHEMA

from trainyard_client.cli.completion import complete_model
from trainyard_client.cli.connection import program
from trainyard_client.cli.errors import CommandError
from trainyard_client.cli.feedback_rows import Row, Table, VersionSchema, batches, key
from trainyard_client.cli.models import ModelName
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
from trainyard_client.errors import InvalidRequestError, NotFoundError, TrainyardError
from trainyard_client.feedback import KeptFeedback

# The API tells `rows.7.features.age: must be …; rows.8.outcome: …`, counted from 0 in the request.
_ROW: Final = re.compile(r"(?:^|; )rows\.(\d+)\.")
_COLUMNS = {
    "VERSION": lambda one: one.version,
    "TYPE": lambda one: one.model_type,
    "ROWS": lambda one: one.rows,
    "PREDICTED": lambda one: one.predicted,
    "ACCURACY": lambda one: one.accuracy,
    "MEAN ABSOLUTE ERROR": lambda one: one.mean_absolute_error,
    "LATEST": lambda one: one.last_at,
    "URI": lambda one: one.uri,
}


def give(
    client: Client,
    *,
    model: Annotated[
        str,
        typer.Option("--model", "-m", help="Name of the model.", autocompletion=complete_model),
    ],
    rows: Annotated[
        Path,
        typer.Option(
            "--input", "-i", help="CSV: the version's columns, the outcome and the prediction."
        ),
    ],
    outcome: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="What came true; default: the version's target."),
    ] = None,
    prediction: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="What was predicted; default: prediction, if there is one."
        ),
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(help="Which version has predicted; default: the champion, else the current."),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Tell what really came of predictions. A file that is sent again is kept once."""
    schema = _schema(client, model, version or _predicting(client, model))
    table = Table(rows, schema, outcome or schema.target, prediction)
    kept: list[KeptFeedback] = []
    try:
        for batch in batches(table.rows()):
            kept.append(_send(client, model, version, table, batch))
            if output is Output.TABLE:
                sys.stdout.write(_line(batch, kept[-1]) + "\n")
                sys.stdout.flush()
    except (TrainyardError, CommandError):
        if kept:
            say(
                f"{sum(one.rows for one in kept)} rows are kept by now. When the command is given "
                "again, they are not kept twice."
            )
        raise
    if not kept:
        raise CommandError(f"{rows} has no rows")
    match output:
        case Output.TABLE:
            say("", "Next:", f"  {program()} models feedback {model}")
        case Output.NAME:
            print_names(one.feedback_id for one in kept)
        case _:
            print_document({"items": [document_of(one) for one in kept]}, output)


def summary(client: Client, *, model: ModelName, output: OutputOption = Output.TABLE) -> None:
    """Show how right predictions were, by version, the latest first."""
    empty = f"There is no feedback on {model}. Give some: {program()} feedback --help"
    print_list(client.feedback.list(model), output, lambda one: one.version, _COLUMNS, empty)


def _predicting(client: Client, model: str) -> str:
    """The version that the API takes for the one that has predicted."""
    try:
        champion = client.models.get(model).champion
    except NotFoundError:
        champion = None
    if champion is not None:
        return champion.version
    for version in client.versions.list(model):
        if version.current:
            return version.version
    raise CommandError(
        f"There is no champion and no current version of {model}; name one: --version VERSION"
    )


def _schema(client: Client, model: str, version: str) -> VersionSchema:
    text = b"".join(client.versions.file(model, version, SCHEMA))
    try:
        return VersionSchema.model_validate_json(text)
    except ValidationError as error:
        raise CommandError(
            f"{SCHEMA} of version {version} was written by another version of Trainyard"
        ) from error


def _send(
    client: Client, model: str, version: str | None, table: Table, batch: Sequence[Row]
) -> KeptFeedback:
    bodies = [row.body for row in batch]
    try:
        return client.feedback.give(
            model, bodies, version=version, idempotency_key=key(model, version, batch)
        )
    except InvalidRequestError as error:
        _, *found = _ROW.split(error.problem.detail)
        if not found:
            raise
        places = zip(found[::2], found[1::2], strict=True)
        lines = [_problem(table, batch[int(number)].line, text) for number, text in places]
        raise CommandError(clean("\n".join(lines))) from error


def _problem(table: Table, line: int, text: str) -> str:
    """What is wrong in a line; the text begins with a field of the API."""
    field, _, message = text.partition(": ")
    columns = {"outcome": table.outcome, "prediction": table.predicted}
    column = columns.get(field) or field.removeprefix("features.")
    return f"{table.path}, line {line}, column {column}: {message}"


def _line(batch: Sequence[Row], kept: KeptFeedback) -> str:
    where = f"lines {batch[0].line} to {batch[-1].line}"
    later = "" if kept.written else "  to be written to the object store"
    return clean(f"{where}  {kept.rows} rows kept  version {kept.version}{later}")
