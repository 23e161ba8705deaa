"""Scoring raw rows with nothing but a version's folder."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from trainyard_schema import Manifest, Reason
from trainyard_schema.artifacts import MANIFEST, MODEL_FILES, PREPROCESSING, SCHEMA

from trainyard_trainer import models
from trainyard_trainer.errors import TrainerError
from trainyard_trainer.models import Prediction, Shape
from trainyard_trainer.preprocessing import Preprocessor
from trainyard_trainer.storage import sha256_of
from trainyard_trainer.training import TrainedModel
from trainyard_trainer.version_files import VersionSchema


class CorruptedVersionError(Exception):
    """A file of the version is missing or is not the one that the manifest names."""


class Scorer:
    """A loaded version."""

    def __init__(self, schema: VersionSchema, model: TrainedModel) -> None:
        self.schema = schema
        self._model = model

    def predict(self, frame: Any) -> Prediction:
        """Score raw rows: a pandas DataFrame, an Arrow table, or a mapping of column names to
        values.

        Returns (n, n_classes) probabilities in the order of `schema.classes`, or (n,) values.
        Columns that the model does
        not use may be there; a missing one, or a value of the wrong kind, raises TrainerError.
        """
        table = _as_table(frame)
        missing = [
            feature.name
            for feature in self.schema.features
            if feature.name not in table.column_names
        ]
        if missing:
            raise TrainerError(
                Reason.INVALID_DATA,
                f"the rows lack column {missing[0]!r}"
                + (f" and {len(missing) - 1} more" if missing[1:] else "")
                + f"; the model needs {', '.join(item.name for item in self.schema.features)}",
            )
        return self._model.predict(table)


def _as_table(frame: Any) -> pa.Table:
    if isinstance(frame, pa.Table):
        return frame
    if hasattr(frame, "iloc"):
        return pa.Table.from_pandas(frame, preserve_index=False)
    return pa.table(frame)


def verify(folder: Path) -> Manifest:
    """Read the manifest and check every file against it. Raises CorruptedVersionError."""
    try:
        manifest = Manifest.from_stored(json.loads((folder / MANIFEST).read_bytes()))
    except FileNotFoundError:
        raise CorruptedVersionError(f"{folder} has no {MANIFEST}, so it is no version") from None
    for entry in manifest.files:
        path = folder / entry.name
        if not path.is_file():
            raise CorruptedVersionError(f"{path} is missing; copy the version again")
        if path.stat().st_size != entry.size_bytes or sha256_of(path) != entry.sha256:
            raise CorruptedVersionError(
                f"{path} is not the file that the manifest names; copy the version again"
            )
    return manifest


def load(directory: str | Path, *, threads: int = 1) -> Scorer:
    """Load a version from its folder, after checking all of its files. Nothing in it is
    unpickled.
    """
    folder = Path(directory)
    manifest = verify(folder)
    schema = VersionSchema.from_stored(json.loads((folder / SCHEMA).read_bytes()))
    preprocessor = Preprocessor.from_stored(json.loads((folder / PREPROCESSING).read_bytes()))
    shape = Shape(schema.task, len(schema.classes), preprocessor.matrix_columns())
    model_file = folder / MODEL_FILES[manifest.model_type]
    fitted = models.implementation(manifest.model_type).load(model_file, shape, threads=threads)
    model = TrainedModel(fitted, preprocessor, shape, schema.calibration, schema.threshold)
    return Scorer(schema, model)
