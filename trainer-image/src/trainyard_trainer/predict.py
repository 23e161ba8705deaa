"""Raw rows in, predictions out: the work of `trainyard predict` and `trainyard-trainer predict`."""

import csv
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from trainyard_trainer import dataset
from trainyard_trainer.columns import ColumnKind
from trainyard_trainer.loading import connect, not_found_as
from trainyard_trainer.models import Prediction
from trainyard_trainer.scoring import Scorer
from trainyard_trainer.storage import split_uri
from trainyard_trainer.target import ClassLabel, Task
from trainyard_trainer.version_files import VersionSchema

_ROWS_AT_ONCE = 65536


class InputNotFoundError(Exception):
    """There are no rows to score where they were looked for."""


def read_rows(source: str, schema: VersionSchema, endpoint_url: str | None = None) -> pa.Table:
    """A CSV or Parquet file with raw rows, on disk or as s3://bucket/key. Raises
    InputNotFoundError; TrainerError if it cannot be read as either.

    A column that was text in training is text here, though all of its values look like numbers.
    """
    text = [item.name for item in schema.features if item.kind == ColumnKind.CATEGORY]
    if not source.startswith("s3://"):
        path = Path(source)
        if not path.is_file():
            raise InputNotFoundError(f"there is no file {source}")
        return dataset.read_file(path, source, text_columns=text)[1]
    bucket, key = split_uri(source)
    with tempfile.TemporaryDirectory(prefix="trainyard-rows-") as folder:
        path = Path(folder) / "rows"
        with not_found_as(InputNotFoundError(f"there is no object {source}")):
            connect(bucket, endpoint_url).download(bucket, key, path, lambda *_: None)
        return dataset.read_file(path, source, text_columns=text)[1]


def score(scorer: Scorer, table: pa.Table) -> Prediction:
    """What `scorer.predict` gives for all rows, with the matrix of only some at a time."""
    parts = [
        scorer.predict(table.slice(start, _ROWS_AT_ONCE))
        for start in range(0, len(table), _ROWS_AT_ONCE)
    ]
    classes = len(scorer.schema.classes)
    return np.concatenate(parts) if parts else np.empty((0, classes) if classes else 0)


def _text(label: ClassLabel) -> str:
    return str(label).lower() if isinstance(label, bool) else str(label)


def write_csv(scorer: Scorer, prediction: Prediction, out: IO[str]) -> None:
    """One line a row, in the rows' order: the probability of each class and the predicted class, or
    the predicted value. Numbers have as many digits as they need to be read back the same.
    """
    writer = csv.writer(out, lineterminator="\n")
    decided: Sequence[ClassLabel] = scorer.decide(prediction)
    if scorer.schema.task == Task.REGRESSION:
        writer.writerow(["prediction"])
        writer.writerows([value] for value in decided)
        return
    labels = [_text(label) for label in scorer.schema.classes]
    writer.writerow([*(f"probability_{label}" for label in labels), "prediction"])
    for row, label in zip(prediction.tolist(), decided, strict=True):
        writer.writerow([*row, _text(label)])
