"""What a run is made from: brought here, and made ready to be learned from."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import structlog
from trainyard_schema import DataSpec, Hyperparameters, ModelType, Reason, RunConfig
from trainyard_schema.artifacts import DataSource

from trainyard_trainer import continuation, dataset, fingerprint, holdout, training
from trainyard_trainer.continuation import Parent
from trainyard_trainer.division import divide
from trainyard_trainer.holdout import HoldoutSource
from trainyard_trainer.scoring import CorruptedVersionError
from trainyard_trainer.storage import Storage
from trainyard_trainer.training import Dataset

_log = structlog.get_logger()


class Inputs(NamedTuple):
    """The files of a run, in its scratch folder."""

    data: list[tuple[Path, DataSource]]
    holdout: HoldoutSource | None
    """A frozen one."""
    parent: Parent | None
    """The version to continue from."""
    warnings: list[str]

    def fingerprint(self, config: RunConfig, model_type: ModelType) -> str:
        """Of what was read, which may be newer than a listing said."""
        given = self.holdout.source if self.holdout and self.holdout.required else None
        data = map(fingerprint.part, self.sources)
        holdout = None if given is None else fingerprint.part(given)
        return fingerprint.fingerprint(config, model_type, data, holdout)

    @property
    def sources(self) -> list[DataSource]:
        """The objects that the table is read from."""
        return [source for _, source in self.data]

    @property
    def objects(self) -> list[DataSource]:
        """Everything that was read, but for the version to continue from."""
        return self.sources + ([] if self.holdout is None else [self.holdout.source])


def download(
    config: RunConfig,
    model_type: ModelType,
    folder: Path,
    on_share: Callable[[float], None],
    *,
    threads: int,
) -> Inputs:
    """Bring everything into `folder`. Raises DataNotFound, StorageUnavailable, and InvalidData if
    the version to continue from is not sound.
    """
    storage = Storage(config.storage, failure=Reason.STORAGE_UNAVAILABLE)
    files = dataset.download(storage, config.data.uri, folder, on_share)
    parent = None
    if config.mode == "incremental":
        parent = continuation.find(storage, config, model_type, folder / "parent", threads=threads)
    given, warnings = _frozen_holdout(storage, config, parent, folder)
    if config.mode == "incremental":
        parent, more = _usable(parent, given, config, model_type)
        warnings += more
    inputs = Inputs(files, given, parent, warnings)
    for source in inputs.objects:
        _log.info("data is here", uri=source.uri, bytes=source.size_bytes, etag=source.etag)
    if parent is not None:
        _log.info("continues from a version", uri=parent.uri, units=parent.model.fitted.units)
    return inputs


def _frozen_holdout(
    storage: Storage, config: RunConfig, parent: Parent | None, folder: Path
) -> tuple[HoldoutSource | None, list[str]]:
    """What the run is to be measured on, if not on rows of its own, and warnings."""
    if config.data.holdout is not None:
        return holdout.of_user(storage, config.data.holdout, folder), []
    versions = {} if config.champion is None else {config.champion: "the champion"}
    if parent is not None:
        versions.setdefault(parent.uri, "the version to continue from")
    problems: list[str] = []
    for uri, name in versions.items():
        try:
            return holdout.of_version(storage, uri, folder, name), problems
        except CorruptedVersionError as error:
            problems.append(f"{name} cannot tell its holdout: {error}")
    return None, [f"{problem}, so a new one was drawn" for problem in problems]


def _usable(
    parent: Parent | None, given: HoldoutSource | None, config: RunConfig, model_type: ModelType
) -> tuple[Parent | None, list[str]]:
    """The parent, unless it may have learned from the champion's holdout, and warnings."""
    if parent is None:
        nothing = f"there is no {model_type} version of {config.model!r} to continue from"
        return None, [f"{nothing}, so it was trained in full"]
    measured = continuation.holdout_sha256(parent.manifest)
    if given is not None and given.required:
        of_user = parent.manifest.holdout
        measured = None if of_user is None else of_user.sha256
    if given is not None and measured == given.source.sha256:
        return parent, []
    doubt = f"{parent.uri} was measured on other rows and may have learned from this holdout"
    if given is not None and not given.required:
        return None, [f"{doubt}, so the model was trained in full instead of continued"]
    return parent, [f"{doubt}, which makes the metrics look better"]


def prepare(
    inputs: Inputs, config: RunConfig, hyperparameters: Hyperparameters, kept: Path
) -> Dataset:
    """The table, ready to be learned from; the rows of its holdout are in the file `kept` by then.
    The data's files are removed. Raises InvalidData, InsufficientData, SchemaMismatch.
    """
    spec = config.data
    known = None if inputs.parent is None else inputs.parent.known
    warnings = list(inputs.warnings)
    # The tables have no names here: `divide` is given their only references, and uses them up.
    division = divide(
        _read(inputs, spec, hyperparameters, warnings),
        spec,
        config.seed,
        None if inputs.holdout is None else inputs.holdout.read(),
        known,
    )
    division = division._replace(warnings=warnings + division.warnings)
    # The gate may look at a column that must not be learned from.
    sliced = {item.column for item in config.gate.slices} if config.gate else set()
    excluded = [name for name in spec.exclude if name not in sliced]
    holdout.keep(kept, division, excluded, inputs.holdout)
    return training.prepare(division, spec, None if known is None else known.kinds)


def _read(
    inputs: Inputs, spec: DataSpec, hyperparameters: Hyperparameters, warnings: list[str]
) -> pa.Table:
    """The table, as the parent knows it if there is one."""
    parent = inputs.parent
    text = () if parent is None else parent.text_columns
    table = dataset.read(inputs.data, text_columns=text)
    for path, _ in inputs.data:
        path.unlink()
    if parent is not None:
        table, unused = continuation.conform(table, spec, parent, hyperparameters)
        warnings += unused
    return table
