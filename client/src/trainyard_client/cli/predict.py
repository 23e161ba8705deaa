"""`trainyard predict`: scores rows on this machine, by the trainer's package."""

import importlib
from typing import Annotated

import typer
from trainyard_schema import ModelType

from trainyard_client.cli.completion import complete_model
from trainyard_client.cli.connection import program
from trainyard_client.cli.errors import CommandError

_ENGINE = "trainyard_trainer.cli"
_PANEL = "Object store"


def predict(
    *,
    rows: Annotated[
        str, typer.Option("--input", "-i", help="CSV or Parquet: a file, or s3://bucket/key.")
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="Name of a model: its champion is taken, else its current version.",
            autocompletion=complete_model,
        ),
    ] = None,
    uri: Annotated[
        str | None, typer.Option(help="Or a version: a folder, or s3://bucket/key.")
    ] = None,
    model_type: Annotated[
        ModelType | None,
        typer.Option("--type", "-t", help="With --model, if it has no champion and several types."),
    ] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="A CSV file; - is stdout.")] = "-",
    bucket: Annotated[
        str, typer.Option(help="Where --model is looked for.", rich_help_panel=_PANEL)
    ] = "trainyard",
    endpoint_url: Annotated[
        str | None,
        typer.Option(help="Address; else AWS_ENDPOINT_URL.", rich_help_panel=_PANEL),
    ] = None,
) -> None:
    """Score rows with a model, on this machine, after checking all of its files.

    It reads the object store itself: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and
    AWS_ENDPOINT_URL say which and as whom. Exit codes: trainyard-trainer predict --help.
    """
    try:
        engine = importlib.import_module(_ENGINE)
    except ModuleNotFoundError as error:
        raise CommandError(
            "Scoring needs the libraries of the models. Install the trainer's package beside this "
            f"one: pip install ./schema ./client ./trainer-image (missing: {error.name})"
        ) from error
    given = {
        "--model": model,
        "--uri": uri,
        "--type": model_type,
        "--input": rows,
        "--output": output,
        "--bucket": bucket,
        "--endpoint-url": endpoint_url,
    }
    words = [word for name, value in given.items() if value is not None for word in (name, value)]
    engine.main(["predict", *words], program=program())
