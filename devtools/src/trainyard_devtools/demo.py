"""`make demo`: one command from nothing to three trained models."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet
from rich.box import SIMPLE_HEAD
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table
from trainyard_schema import TERMINAL_PHASES, ModelType, Phase, TrainingJobStatus
from trainyard_schema.names import slug

from trainyard_devtools import churn
from trainyard_devtools.jobs import CHURN_KEY, training_job
from trainyard_devtools.kube import Kube
from trainyard_devtools.repo import API_URL, BUCKET
from trainyard_devtools.steps import StepError, console, step

_PATIENCE_SECONDS = 24 * 3600.0


def columns_of(path: Path) -> list[str]:
    """The column names of a CSV or Parquet file. Raises `StepError` for any other file."""
    if not path.is_file():
        raise StepError(f"DATA={path}: no such file")
    if path.suffix == ".parquet":
        return list(pyarrow.parquet.read_schema(path).names)
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8-sig") as file:
            return next(csv.reader(file), [])
    raise StepError(f"DATA={path}: give a .csv or a .parquet file")


class Dataset:
    """The table that the demo trains on: the user's own, or the generated one."""

    def __init__(self, data: Path | None, target: str | None) -> None:
        if data is None:
            if target not in (None, "", churn.TARGET):
                raise StepError(f"TARGET={target} goes with DATA=path/to/file.csv")
            self.name, self.target, self.exclude = "churn", churn.TARGET, [churn.ID]
            self.key = CHURN_KEY
            self._path = None
            return
        columns = columns_of(data)
        if target not in columns:
            raise StepError(
                f"TARGET={target or ''}: {data} has no such column; it has {', '.join(columns)}"
            )
        self.name, self.target, self.exclude = slug(data.stem, 40), target, []
        self.key = f"datasets/{self.name}{data.suffix}"
        self._path = data

    def read(self) -> bytes:
        """The file's bytes."""
        if self._path is not None:
            return self._path.read_bytes()
        buffer = io.StringIO()
        churn.generate().frame.to_csv(buffer, index=False)
        return buffer.getvalue().encode()

    def training_job(self, now: datetime) -> dict[str, Any]:
        """A TrainingJob that trains all three model types on this table."""
        return training_job(
            f"{self.name}-{now:%Y%m%d-%H%M%S}",
            model=self.name,
            modelType="all",
            overwrite=True,
            data={
                "uri": f"s3://{BUCKET}/{self.key}",
                "target": self.target,
                "exclude": self.exclude,
            },
        )


def statuses(kube: Kube, name: str) -> Iterator[TrainingJobStatus]:
    """The status of a TrainingJob at each change, up to a terminal phase."""
    for job in kube.follow(name, timeout=_PATIENCE_SECONDS):
        status = TrainingJobStatus.from_stored(job.get("status") or {})
        yield status
        if status.phase in TERMINAL_PHASES:
            return


def watch(kube: Kube, name: str) -> TrainingJobStatus:
    """Show the progress of a TrainingJob until it ends."""
    status = TrainingJobStatus()
    said = ""
    columns = (
        TextColumn("  {task.description:<24}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[detail]}"),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("Pending", total=100, detail="")
        for status in statuses(kube, name):
            phase = str(status.phase or Phase.PENDING)
            headline = f"{phase} {status.stage}" if status.stage else phase
            percent = status.progress.percent if status.progress else 0
            bar.update(task, description=headline, completed=percent, detail=_detail(status))
            line = f"  {headline:<24} {percent:3d} %  {_detail(status)}".rstrip()
            if not console.is_terminal and line != said:
                console.print(line)
            said = line
    return status


def _detail(status: TrainingJobStatus) -> str:
    progress = status.progress
    if status.reason:
        return f"{status.reason}: {status.message}"
    if progress is None:
        return ""
    told = []
    if progress.total is not None:
        told.append(f"{progress.done} of {progress.total} {progress.unit}")
    if progress.eta_seconds is not None:
        told.append(f"{progress.eta_seconds} s left")
    return ", ".join(told)


def report(status: TrainingJobStatus) -> None:
    """Print the trained models, one a column, in 80 columns."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 2, 0, 0), show_edge=False)
    table.add_column("Holdout")
    for model in status.models:
        table.add_column(model.model_type, justify="right")
    metrics: dict[str, dict[ModelType, str]] = {}
    for metric in status.metrics:
        if metric.split == "holdout":
            values = metrics.setdefault(metric.name, {})
            values[metric.model_type] = f"{float(metric.value):.4f}"
    for name, values in metrics.items():
        table.add_row(name, *(values.get(model.model_type, "") for model in status.models))
    table.add_section()
    table.add_row("size", *(f"{model.size_bytes / 1e6:.2f} MB" for model in status.models))
    table.add_row("duration", *(f"{model.duration_seconds:.1f} s" for model in status.models))
    console.print()
    console.print(table)
    console.print()
    # The last part is the version. In the table they would be broken, and could not be copied.
    for model in status.models:
        console.print(f"  {model.model_type:<14} {model.uri}", markup=False)


def what_next(name: str) -> str:
    """The commands worth trying after the demo."""
    return f"""
The cluster stays up. Worth trying next:
  eval "$(make -s env)"                        kubectl and helm of this cluster, in this shell
  kubectl get tj                               every run: model, type, phase, progress, metric
  kubectl describe tj {name}
  kubectl apply -f examples/xgboost.yaml       train one model type
  kubectl trainyard status {name}
  kubectl trainyard -h                         the same and more, by the REST API
  kubectl patch tj churn-xgboost --type merge -p '{{"spec": {{"cancel": true}}}}'
  kubectl apply -f examples/retrain.yaml       three Models: retrained, judged, rolled back
  curl -H "Authorization: Bearer $(make -s token)" {API_URL}/train/models/available
  {API_URL}/docs                   the REST API, with examples
  make demo DATA=path/to/file.csv TARGET=column
To stop it:
  make down
"""


def upload(kube: Kube, dataset: Dataset) -> None:
    """Put the table into the bundled object store."""
    with step(f"Upload s3://{BUCKET}/{dataset.key}"), kube.s3() as s3:
        s3.put_object(Bucket=BUCKET, Key=dataset.key, Body=dataset.read())


def demo(kube: Kube, data: Path | None, target: str | None) -> None:
    """Upload a table, train all model types on it and show the result."""
    dataset = Dataset(data, target)
    upload(kube, dataset)
    job = dataset.training_job(datetime.now(UTC))
    name = job["metadata"]["name"]
    with step(f"Train TrainingJob/{name}: modelType all, target {dataset.target}"):
        kube.apply(job)
        status = watch(kube, name)
    if status.models:
        report(status)
    if status.phase != Phase.SUCCEEDED:
        raise StepError(
            f"TrainingJob/{name} ended {status.phase}: {status.reason}: {status.message}\n"
            f"What to do: kubectl describe tj {name}, or make logs JOB={name}"
        )
    console.print(what_next(name), markup=False)
