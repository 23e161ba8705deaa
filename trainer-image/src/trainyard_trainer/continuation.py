"""`mode: incremental`: the version that a run continues from, and what must be as it was for it."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from trainyard_schema import DataSpec, Hyperparameters, Manifest, ModelType, Reason, RunConfig
from trainyard_schema.artifacts import HOLDOUT, MANIFEST, MODELS_PREFIX

from trainyard_trainer import loading, models
from trainyard_trainer.columns import ColumnKind, convert, holds_text, understand
from trainyard_trainer.division import Known
from trainyard_trainer.errors import TrainerError
from trainyard_trainer.scoring import CorruptedVersionError, load_trained, read_manifest
from trainyard_trainer.storage import Storage, split_uri
from trainyard_trainer.target import Task
from trainyard_trainer.training import TrainedModel
from trainyard_trainer.version_files import VersionSchema

_SHOWN_LABELS = 5


class Parent(NamedTuple):
    """The version to continue from."""

    uri: str
    manifest: Manifest
    schema: VersionSchema
    model: TrainedModel

    @property
    def known(self) -> Known:
        """What its columns are, in the order in which it takes them."""
        return Known({item.name: item.kind for item in self.schema.features}, self.schema.task)

    @property
    def text_columns(self) -> list[str]:
        """Columns that stay text, though all of their values may look like numbers."""
        return [name for name, kind in self.known.kinds.items() if kind == ColumnKind.CATEGORY]


def holdout_sha256(manifest: Manifest) -> str | None:
    """Of the rows that a version was measured on."""
    return next((file.sha256 for file in manifest.files if file.name == HOLDOUT), None)


def find(
    storage: Storage, config: RunConfig, model_type: ModelType, folder: Path, *, threads: int
) -> Parent | None:
    """Download and load the champion if it is of this model type, else the current version of the
    type; None if there is neither. Raises InvalidData if it is not sound.
    """
    try:
        uri = locate(storage, config, model_type)
        if uri is None:
            return None
        folder.mkdir()
        loading.download(storage, uri, folder)
        return Parent(uri, *load_trained(folder, threads=threads))
    except (CorruptedVersionError, loading.ModelNotFoundError) as error:
        raise TrainerError(
            Reason.INVALID_DATA,
            f"the version to continue from is not sound: {error}; restore it, or train with "
            "spec.mode full",
        ) from error


def locate(storage: Storage, config: RunConfig, model_type: ModelType) -> str | None:
    """The URI of the version to continue from. Raises CorruptedVersionError."""
    if config.champion is not None:
        champion = manifest_of(storage, config.champion)
        if champion is not None and champion.model_type == model_type:
            return config.champion
    current = f"s3://{config.storage.bucket}/{MODELS_PREFIX}/{config.model}/{model_type}/"
    try:
        return loading.locate(storage, current)[0]
    except loading.ModelNotFoundError:
        return None


def manifest_of(storage: Storage, uri: str) -> Manifest | None:
    """The manifest of the version at `uri`; None if it is not there. Raises
    CorruptedVersionError.
    """
    bucket, prefix = split_uri(uri)
    try:
        with loading.not_found_as(loading.ModelNotFoundError(uri)):
            body = storage.get(bucket, prefix + MANIFEST)
    except loading.ModelNotFoundError:
        return None
    return None if body is None else read_manifest(body, f"{uri}{MANIFEST}")


def conform(
    table: pa.Table, spec: DataSpec, parent: Parent, hyperparameters: Hyperparameters
) -> tuple[pa.Table, list[str]]:
    """The table with its columns in the parent's kinds, and warnings. Raises SchemaMismatch, with
    every difference, if the parent cannot learn from it.
    """
    differences, target = _hyperparameters(parent, hyperparameters), spec.target
    if target != parent.schema.target:
        differences.append(f"target is {parent.schema.target!r} there and {target!r} here")
    elif target in table.column_names:
        differences += _labels(table[target], parent.schema)
    known = parent.known.kinds
    for name, kind in known.items():
        if name in (target, *spec.exclude) or name not in table.column_names:
            given = name in table.column_names
            differences.append(
                f"column {name!r} is {'not to be learned from' if given else 'missing'}"
            )
            continue
        here, values = understand(name, table[name])
        if kind == ColumnKind.CATEGORY and holds_text(table[name]):
            here, values = kind, table[name]
        if here not in (kind, ColumnKind.EMPTY):
            differences.append(f"column {name!r} is {kind} there and {here} here")
            continue
        place = table.column_names.index(name)
        table = table.set_column(place, name, convert(name, values, kind))
    if differences:
        raise TrainerError(
            Reason.SCHEMA_MISMATCH,
            f"{parent.uri} cannot be continued: {'; '.join(differences)}; give what it was "
            "trained with, or train with spec.mode full",
        )
    unused = [name for name in table.column_names if name not in (target, *spec.exclude, *known)]
    shown = ", ".join(map(repr, unused))
    return table, (
        [f"not learned from, since the version that is continued does not: {shown}"]
        if unused
        else []
    )


def _hyperparameters(parent: Parent, given: Hyperparameters) -> list[str]:
    """Those that cannot change once a model is there."""
    there = parent.manifest.hyperparameters
    fixed = models.implementation(parent.schema.model_type).FIXED
    return [
        f"hyperparameter {name} is {there[name]} there and {getattr(given, name)} here"
        for name in fixed
        if there[name] != getattr(given, name)
    ]


def _labels(column: pa.ChunkedArray, schema: VersionSchema) -> list[str]:
    kind, values = understand(schema.target, column)
    if schema.task == Task.REGRESSION:
        numeric = kind == ColumnKind.NUMBER
        return [] if numeric else [f"target {schema.target!r} is number there and {kind} here"]
    if pa.types.is_floating(values.type):
        values = values.filter(pc.is_finite(values))
    found, known = (_keyed(labels) for labels in (pc.unique(values).to_pylist(), schema.classes))
    told = {"lacks": known.keys() - found.keys(), "also has": found.keys() - known.keys()}
    return [
        f"target {schema.target!r} {verb} {_some((known | found)[key] for key in keys)}"
        for verb, keys in told.items()
        if keys
    ]


def _keyed(labels: Iterable[object]) -> dict[tuple[bool, object], object]:
    """By what tells them apart: 1 is 1.0 but not true."""
    return {(isinstance(label, bool), label): label for label in labels if label is not None}


def _some(labels: Iterable[object]) -> str:
    shown = sorted(map(repr, labels))
    more = f" and {len(shown) - _SHOWN_LABELS} more" if len(shown) > _SHOWN_LABELS else ""
    return ", ".join(shown[:_SHOWN_LABELS]) + more
