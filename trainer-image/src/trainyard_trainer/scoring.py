"""Scoring raw rows with nothing but a version's folder."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
from trainyard_schema import Manifest, ModelType, Reason
from trainyard_schema.artifacts import MANIFEST, MODEL_FILES, PREPROCESSING, SCHEMA

from trainyard_trainer import models
from trainyard_trainer.decisions import decide
from trainyard_trainer.errors import TrainerError
from trainyard_trainer.models import Implementation, Prediction, Shape
from trainyard_trainer.preprocessing import Preprocessor
from trainyard_trainer.storage import sha256_of
from trainyard_trainer.target import Task
from trainyard_trainer.training import TrainedModel
from trainyard_trainer.version_files import VersionSchema


class CorruptedVersionError(Exception):
    """A file of the version is missing or is not the one that the manifest names."""


class MissingLibraryError(Exception):
    """The library of a model type is not installed."""


class Scorer:
    """A loaded version."""

    def __init__(self, schema: VersionSchema, model: TrainedModel) -> None:
        self.schema = schema
        self._model = model

    def predict(self, frame: Any) -> Prediction:
        """Score raw rows: a pandas DataFrame, an Arrow table, or a mapping of column names to
        values.

        Returns (n, n_classes) probabilities in the order of `schema.classes`, or (n,) values.
        Columns that the model does not use may be there; a missing one, or a value of the wrong
        kind, raises TrainerError.
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

    def decide(self, prediction: Prediction) -> list[Any]:
        """(n,) what `predict` gave as one value each: the class, or the value for regression."""
        if self.schema.task == Task.REGRESSION:
            return list(prediction.tolist())
        codes = decide(self.schema.task, prediction, self.schema.threshold)
        return [self.schema.classes[code] for code in codes]


def _as_table(frame: Any) -> pa.Table:
    if isinstance(frame, pa.Table):
        return frame
    if hasattr(frame, "iloc"):
        return pa.Table.from_pandas(frame, preserve_index=False)
    return pa.table(frame)


def is_plain(name: str) -> bool:
    """Whether it can only name something in the folder itself."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) is not None


def read_manifest(body: bytes, where: object) -> Manifest:
    """A manifest that names all files that a model is loaded from, and no file outside its folder.
    Raises CorruptedVersionError.
    """
    try:
        manifest = Manifest.from_stored(json.loads(body))
    except ValueError as error:
        raise CorruptedVersionError(f"{where} is no manifest of a version: {error}") from None
    names = {entry.name for entry in manifest.files}
    odd = [name for name in names if not is_plain(name)]
    if odd:
        raise CorruptedVersionError(f"{where} names {odd[0]!r}, which is no file of its folder")
    needed = {MODEL_FILES[manifest.model_type], PREPROCESSING, SCHEMA}
    if not needed <= names:
        raise CorruptedVersionError(f"{where} does not name {min(needed - names)}")
    return manifest


def verify(folder: Path) -> Manifest:
    """Read the manifest and check every file against it. Raises CorruptedVersionError."""
    try:
        body = (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        raise CorruptedVersionError(f"{folder} has no {MANIFEST}, so it is no version") from None
    manifest = read_manifest(body, folder / MANIFEST)
    for entry in manifest.files:
        path = folder / entry.name
        if not path.is_file():
            raise CorruptedVersionError(f"{path} is missing; copy the version again")
        if path.stat().st_size != entry.size_bytes or sha256_of(path) != entry.sha256:
            raise CorruptedVersionError(
                f"{path} is not the file that the manifest names; copy the version again"
            )
    return manifest


def _implementation(model_type: ModelType) -> Implementation:
    try:
        return models.implementation(model_type)
    except ModuleNotFoundError as error:
        hint = f"{error.name} is not installed here: pip install {error.name}"
        raise MissingLibraryError(f"to load a {model_type} model, {hint}") from error


def load_trained(
    directory: str | Path, *, threads: int = 1
) -> tuple[Manifest, VersionSchema, TrainedModel]:
    """Load a version's parts from its folder, as `load` does."""
    folder = Path(directory)
    manifest = verify(folder)
    implementation = _implementation(manifest.model_type)
    model_file = folder / MODEL_FILES[manifest.model_type]
    try:
        schema = VersionSchema.from_stored(json.loads((folder / SCHEMA).read_bytes()))
        preprocessor = Preprocessor.from_stored(json.loads((folder / PREPROCESSING).read_bytes()))
        shape = Shape(schema.task, len(schema.classes), preprocessor.matrix_columns())
        fitted = implementation.load(model_file, shape, threads=threads)
    except Exception as error:
        # Whatever the library of the model type makes of a file that is not its own.
        raise CorruptedVersionError(
            f"{model_file} cannot be loaded as a {manifest.model_type} model: "
            f"{type(error).__name__}: {error}"
        ) from error
    model = TrainedModel(fitted, preprocessor, shape, schema.calibration, schema.threshold)
    return manifest, schema, model


def load(directory: str | Path, *, threads: int = 1) -> Scorer:
    """Load a version from its folder, after checking all of its files. Nothing in it is
    unpickled. Raises CorruptedVersionError, MissingLibraryError.
    """
    _, schema, model = load_trained(directory, threads=threads)
    return Scorer(schema, model)
