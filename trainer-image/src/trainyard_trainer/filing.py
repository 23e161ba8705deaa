"""The last stage of a fit: all that was found out becomes a version, whole and visible."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import structlog
from trainyard_schema import (
    Manifest,
    ManifestFile,
    ModelVersion,
    Reason,
    RunResult,
    Stage,
    VersionKey,
)
from trainyard_schema.artifacts import MANIFEST
from trainyard_schema.names import POD_UID_ENV

from trainyard_trainer import model_card, version_files
from trainyard_trainer.attempt import Attempt
from trainyard_trainer.evidence import Evidence
from trainyard_trainer.inputs import Inputs
from trainyard_trainer.publication import Publication
from trainyard_trainer.storage import Storage, sha256_of
from trainyard_trainer.training import Dataset, Evaluation, History, Learner, TrainedModel
from trainyard_trainer.unchanged import Found

_log = structlog.get_logger()


class Trained(NamedTuple):
    """A model, and all that is to be filed with it."""

    learner: Learner
    model: TrainedModel
    dataset: Dataset
    given: Inputs
    history: History
    holdout: Evaluation
    cross_validation: dict[str, float]
    evidence: Evidence
    partial: bool


def file_version(attempt: Attempt, trained: Trained, folder: Path) -> RunResult:
    """File the version; `folder` has its holdout and golden rows. Raises UploadFailed."""
    learner, model, dataset, given, history, holdout, validated, shown, partial = trained
    config, key, model_type = attempt.config, attempt.key, attempt.model_type
    fingerprint = given.fingerprint(config, model_type)
    frozen = given.holdout.source if given.holdout and dataset.frozen else None
    publication = Publication(Storage(config.storage, failure=Reason.UPLOAD_FAILED), key)
    schema = version_files.describe(model_type, dataset.target, model)
    hyperparameters = learner.hyperparameters.model_dump(mode="json") | model.fitted.chosen
    libraries = version_files.library_versions(model_type)
    card = model_card.render(
        config=config,
        version=key.version,
        schema=schema,
        sources=given.sources,
        dataset=dataset,
        frozen=frozen,
        parent=given.parent,
        model=model,
        evidence=shown,
        holdout=holdout,
        cross_validation=validated,
        hyperparameters=hyperparameters,
        libraries=libraries,
        uri=publication.uri,
        partial=partial,
    )
    attempt.enter(Stage.UPLOADING)
    paths = version_files.write(
        folder,
        model,
        schema,
        holdout=holdout,
        cross_validation=validated,
        history=history.records,
        evidence=shown.files,
        card=card,
        log=attempt.log_file,
    )
    entries = [
        ManifestFile(name=path.name, size_bytes=path.stat().st_size, sha256=sha256_of(path))
        for path in paths
    ]
    metrics = version_files.as_metrics(model_type, holdout.metrics, validated)
    attempt.interruption.guard(publication)
    parent = given.parent.manifest.version if given.parent else publication.current()
    publication.upload(
        list(zip(paths, (entry.sha256 for entry in entries), strict=True)),
        attempt.tracker.advance,
    )
    manifest = Manifest(
        model=key.model,
        model_type=model_type,
        version=key.version,
        created_at=datetime.now(UTC),
        task=dataset.target.task,
        data=given.sources,
        rows=len(dataset.training) + len(dataset.holdout),
        training_rows=len(dataset.training),
        holdout_rows=len(dataset.holdout),
        target=config.data.target,
        exclude=config.data.exclude,
        holdout_fraction=config.data.holdout_fraction,
        holdout=frozen,
        mode="incremental" if given.parent else "full",
        fingerprint=fingerprint,
        cross_validation_folds=(config.cross_validation.folds if config.cross_validation else None),
        hyperparameters=hyperparameters,
        seed=config.seed,
        threads=attempt.threads,
        run=config,
        metrics=metrics,
        metric_intervals=holdout.intervals,
        warnings=dataset.warnings,
        files=entries,
        duration_seconds=time.monotonic() - attempt.started,
        image=config.image,
        libraries=libraries,
        requester=config.requester,
        parent_version=parent,
        partial=partial,
        training_job=config.training_job,
        training_job_uid=config.training_job_uid,
        pod_uid=os.environ.get(POD_UID_ENV),
    )
    manifest_file = folder / MANIFEST
    publication.publish(manifest, manifest_file)
    if not partial:
        publication.record(fingerprint)
    # A part of a version never becomes current.
    current = not partial and _make_current(attempt, publication, manifest_file)
    attempt.tracker.advance(1.0)
    return RunResult(
        model_type=model_type,
        version=_version(
            attempt, key, publication.uri, entries[0], current=current, partial=partial or None
        ),
        metrics=metrics,
        # Another attempt follows unless it was a cancel.
        reason=Reason.INTERRUPTED if partial else None,
        message=f"stopped; saved partial version {key.version}" if partial else "",
    )


def reuse_version(attempt: Attempt, found: Found, scratch: Path) -> RunResult:
    """Give a version that is there already as the result. Raises UploadFailed."""
    attempt.enter(Stage.UPLOADING)
    publication = Publication(
        Storage(attempt.config.storage, failure=Reason.UPLOAD_FAILED), found.key
    )
    _log.info("nothing has changed, so nothing is trained", uri=publication.uri)
    manifest_file = scratch / MANIFEST
    manifest_file.write_bytes(found.body)
    current = _make_current(attempt, publication, manifest_file)
    attempt.tracker.advance(1.0)
    return RunResult(
        model_type=attempt.model_type,
        version=_version(
            attempt, found.key, publication.uri, found.model_file, current=current, unchanged=True
        ),
        metrics=found.manifest.metrics,
    )


def _make_current(attempt: Attempt, publication: Publication, manifest: Path) -> bool:
    """What is to be judged becomes current by promotion, or not at all."""
    config = attempt.config
    return config.gate is None and publication.make_current(manifest, overwrite=config.overwrite)


def _version(
    attempt: Attempt,
    key: VersionKey,
    uri: str,
    model_file: ManifestFile,
    *,
    current: bool,
    partial: bool | None = None,
    unchanged: bool | None = None,
) -> ModelVersion:
    """The version as the result has it."""
    return ModelVersion(
        model_type=key.model_type,
        version=key.version,
        uri=uri,
        sha256=model_file.sha256,
        size_bytes=model_file.size_bytes,
        current=current,
        partial=partial,
        unchanged=unchanged,
        duration_seconds=round(time.monotonic() - attempt.started, 3),
    )
