"""`model-card.md`: a version told to a person."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from trainyard_schema import RunConfig
from trainyard_schema.artifacts import DataSource

from trainyard_trainer.training import Dataset, TrainedModel
from trainyard_trainer.version_files import VersionSchema

_TOP_FEATURES = 10
_EXAMPLE = """```python
from trainyard_trainer.scoring import load

predictions = load("version").predict(rows)  # a pandas DataFrame or an Arrow table
```"""


def top_features(
    model: TrainedModel, importance: npt.NDArray[np.float64]
) -> list[tuple[str, float]]:
    """The table's columns that count most, with their share, from (p,) importances of the matrix's
    columns.
    """
    share: dict[str, float] = {}
    for column, value in zip(model.shape.columns, importance, strict=True):
        share[column.source] = share.get(column.source, 0.0) + float(value)
    total = sum(share.values()) or 1.0
    ranked = sorted(share.items(), key=lambda item: -item[1])[:_TOP_FEATURES]
    return [(name, value / total) for name, value in ranked]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        escaped = (cell.replace("|", r"\|") for cell in cells)
        return f"| {' | '.join(escaped)} |"

    return "\n".join(map(line, [head, ["---"] * len(head), *rows]))


def _metrics(holdout: Mapping[str, float], cross_validation: Mapping[str, float]) -> str:
    if not cross_validation:
        rows = [[name, f"{value:.4f}"] for name, value in holdout.items()]
        return _table(["metric", "holdout"], rows)
    rows = [
        [
            name,
            f"{value:.4f}",
            f"{cross_validation[name]:.4f} ± {cross_validation[name + '_std']:.4f}",
        ]
        for name, value in holdout.items()
        if name in cross_validation
    ]
    return _table(["metric", "holdout", "cross-validation"], rows)


def render(
    *,
    config: RunConfig,
    version: str,
    schema: VersionSchema,
    sources: Sequence[DataSource],
    dataset: Dataset,
    model: TrainedModel,
    importance: npt.NDArray[np.float64],
    holdout: Mapping[str, float],
    cross_validation: Mapping[str, float],
    hyperparameters: Mapping[str, object],
    uri: str,
) -> str:
    """The model card as Markdown."""
    excluded = ", ".join(config.data.exclude) or "none"
    classes = ", ".join(map(str, schema.classes))
    top = [[name, f"{share:.1%}"] for name, share in top_features(model, importance)]
    sections = [
        f"# {config.model}: {schema.model_type} {version}",
        f"Predicts `{schema.target}` ({schema.task}"
        + (f"; classes {classes}" if classes else "")
        + f"). Trained by TrainingJob {config.training_job}.",
        "## Metrics",
        _metrics(holdout, cross_validation),
        "## Data",
        "\n".join(f"- {source.uri} (SHA-256 {source.sha256})" for source in sources),
        f"{len(dataset.training)} rows to learn from and {len(dataset.holdout)} held out"
        + ("" if schema.task == "regression" else ", stratified by class")
        + f", with seed {config.seed}. {len(schema.features)} columns; excluded: {excluded}.",
        "\n".join(f"- {warning}" for warning in dataset.warnings),
        "## What counts most",
        _table(["column", "share"], top),
        "## Hyperparameters",
        _table(["name", "value"], [[name, str(value)] for name, value in hyperparameters.items()]),
        f"{model.fitted.units} rounds, trees or epochs are in the model.",
        "## How to score rows",
        f"Copy {uri} to a folder `version` and give rows with the columns of `schema.json`:",
        _EXAMPLE,
    ]
    return "\n\n".join(section for section in sections if section) + "\n"
