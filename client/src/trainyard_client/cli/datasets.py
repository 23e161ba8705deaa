"""Tables to train on: upload and list."""

import itertools
from pathlib import Path
from typing import Annotated

import typer

from trainyard_client.cli import uploading
from trainyard_client.cli.connection import program
from trainyard_client.cli.output import (
    Output,
    OutputOption,
    print_fields,
    print_list,
    print_one,
    say,
    size,
)
from trainyard_client.client import Client
from trainyard_client.views import Dataset


def upload(
    client: Client,
    *,
    file: Annotated[Path, typer.Argument(help="A .csv or a .parquet file.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the dataset; default: that of the file.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Upload a table. It is checked as a whole; the same bytes are stored once."""
    dataset = uploading.upload(client, file, name)
    print_one(dataset, output, dataset.uri, _describe)


def list_datasets(
    client: Client,
    *,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    output: OutputOption = Output.TABLE,
) -> None:
    """List uploaded tables, newest first."""
    found = itertools.islice(client.datasets.list(), limit)
    print_list(found, output, lambda one: one.uri, _COLUMNS, "No datasets. Add one: upload FILE")


_COLUMNS = {
    "NAME": lambda one: one.name,
    "ROWS": lambda one: one.rows,
    "COLUMNS": lambda one: len(one.columns) or None,
    "SIZE": lambda one: None if one.size_bytes is None else size(one.size_bytes),
    "URI": lambda one: one.uri,
    "AGE": lambda one: one.uploaded_at,
}


def _describe(dataset: Dataset) -> None:
    print_fields(
        {
            "Name": dataset.name,
            "URI": dataset.uri,
            "Rows": dataset.rows,
            "Columns": ", ".join(f"{one.name} ({one.type})" for one in dataset.columns) or None,
            "Size": None if dataset.size_bytes is None else size(dataset.size_bytes),
        }
    )
    say(
        "",
        "Next:",
        f"  {program()} submit --data {dataset.uri} --target COLUMN --wait",
    )
