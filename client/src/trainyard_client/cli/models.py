"""`trainyard models`: Models, their versions, and the history of their champions."""

import itertools
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from trainyard_client.cli.completion import complete_model
from trainyard_client.cli.connection import with_client
from trainyard_client.cli.describe import metric_text
from trainyard_client.cli.errors import CommandError
from trainyard_client.cli.output import (
    Output,
    OutputOption,
    ago,
    clean,
    console,
    print_fields,
    print_list,
    print_one,
    print_table,
    say,
    size,
)
from trainyard_client.client import Client
from trainyard_client.views import Comparison, Model, Version

app = typer.Typer(name="models", help="Models, their versions and champions.", no_args_is_help=True)

ModelName = Annotated[
    str, typer.Argument(metavar="MODEL", help="Name of the Model.", autocompletion=complete_model)
]
_MODELS = {
    "NAME": lambda model: model.name,
    "CHAMPION": lambda model: model.champion and model.champion.version,
    "TYPE": lambda model: model.champion and model.champion.model_type,
    "METRIC": lambda model: model.champion and model.champion.metric,
    "SINCE": lambda model: model.champion and model.champion.since,
    "CANDIDATES": lambda model: len(model.candidates),
    "NEXT RUN": lambda model: model.next_schedule_time,
}
_VERSIONS = {
    "VERSION": lambda version: version.version,
    "TYPE": lambda version: version.model_type,
    "CURRENT": lambda version: version.current,
    "METRIC": lambda version: metric_text(version.metrics),
    "ROWS": lambda version: version.rows,
    "SIZE": lambda version: None if version.size_bytes is None else size(version.size_bytes),
    "AGE": lambda version: version.created_at,
}
_HISTORY = {
    "TIME": lambda entry: f"{entry.time:%Y-%m-%d %H:%M:%S}",
    "ACTION": lambda entry: entry.action,
    "VERSION": lambda entry: entry.version,
    "CHAMPION": lambda entry: entry.champion,
    "METRIC": lambda entry: entry.champion_metric,
    "BY": lambda entry: entry.by,
    "WHY": lambda entry: entry.why,
}


def list_models(client: Client, *, output: OutputOption = Output.TABLE) -> None:
    """List Models with their champions."""
    print_list(
        client.models.list(),
        output,
        lambda model: model.name,
        _MODELS,
        "No Models. One is made by: kubectl apply -f examples/model.yaml",
    )


def show(client: Client, *, model: ModelName, output: OutputOption = Output.TABLE) -> None:
    """Show a Model: its champion, what awaits approval, and what it waits for."""
    print_one(client.models.get(model), output, model, describe)


def versions(
    client: Client,
    *,
    model: ModelName,
    model_type: Annotated[
        str | None, typer.Option("--type", "-t", help="Only of this type.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 20,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the versions of a model, newest first."""
    found = itertools.islice(client.versions.list(model, model_type=model_type), limit)
    empty = f"There is no version of {model}."
    print_list(found, output, lambda version: version.version, _VERSIONS, empty)


def version(
    client: Client,
    *,
    model: ModelName,
    version: Annotated[str, typer.Argument(help="The version.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Show a version: metrics, data, parameters and files."""
    print_one(client.versions.get(model, version), output, version, _describe_version)


def history(
    client: Client,
    *,
    model: ModelName,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="The champion at that time, such as 2026-11-23T09:00Z."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 20,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show which version was the champion when, by whom, and why; newest first."""
    found = client.models.history(model, at=_time(at) if at else None)
    entries = list(itertools.islice(found, 1 if at else limit))
    if at and not (entries and entries[0].champion):
        raise CommandError(f"{model} had no champion at {at}")
    empty = f"{model} never had a champion."
    print_list(entries, output, lambda entry: entry.version, _HISTORY, empty)


def compare(
    client: Client,
    *,
    model: ModelName,
    first: Annotated[str, typer.Argument(help="A version.")],
    second: Annotated[str, typer.Argument(help="Another one.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Compare two versions: metrics with 95 % intervals, and what else differs."""
    found = client.models.compare(model, (first, second))
    print_one(found, output, f"{first}\n{second}", _side_by_side)


for _name, _function in (
    ("list", list_models),
    ("show", show),
    ("versions", versions),
    ("version", version),
    ("history", history),
    ("compare", compare),
):
    app.command(_name)(with_client(_function))


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"--at {text}: write a time as 2026-11-23T09:00Z") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def describe(model: Model) -> None:
    """Print all about a Model that a person may have to act on."""
    champion, previous = model.champion, model.previous
    print_fields(
        {
            "Name": model.name,
            "Trains": f"{model.model_type} on {model.data_uri}, target {model.target}",
            "Schedule": model.schedule and f"{model.schedule} ({model.time_zone})",
            "Suspended": model.suspend or None,
            "Next run": model.next_schedule_time and ago(model.next_schedule_time),
            "Active": ", ".join(model.active) or None,
            "Champion": champion and f"{champion.version} ({champion.model_type})",
            "Metric": champion and champion.metric,
            "Since": champion and champion.since and f"{ago(champion.since)} ago",
            "URI": champion and champion.uri,
            "Previous": previous and f"{previous.version} ({previous.model_type})",
            "Message": model.message,
        }
    )
    if model.candidates:
        console().print()
        rows = [
            [one.version, one.model_type, one.metric, one.since, "; ".join(one.reasons)]
            for one in model.candidates
        ]
        print_table(["AWAITS APPROVAL", "TYPE", "METRIC", "AGE", "WHY"], rows)


def _describe_version(version: Version) -> None:
    told: dict[str, Any] = version.model_extra or {}
    print_fields(
        {
            "Version": version.version,
            "Model": version.model,
            "Type": version.model_type,
            "Current": version.current,
            "URI": version.uri,
            "Created": version.created_at and f"{ago(version.created_at)} ago",
            "Target": version.target,
            "Rows": version.rows,
            "Size": version.size_bytes and size(version.size_bytes),
            "Mode": told.get("mode"),
            "Parent": told.get("parent_version"),
            "Requester": told.get("requester"),
            "Training": told.get("training_job"),
            "Hyperparameters": told.get("hyperparameters") or None,
        }
    )
    intervals = told.get("metric_intervals") or {}
    rows = [
        [metric.name, metric.split, metric.value, _interval(intervals.get(metric.name))]
        if metric.split == "holdout"
        else [metric.name, metric.split, metric.value, None]
        for metric in version.metrics
    ]
    if rows:
        console().print()
        print_table(["METRIC", "SPLIT", "VALUE", "95 %"], rows)


def _side_by_side(found: Comparison) -> None:
    rows = [
        [
            metric.name,
            metric.split,
            *(
                " ".join(filter(None, (_decimal(value), _interval(interval))))
                for value, interval in zip(metric.values, metric.intervals, strict=True)
            ),
            None if metric.difference is None else f"{metric.difference:+.4f}",
            metric.better,
        ]
        for metric in found.metrics
    ]
    print_table(["METRIC", "SPLIT", *found.versions, "DIFFERENCE", "BETTER"], rows)
    for title, differences in (("PARAMETER", found.hyperparameters), ("DATA", found.data)):
        if differences:
            console().print()
            print_table([title, *found.versions], [[one.name, *one.values] for one in differences])
    message = clean(found.holdout.message)
    say("", f"Holdout: {message}.")


def _decimal(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _interval(bounds: Any) -> str | None:
    return None if bounds is None else f"[{bounds[0]:.4f}, {bounds[1]:.4f}]"
