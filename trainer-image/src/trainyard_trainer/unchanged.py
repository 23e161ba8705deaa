"""`skipIfUnchanged`: the version that the same data, spec and image have left already."""

from typing import NamedTuple

import structlog
from trainyard_schema import Manifest, ManifestFile, ModelType, Reason, RunConfig, VersionKey
from trainyard_schema.artifacts import MODEL_FILES, FingerprintRecord

from trainyard_trainer import continuation, dataset
from trainyard_trainer.errors import TrainerError
from trainyard_trainer.fingerprint import Part, fingerprint
from trainyard_trainer.scoring import CorruptedVersionError, is_plain, read_manifest
from trainyard_trainer.storage import Storage, split_uri

_log = structlog.get_logger()


class Found(NamedTuple):
    """A version that another run would only repeat."""

    key: VersionKey
    manifest: Manifest
    body: bytes
    """The manifest as it is stored."""

    @property
    def model_file(self) -> ManifestFile:
        """The entry of the model's file."""
        name = MODEL_FILES[self.manifest.model_type]
        return next(file for file in self.manifest.files if file.name == name)


def find(storage: Storage, config: RunConfig, model_type: ModelType) -> Found | None:
    """Look for it without reading any data. Data that are not there are left to whoever reads
    them.
    """
    try:
        data = _parts(storage, config.data.uri)
        given = config.data.holdout
        holdout = None if given is None else _parts(storage, given)[0]
    except TrainerError as error:
        if error.reason != Reason.DATA_NOT_FOUND:
            raise
        return None
    sha256 = fingerprint(config, model_type, data, holdout)
    found = _recorded(storage, VersionKey(config.model, model_type, ""), sha256)
    if found is None:
        _log.info("something has changed", fingerprint=sha256)
        return None
    try:
        answers = _measured_alike(storage, config, found) and _continues_alike(
            storage, config, model_type, found
        )
    except CorruptedVersionError:
        return None
    return found if answers else None


def _parts(storage: Storage, uri: str) -> list[Part]:
    bucket, _ = split_uri(uri)
    return [
        Part(f"s3://{bucket}/{item.key}", item.etag, item.size_bytes)
        for item in dataset.objects(storage, uri)
    ]


def _recorded(storage: Storage, key: VersionKey, sha256: str) -> Found | None:
    """The whole version that has this fingerprint, if it is there."""
    bucket = storage.config.bucket
    record = storage.get(bucket, key.fingerprint(sha256))
    try:
        if record is None:
            return None
        version = FingerprintRecord.model_validate_json(record).version
        key = key._replace(version=version)
        body = storage.get(bucket, key.manifest) if is_plain(version) else None
        if body is None:
            return None
        manifest = read_manifest(body, f"s3://{bucket}/{key.manifest}")
    except (ValueError, CorruptedVersionError) as error:
        _log.warning("a fingerprint leads to no version", fingerprint=sha256, error=str(error))
        return None
    whole = manifest.fingerprint == sha256 and not manifest.partial
    return Found(key, manifest, body) if whole else None


def _measured_alike(storage: Storage, config: RunConfig, found: Found) -> bool:
    """Whether the run would be measured on the rows that the version was measured on."""
    run = found.manifest.run
    if config.data.holdout is not None or (run is not None and run.champion == config.champion):
        return True
    if config.champion is None:
        return False
    if config.champion == f"s3://{storage.config.bucket}/{found.key.prefix}":
        return True
    champion = continuation.manifest_of(storage, config.champion)
    theirs = None if champion is None else continuation.holdout_sha256(champion)
    return theirs is not None and theirs == continuation.holdout_sha256(found.manifest)


def _continues_alike(
    storage: Storage, config: RunConfig, model_type: ModelType, found: Found
) -> bool:
    """Whether the run would continue from what the version continued from, or from itself: it has
    learned from these rows.
    """
    if config.mode == "full":
        return True
    parent = continuation.locate(storage, config, model_type)
    version = None if parent is None else parent.rstrip("/").rpartition("/")[2]
    before = found.manifest.parent_version if found.manifest.mode == "incremental" else None
    return version in (before, found.manifest.version)
