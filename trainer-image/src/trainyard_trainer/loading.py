"""Loading a model from where versions are filed: the object store, or a copy of it on disk."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from trainyard_schema import CurrentPointer, ModelType, Reason, StorageConfig
from trainyard_schema.artifacts import CURRENT, MANIFEST, MODELS_PREFIX, champion_key

from trainyard_trainer.errors import TrainerError
from trainyard_trainer.scoring import (
    CorruptedVersionError,
    Scorer,
    is_plain,
    load,
    read_manifest,
)
from trainyard_trainer.storage import Storage, split_uri

_DEADLINE_SECONDS = 20.0


class ModelNotFoundError(Exception):
    """There is no model where one was looked for."""


def connect(bucket: str, endpoint_url: str | None = None) -> Storage:
    """The object store that the usual AWS variables describe; `endpoint_url` goes before
    AWS_ENDPOINT_URL.
    """
    variables = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    endpoint = endpoint_url or next(filter(None, map(os.environ.get, variables)), None)
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return Storage(
        StorageConfig(bucket=bucket, endpoint_url=endpoint, region=region),
        failure=Reason.STORAGE_UNAVAILABLE,
        deadline_seconds=_DEADLINE_SECONDS,
    )


@contextlib.contextmanager
def not_found_as(error: Exception) -> Iterator[None]:
    """Raise `error` where a bucket or an object is missing."""
    try:
        yield
    except TrainerError as missing:
        if missing.reason != Reason.DATA_NOT_FOUND:
            raise
        raise error from missing


def find_current(
    bucket: str, model: str, model_type: ModelType | None = None, endpoint_url: str | None = None
) -> str:
    """The URI of a model that has a champion, else of one that has a current version. The latter's
    type must be given if there is one for more than one type. Raises ModelNotFoundError.

    A champion of another type than the one that is asked for is passed over.
    """
    storage = connect(bucket, endpoint_url)
    folder = f"s3://{bucket}/{MODELS_PREFIX}/{model}/"
    found = []
    with not_found_as(ModelNotFoundError(f"there is no bucket {bucket!r}")):
        body = storage.get(bucket, champion_key(model))
        if body is not None and model_type in (None, _pointer(body, folder).model_type):
            return folder
        for candidate in [model_type] if model_type else ModelType:
            key = f"{MODELS_PREFIX}/{model}/{candidate}/{CURRENT}"
            if storage.get(bucket, key) is not None:
                found.append(candidate)
    if not found:
        of_type = f" of type {model_type}" if model_type else ""
        raise ModelNotFoundError(f"there is no current version{of_type} under {folder}")
    if len(found) > 1:
        raise ModelNotFoundError(
            f"{folder} has current versions of more than one type; name one: {', '.join(found)}"
        )
    return f"{folder}{found[0]}/"


def _pointer(body: bytes, where: str) -> CurrentPointer:
    try:
        return CurrentPointer.model_validate_json(body, extra="ignore")
    except ValueError as error:
        raise CorruptedVersionError(f"{where}{CURRENT} names no version: {error}") from None


def _find_version(read: Callable[[str], bytes | None], where: str) -> tuple[str, bytes]:
    """The version's folder below `where` ("" if it is one itself, else it ends in /), and its
    manifest, checked against `current.json` if that was followed.
    """
    manifest = read(MANIFEST)
    if manifest is not None:
        return "", manifest
    body = read(CURRENT)
    if body is None:
        raise ModelNotFoundError(f"{where} has neither {MANIFEST} nor {CURRENT}: no model is there")
    pointer = _pointer(body, where)
    # Not by the pointer's URI: a copy of the folder is to be read where it is.
    version = pointer.version
    if not is_plain(version):
        raise CorruptedVersionError(f"{where}{CURRENT} names {version!r}, which is no version")
    if pointer.transition is not None:
        # A champion's pointer lies above the folders of the types.
        version = f"{pointer.model_type}/{version}"
    manifest = read(f"{version}/{MANIFEST}")
    if manifest is None:
        raise CorruptedVersionError(f"{where}{CURRENT} names {version}, which is not there")
    if hashlib.sha256(manifest).hexdigest() != pointer.manifest_sha256:
        raise CorruptedVersionError(
            f"{where}{version}/{MANIFEST} is not the one that {CURRENT} names by its SHA-256"
        )
    return f"{version}/", manifest


def locate(storage: Storage, uri: str) -> tuple[str, bytes]:
    """The URI of the version at `uri`, as `load_model` finds it, and its manifest. Raises
    ModelNotFoundError, CorruptedVersionError.
    """
    where = uri.rstrip("/") + "/"
    bucket, prefix = split_uri(where)
    with not_found_as(ModelNotFoundError(f"there is no bucket {bucket!r}")):
        version, body = _find_version(lambda name: storage.get(bucket, prefix + name), where)
    return where + version, body


def download(storage: Storage, uri: str, folder: Path) -> None:
    """Bring the files of the version at `uri` into `folder`; whoever loads them checks them. Raises
    ModelNotFoundError, CorruptedVersionError.
    """
    version, body = locate(storage, uri)
    bucket, prefix = split_uri(version)
    manifest = read_manifest(body, f"s3://{bucket}/{prefix}{MANIFEST}")
    for entry in manifest.files:
        missing = CorruptedVersionError(f"s3://{bucket}/{prefix}{entry.name} is missing")
        with not_found_as(missing):
            storage.download(bucket, prefix + entry.name, folder / entry.name, lambda *_: None)
    (folder / MANIFEST).write_bytes(body)


def load_model(
    uri: str | Path,
    *,
    folder: Path | None = None,
    endpoint_url: str | None = None,
    threads: int = 1,
) -> Scorer:
    """Load the model at `uri`: the folder of a version, or of a model or model type, whose
    `current.json` is followed; on disk or as s3://bucket/key.

    A version in the store is downloaded into `folder`, or into a temporary one. Every file must
    have the SHA-256 that the manifest gives, and the manifest the one that `current.json` gives.
    Nothing is unpickled. Raises ModelNotFoundError, CorruptedVersionError, MissingLibraryError, and
    TrainerError if the store does not answer or refuses.
    """
    if not str(uri).startswith("s3://"):
        local = Path(uri)

        def read(name: str) -> bytes | None:
            path = local / name
            return path.read_bytes() if path.is_file() else None

        version, _ = _find_version(read, f"{local}/")
        return load(local / version, threads=threads)
    with tempfile.TemporaryDirectory(prefix="trainyard-model-") as temporary:
        chosen = Path(temporary) if folder is None else folder
        chosen.mkdir(parents=True, exist_ok=True)
        bucket, _ = split_uri(str(uri))
        download(connect(bucket, endpoint_url), str(uri), chosen)
        return load(chosen, threads=threads)
