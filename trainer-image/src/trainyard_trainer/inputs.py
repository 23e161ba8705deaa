"""What a run is made from: brought here, and made ready to be learned from."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import structlog
from trainyard_schema import Reason, RunConfig
from trainyard_schema.artifacts import DataSource

from trainyard_trainer import dataset, holdout, training
from trainyard_trainer.division import divide
from trainyard_trainer.holdout import HoldoutSource
from trainyard_trainer.storage import Storage
from trainyard_trainer.training import Dataset

_log = structlog.get_logger()


class Inputs(NamedTuple):
    """The files of a run, in its scratch folder."""

    data: list[tuple[Path, DataSource]]
    holdout: HoldoutSource | None
    """A frozen one."""
    warnings: list[str]

    @property
    def sources(self) -> list[DataSource]:
        """The objects that the table is read from."""
        return [source for _, source in self.data]


def download(config: RunConfig, folder: Path, on_share: Callable[[float], None]) -> Inputs:
    """Bring everything into `folder`. Raises DataNotFound, StorageUnavailable."""
    storage = Storage(config.storage, failure=Reason.STORAGE_UNAVAILABLE)
    files = dataset.download(storage, config.data.uri, folder, on_share)
    given, warning = None, None
    if config.data.holdout is not None:
        given = holdout.of_user(storage, config.data.holdout, folder)
    elif config.champion is not None:
        given, warning = holdout.of_version(storage, config.champion, folder, "the champion")
    inputs = Inputs(files, given, [] if warning is None else [warning])
    for source in inputs.sources + ([] if given is None else [given.source]):
        _log.info("data is here", uri=source.uri, bytes=source.size_bytes, etag=source.etag)
    return inputs


def prepare(inputs: Inputs, config: RunConfig, kept: Path) -> Dataset:
    """The table, ready to be learned from; the rows of its holdout are in the file `kept` by then.
    The data's files are removed. Raises InvalidData, InsufficientData, SchemaMismatch.
    """
    frozen = None if inputs.holdout is None else inputs.holdout.read()
    # The table has no name here: `divide` is given its only reference, and uses it up.
    division = divide(dataset.read(inputs.data), config.data, config.seed, frozen)
    for path, _ in inputs.data:
        path.unlink()
    division = division._replace(warnings=inputs.warnings + division.warnings)
    holdout.keep(kept, division, config.data.exclude, inputs.holdout)
    return training.prepare(division, config.data)
