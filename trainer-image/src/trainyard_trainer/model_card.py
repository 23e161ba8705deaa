"""`model-card.md`: a version told to a person."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from trainyard_schema import UNITS, RunConfig
from trainyard_schema.artifacts import DataSource

from trainyard_trainer.continuation import Parent
from trainyard_trainer.evidence import Evidence
from trainyard_trainer.evidence.importance import METHODS
from trainyard_trainer.evidence.svg import shorten
from trainyard_trainer.target import Task
from trainyard_trainer.training import Dataset, Evaluation, TrainedModel
from trainyard_trainer.version_files import VersionSchema

_TOP_COLUMNS = 10
_TOP_CLASSES = 20
_SCORING = (
    "The rows need the columns of `schema.json`. Every file is checked against `manifest.json`, "
    "and nothing is unpickled."
)
_PARTIAL = (
    "**Partial**: the run was stopped before its training was complete. This version holds what "
    "was trained by then; it is measured like any other, but never becomes current by itself."
)
_EXAMPLE = """```sh
trainyard predict --uri {uri} --input rows.csv
```

```python
from trainyard_trainer.loading import load_model

model = load_model("{uri}")
predictions = model.predict(rows)  # a pandas DataFrame or an Arrow table
```"""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        escaped = (" ".join(cell.split()).replace("|", r"\|") for cell in cells)
        return f"| {' | '.join(escaped)} |"

    return "\n".join(map(line, [head, ["---"] * len(head), *rows]))


def _metrics(holdout: Evaluation, cross_validation: Mapping[str, float]) -> str:
    head = ["metric", "holdout", "95 % interval"]
    rows = []
    for name, value in holdout.metrics.items():
        low, high = holdout.intervals.get(name, (math.nan, math.nan))
        rows.append([name, f"{value:.4f}", "" if math.isnan(low) else f"{low:.4f} to {high:.4f}"])
    if cross_validation:
        head.append("cross-validation")
        for row in rows:
            mean, std = (cross_validation.get(row[0] + end) for end in ("", "_std"))
            row.append("" if mean is None else f"{mean:.4f} ± {std:.4f}")
    return _table(head, rows)


def _decision(model: TrainedModel, schema: VersionSchema) -> str:
    """From which probability on a row counts as positive, and whether probabilities were mended."""
    told = []
    if schema.task == Task.BINARY:
        told.append(
            f"A row counts as {schema.classes[1]} from a probability of {schema.threshold:.3f} on, "
            "chosen on rows that the model did not learn from."
        )
    if model.calibration is not None:
        told.append("Probabilities are calibrated.")
    return " ".join(told)


def _lines(items: Iterable[str]) -> str:
    return "\n".join(f"- {' '.join(item.split())}" for item in items)


def _limits(schema: VersionSchema, dataset: Dataset) -> list[str]:
    held_out = f"its metrics are those of one {'frozen' if dataset.frozen else 'random'} holdout"
    if dataset.target.task != Task.REGRESSION:
        rows = np.bincount(dataset.target.values[dataset.holdout], minlength=len(schema.classes))
        rarest = int(rows.argmin())
        held_out += f", in which class {schema.classes[rarest]} has {rows[rarest]} rows"
    return [
        f"It was measured on {len(dataset.holdout):,} rows: {held_out}.",
        "Rows of another time or source than the data above may be predicted less well.",
        "Categories that training did not have count as missing or rare ones.",
        "What counts most for the model need not be what causes the target.",
    ]


def render(
    *,
    config: RunConfig,
    version: str,
    schema: VersionSchema,
    sources: Sequence[DataSource],
    dataset: Dataset,
    frozen: DataSource | None,
    parent: Parent | None,
    model: TrainedModel,
    evidence: Evidence,
    holdout: Evaluation,
    cross_validation: Mapping[str, float],
    hyperparameters: Mapping[str, object],
    libraries: Mapping[str, str],
    uri: str,
    partial: bool,
) -> str:
    """The model card as Markdown. Plots are linked by their names, so that the version's folder is
    enough to read it.
    """
    classes = ", ".join(shorten(str(label), 60) for label in schema.classes[:_TOP_CLASSES])
    if len(schema.classes) > _TOP_CLASSES:
        classes += f" and {len(schema.classes) - _TOP_CLASSES} more"
    top = [[name, f"{share:.1%}"] for name, share in evidence.importance[:_TOP_COLUMNS]]
    files = [
        [source.uri, f"{source.size_bytes:,}", source.etag, source.sha256] for source in sources
    ]
    excluded = ", ".join(f"`{name}`" for name in config.data.exclude) or "none"
    used = ", ".join(f"{name} {number}" for name, number in libraries.items())
    split = "drawn at random with seed " + str(config.seed)
    if schema.task != Task.REGRESSION:
        split = f"stratified by class, {split}"
    if frozen is not None:
        split = f"read from {frozen.uri} (SHA-256 {frozen.sha256}), as for other versions"
    rows = (
        f"{len(dataset.training):,} rows to learn from and {len(dataset.holdout):,} held out, "
        f"{split}. Columns left out on request: {excluded}."
    )
    sections = [
        f"# {config.model}: {schema.model_type} {version}",
        f"Predicts `{schema.target}` ({schema.task}"
        + (f"; classes {classes}" if classes else "")
        + f") from {len(schema.features)} columns. Trained by TrainingJob {config.training_job}"
        + (f" for {config.requester}" if config.requester else "")
        + f" in image {config.image}."
        + (f" It continues {parent.manifest.version}." if parent else ""),
        _PARTIAL if partial else "",
        "## Metrics",
        _metrics(holdout, cross_validation),
        _decision(model, schema),
        "## Plots",
        "\n\n".join(f"![{plot.title}]({plot.file})" for plot in evidence.plots),
        "## What counts most",
        f"Share of the {METHODS[schema.model_type]}; all columns are in `feature-importance.json`.",
        _table(["column", "share"], top),
        "## Data",
        _table(["object", "bytes", "ETag", "SHA-256"], files),
        rows,
        "## Warnings",
        _lines(dataset.warnings) or "None.",
        "## Hyperparameters",
        _table(["name", "value"], [[name, str(value)] for name, value in hyperparameters.items()]),
        f"{model.fitted.units:,} {UNITS[schema.model_type]} are in the model"
        + (f", {parent.model.fitted.units:,} of them of {parent.uri}" if parent else "")
        + f". Trained with {used}.",
        "## Limits",
        _lines(_limits(schema, dataset)),
        "## How to score rows",
        _SCORING,
        _EXAMPLE.format(uri=uri),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"
