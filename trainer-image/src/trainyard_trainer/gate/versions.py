"""Versions as the gate has them: loaded from the store, into a folder of their own."""

from pathlib import Path

import structlog
from trainyard_schema import Manifest
from trainyard_schema.artifacts import HOLDOUT, MANIFEST

from trainyard_trainer.errors import TrainerError
from trainyard_trainer.gate.case import Case
from trainyard_trainer.loading import ModelNotFoundError, load_model
from trainyard_trainer.scoring import (
    CorruptedVersionError,
    MissingLibraryError,
    Scorer,
    read_manifest,
)

_log = structlog.get_logger()
UNUSABLE = (ModelNotFoundError, CorruptedVersionError, MissingLibraryError, TrainerError)
"""What makes a version one that cannot be loaded, or not score the rows at hand."""


def load(case: Case, uri: str, folder: Path) -> Scorer:
    """Download a version into `folder` and load it, every file checked. Raises one of UNUSABLE."""
    scorer = load_model(
        uri, folder=folder, endpoint_url=case.storage.endpoint_url, threads=case.threads
    )
    _log.info("version is loaded", uri=uri)
    return scorer


def manifest_of(folder: Path) -> Manifest:
    """Of a version that was loaded from there, and so checked."""
    return read_manifest((folder / MANIFEST).read_bytes(), folder)


def holdout_of(manifest: Manifest) -> str | None:
    """SHA-256 of a version's holdout; None if it has none."""
    return next((entry.sha256 for entry in manifest.files if entry.name == HOLDOUT), None)
