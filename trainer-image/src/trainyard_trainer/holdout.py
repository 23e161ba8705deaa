"""The rows that a version was measured on, as its file `holdout.parquet`: where frozen ones come
from, and how all are kept.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from trainyard_schema import Reason
from trainyard_schema.artifacts import HOLDOUT, MANIFEST, DataSource

from trainyard_trainer import dataset
from trainyard_trainer.division import Division, Frozen
from trainyard_trainer.errors import TrainerError
from trainyard_trainer.loading import not_found_as
from trainyard_trainer.scoring import CorruptedVersionError, read_manifest
from trainyard_trainer.storage import Storage, split_uri

_ROWS_AT_ONCE = 1 << 18


class HoldoutSource(NamedTuple):
    """A frozen holdout that is here as a file."""

    path: Path
    source: DataSource
    name: str
    required: bool

    def read(self) -> Frozen:
        """Its rows. Raises InvalidData."""
        return Frozen(dataset.read([(self.path, self.source)]), self.name, self.required)


def of_user(storage: Storage, uri: str, folder: Path) -> HoldoutSource:
    """`spec.data.holdout`. Raises DataNotFound."""
    bucket, key = split_uri(uri)
    path = folder / "holdout"
    missing = f"spec.data.holdout: there is no object {uri}; upload it or correct the field"
    with not_found_as(TrainerError(Reason.DATA_NOT_FOUND, missing)):
        source = storage.download(bucket, key, path, _ignore)
    return HoldoutSource(path, source, "spec.data.holdout", required=True)


def of_version(storage: Storage, uri: str, folder: Path, name: str) -> HoldoutSource:
    """The holdout of the version at `uri`; `name` is what messages call the version. Raises
    CorruptedVersionError if it is not there, or not the file that the manifest names.
    """
    bucket, prefix = split_uri(uri)
    with not_found_as(CorruptedVersionError(f"{uri} is not there")):
        body = storage.get(bucket, prefix + MANIFEST)
    if body is None:
        raise CorruptedVersionError(f"{uri} is not there")
    manifest = read_manifest(body, f"{uri}{MANIFEST}")
    entry = next((file for file in manifest.files if file.name == HOLDOUT), None)
    if entry is None:
        raise CorruptedVersionError(f"{uri} has no {HOLDOUT}")
    path = folder / HOLDOUT
    with not_found_as(CorruptedVersionError(f"{uri}{HOLDOUT} is missing")):
        source = storage.download(bucket, prefix + HOLDOUT, path, _ignore)
    if source.sha256 != entry.sha256:
        raise CorruptedVersionError(f"{uri}{HOLDOUT} is not the file that {MANIFEST} names")
    return HoldoutSource(path, source, f"the holdout of {name}", required=False)


def _ignore(*_: object) -> None:
    pass


def keep(path: Path, division: Division, exclude: list[str], given: HoldoutSource | None) -> None:
    """Write the rows that measure the model to `path`: all columns as they were read but the
    excluded ones, and the target as it was understood.

    A version's holdout is kept as the file that it is, so that its SHA-256 tells which versions
    were measured on the same rows.
    """
    if division.frozen and given is not None and not given.required:
        given.path.replace(path)
        return
    names = [name for name in division.table.column_names if name not in exclude]
    table = division.table.select(names)
    with pa.parquet.ParquetWriter(path, table.schema, compression="zstd") as writer:
        # By slices, since rows are taken from a copy of the whole text column otherwise.
        for start in range(0, len(table), _ROWS_AT_ONCE):
            first, last = np.searchsorted(division.holdout, [start, start + _ROWS_AT_ONCE])
            rows = pa.array(division.holdout[first:last] - start)
            writer.write_table(table.slice(start, _ROWS_AT_ONCE).take(rows))
