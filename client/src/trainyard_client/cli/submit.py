"""`trainyard submit`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from trainyard_schema import ModelType, names

from trainyard_client.cli import uploading
from trainyard_client.cli.connection import program
from trainyard_client.cli.errors import CommandError, Exit
from trainyard_client.cli.output import (
    Output,
    OutputOption,
    clean,
    document_of,
    print_document,
    print_names,
    say,
)
from trainyard_client.cli.specs import Wanted, from_file, parameters, parse_spec
from trainyard_client.cli.watch import TimeoutOption, wait_for
from trainyard_client.client import Client
from trainyard_client.views import Job

_TYPES = " | ".join([*ModelType, "all"])


def submit(
    client: Client,
    *,
    name: Annotated[
        str | None, typer.Argument(help="Name of the training; without it, the API makes one.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="TrainingJobs in YAML, instead of options; - is stdin."),
    ] = None,
    model_type: Annotated[
        str, typer.Option("--type", "-t", help="What to train.", metavar=_TYPES)
    ] = "xgboost",
    data: Annotated[
        str | None,
        typer.Option(
            "--data", "-d", help="The table: s3://bucket/key, or a CSV or Parquet file to upload."
        ),
    ] = None,
    target: Annotated[str | None, typer.Option(help="Column to predict.")] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="Column not to learn from, such as an id. Repeatable.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="Name to file versions under; else the training's, else the table's.",
        ),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            metavar="NAME=VALUE",
            help="Hyperparameter; with --type all as xgboost.max_depth=6. Repeatable.",
        ),
    ] = None,
    folds: Annotated[
        int | None, typer.Option(help="Folds of a cross-validation beside the holdout.")
    ] = None,
    incremental: Annotated[
        bool,
        typer.Option("--incremental", help="Continue from the current version, not from scratch."),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Make the new version the current one.")
    ] = False,
    cpu: Annotated[str | None, typer.Option(help="Limit of the pod, such as 2 or 500m.")] = None,
    memory: Annotated[str | None, typer.Option(help="Limit of the pod, such as 2Gi.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random choice.")] = None,
    deadline: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="Longest time that it may take.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--idempotency-key",
            metavar="KEY",
            help="Sent again with the same key, it starts nothing new.",
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Show it until it ends.")] = False,
    timeout: TimeoutOption = None,
) -> None:
    """Start a training.

    [dim]trainyard submit --data churn.csv --target churned --wait
    trainyard submit churn-xgb -d s3://trainyard/datasets/churn.csv --target churned -p max_depth=6
    trainyard submit -f examples/xgboost.yaml[/dim]
    """
    if file is not None:
        if name or data or target or param:
            raise CommandError("-f says all: give no name and no other options with it", Exit.USAGE)
        wanted = from_file(file)
    else:
        if not data or not target:
            raise CommandError("Give --data and --target, or -f with a TrainingJob", Exit.USAGE)
        uri = data if "://" in data else uploading.upload(client, Path(data)).uri
        options = {
            "modelType": model_type,
            "data": {"uri": uri, "target": target} | ({"exclude": exclude} if exclude else {}),
            "model": model or (None if name else names.model_of_table(data)),
            "hyperparameters": parameters(param) if param else None,
            "crossValidation": {"folds": folds} if folds else None,
            "mode": "incremental" if incremental else None,
            "overwrite": overwrite or None,
            "resources": _resources(cpu, memory),
            "seed": seed,
            "activeDeadlineSeconds": deadline,
        }
        given = {field: value for field, value in options.items() if value is not None}
        wanted = [Wanted(name, parse_spec(given))]
    if key is not None and len(wanted) > 1:
        raise CommandError("--idempotency-key is for one training", Exit.USAGE)
    jobs = [client.jobs.submit(one.spec, name=one.name, idempotency_key=key) for one in wanted]
    _tell(jobs, output, waits=wait)
    if wait:
        wait_for(client, [job.job_id for job in jobs], timeout, quiet=output is not Output.TABLE)


def _resources(cpu: str | None, memory: str | None) -> dict[str, Any] | None:
    given = {name: value for name, value in (("cpu", cpu), ("memory", memory)) if value}
    # What is asked for is what is allowed: a pod that is sure of its memory is not evicted first.
    return {"requests": given, "limits": given} if given else None


def _tell(jobs: list[Job], output: Output, *, waits: bool) -> None:
    match output:
        case Output.NAME:
            print_names(job.job_id for job in jobs)
        case Output.TABLE:
            for job in jobs:
                say(clean(f"Started {job.job_id}: {job.model_type}, filed as model {job.model}."))
            if not waits:
                say(what_next(jobs[0].job_id))
        case _ if len(jobs) == 1:
            print_document(document_of(jobs[0]), output)
        case _:
            print_document({"items": [document_of(job) for job in jobs]}, output)


def what_next(name: str) -> str:
    """The commands worth typing after a training was started."""
    lines = (
        (f"watch {name}", "progress, until it ends"),
        (f"logs -f {name}", "what the trainer says"),
        (f"status {name}", "all that is known about it"),
        (f"cancel {name}", "stop it; its record stays"),
    )
    width = max(len(command) for command, _ in lines)
    shown = (f"  {program()} {command:<{width}}   {what}" for command, what in lines)
    return "\n".join(("", "Next:", *shown))
