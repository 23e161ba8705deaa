"""The object store: every call is retried with backoff up to a deadline, and ends in a
TrainerError.
"""

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar
from urllib.parse import urlsplit

import boto3
import stamina
from boto3.exceptions import S3UploadFailedError
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    SSLError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)
from trainyard_schema import Reason, StorageConfig
from trainyard_schema.artifacts import DataSource

from trainyard_trainer.errors import TrainerError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHUNK = 1 << 20
_MULTIPART_FROM = 8 << 20
_NOT_FOUND = {"NoSuchKey", "NoSuchBucket", "404"}
_DENIED = {
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "403",
    "401",
}
_EXPECTED = (BotoCoreError, ClientError, S3UploadFailedError)
_T = TypeVar("_T")


class ObjectInfo(NamedTuple):
    """One object as a listing shows it."""

    key: str
    size_bytes: int
    etag: str


class CorruptedError(Exception):
    """An object that was read back is not what was sent."""


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an s3:// URI."""
    parts = urlsplit(uri)
    return parts.netloc, uri.removeprefix(f"s3://{parts.netloc}/")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def error_code(error: Exception) -> str:
    """The S3 error code of a ClientError, else the empty string."""
    return str(error.response["Error"].get("Code", "")) if isinstance(error, ClientError) else ""


def _is_transient(error: Exception) -> bool:
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or status == 429 or error_code(error) in {"RequestTimeout", "SlowDown"}
    if isinstance(error, SSLError):
        return False
    return isinstance(
        error, BotoConnectionError | HTTPClientError | CorruptedError | S3UploadFailedError
    ) or type(error).__name__ in {"IncompleteReadError", "ResponseStreamingError"}


def connect(
    config: StorageConfig, *, connect_timeout: float = 5, read_timeout: float = 30
) -> "S3Client":
    """A client that does not retry by itself. Credentials come from the environment."""
    return boto3.client(
        "s3",
        endpoint_url=config.endpoint_url,
        region_name=config.region,
        config=Config(
            signature_version="s3v4",
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            retries={"total_max_attempts": 1},
            # Servers other than AWS's do not all know the newer checksum headers; contents are
            # checked by SHA-256 here.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if config.endpoint_url else "auto"},
        ),
    )


class Storage:
    """Reads and writes objects.

    `failure` is the reason given when the store does not answer or refuses: StorageUnavailable
    while data are read,
    UploadFailed while a version is written. What is missing while data are read is DataNotFound.
    """

    def __init__(
        self, config: StorageConfig, *, failure: Reason, deadline_seconds: float = 120
    ) -> None:
        self.config = config
        self.client = connect(config)
        self._failure = failure
        self._retrying = stamina.RetryingCaller(
            attempts=None,
            timeout=deadline_seconds,
            wait_initial=0.2,
            wait_max=8.0,
            wait_jitter=0.3,
        ).on(lambda error: not self._closed and _is_transient(error))
        self._deadline_seconds = deadline_seconds
        self._closed = False

    def close(self) -> None:
        """No more retries: whatever a thread is doing here ends with its present attempt."""
        self._closed = True

    def call(self, what: str, function: Callable[[], _T]) -> _T:
        """Do `function`, again where that may help. `what` says in an error what was tried on which
        object.
        """
        try:
            return self._retrying(function)
        except (*_EXPECTED, CorruptedError) as error:
            self._give_up(what, error)

    def _give_up(self, what: str, error: Exception) -> NoReturn:
        endpoint = self.config.endpoint_url or "AWS S3"
        reading = self._failure == Reason.STORAGE_UNAVAILABLE
        code = error_code(error)
        if code in _NOT_FOUND and reading:
            missing = "bucket" if code == "NoSuchBucket" else "object"
            raise TrainerError(
                Reason.DATA_NOT_FOUND,
                f"{what}: no such {missing} at {endpoint}; upload it or correct spec.data.uri",
            ) from error
        if code == "NoSuchBucket":
            hint = "the bucket does not exist; create it or correct the operator's bucket setting"
        elif isinstance(error, NoCredentialsError | PartialCredentialsError):
            hint = (
                "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
                "(in a cluster: the S3 Secret)"
            )
        elif code in _DENIED:
            hint = (
                f"{endpoint} refused the credentials ({code}); check the keys and their rights "
                "(in a cluster: the S3 Secret)"
            )
        elif _is_transient(error):
            hint = f"gave up after {self._deadline_seconds:g} s of retries at {endpoint}: {error}"
        else:
            hint = f"{endpoint} answered: {error}"
        raise TrainerError(self._failure, f"{what}: {hint}") from error

    def list(self, bucket: str, prefix: str) -> list[ObjectInfo]:
        """The objects under a prefix, sorted by key."""

        def pages() -> list[ObjectInfo]:
            paginator = self.client.get_paginator("list_objects_v2")
            return [
                ObjectInfo(item["Key"], item["Size"], item["ETag"].strip('"'))
                for page in paginator.paginate(Bucket=bucket, Prefix=prefix)
                for item in page.get("Contents", [])
            ]

        return sorted(self.call(f"listing s3://{bucket}/{prefix}", pages))

    def look(self, bucket: str, key: str) -> ObjectInfo:
        """One object as a listing would show it, without the right to list."""

        def attempt() -> ObjectInfo:
            answer = self.client.head_object(Bucket=bucket, Key=key)
            return ObjectInfo(key, answer["ContentLength"], answer["ETag"].strip('"'))

        return self.call(f"reading s3://{bucket}/{key}", attempt)

    def download(
        self, bucket: str, key: str, path: Path, on_bytes: Callable[[int, int], None]
    ) -> DataSource:
        """Stream an object into a file. `on_bytes(received, size)` is told of each chunk."""
        uri = f"s3://{bucket}/{key}"

        def attempt() -> DataSource:
            answer = self.client.get_object(Bucket=bucket, Key=key)
            size, received, digest = answer["ContentLength"], 0, hashlib.sha256()
            with path.open("wb") as file:
                for chunk in answer["Body"].iter_chunks(_CHUNK):
                    file.write(chunk)
                    digest.update(chunk)
                    received += len(chunk)
                    on_bytes(received, size)
            if received != size:
                raise CorruptedError(f"{received} of {size} bytes arrived")
            return DataSource(
                uri=uri,
                etag=answer["ETag"].strip('"'),
                sha256=digest.hexdigest(),
                size_bytes=size,
            )

        return self.call(f"reading {uri}", attempt)

    def get(self, bucket: str, key: str) -> bytes | None:
        """A small object's content; None if there is none."""

        def attempt() -> bytes | None:
            try:
                return self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
            except ClientError as error:
                if error_code(error) == "NoSuchKey":
                    return None
                raise

        return self.call(f"reading s3://{bucket}/{key}", attempt)

    def put_verified(self, bucket: str, key: str, path: Path, sha256: str) -> None:
        """Upload a file, then read it back: it counts as uploaded only if size and SHA-256
        agree.
        """

        def attempt() -> None:
            size = path.stat().st_size
            self._send(bucket, key, path)
            digest = hashlib.sha256()
            answer = self.client.get_object(Bucket=bucket, Key=key)
            for chunk in answer["Body"].iter_chunks(_CHUNK):
                digest.update(chunk)
            if answer["ContentLength"] != size or digest.hexdigest() != sha256:
                raise CorruptedError(
                    f"read back {answer['ContentLength']} bytes with SHA-256 {digest.hexdigest()}, "
                    f"but sent {size} bytes with {sha256}"
                )

        self.call(f"uploading s3://{bucket}/{key}", attempt)

    def put_file(self, bucket: str, key: str, path: Path) -> None:
        """Upload a file whose reader checks its SHA-256."""
        self.call(f"uploading s3://{bucket}/{key}", lambda: self._send(bucket, key, path))

    def _send(self, bucket: str, key: str, path: Path) -> None:
        if path.stat().st_size >= _MULTIPART_FROM:
            self.client.upload_file(str(path), bucket, key)
        else:
            self.client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())

    def put(self, bucket: str, key: str, body: bytes, **arguments: Any) -> None:
        """Write a small object in one request."""
        self.call(
            f"writing s3://{bucket}/{key}",
            lambda: self.client.put_object(Bucket=bucket, Key=key, Body=body, **arguments),
        )

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object, which need not be there."""
        self.call(
            f"removing s3://{bucket}/{key}",
            lambda: self.client.delete_object(Bucket=bucket, Key=key),
        )

    def create(self, bucket: str, key: str, body: bytes) -> bool:
        """Write a small object unless there is one; whether it was written.

        The condition is the server's where it knows `If-None-Match`; a look beforehand serves the
        others.
        """

        def attempt() -> bool:
            if self.get(bucket, key) is not None:
                return False
            try:
                self.client.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")
            except ClientError as error:
                if error_code(error) in {"PreconditionFailed", "412", "ConditionalRequestConflict"}:
                    return False
                if error_code(error) != "NotImplemented":
                    raise
                self.client.put_object(Bucket=bucket, Key=key, Body=body)
            return True

        return self.call(f"writing s3://{bucket}/{key}", attempt)


_DISCARD_SECONDS = 1.5


def discard(config: StorageConfig, bucket: str, prefix: str, keys: Iterable[str]) -> None:
    """Remove what an unfinished version left, as far as the store answers within seconds.

    Stops at the first object that cannot be removed, so give first what others depend on.
    """
    client = connect(config, connect_timeout=1, read_timeout=2)
    with contextlib.suppress(*_EXPECTED):
        _abort_uploads(client, bucket, prefix)
    with contextlib.suppress(*_EXPECTED):
        for key in keys:
            client.delete_object(Bucket=bucket, Key=key)


def _abort_uploads(client: "S3Client", bucket: str, prefix: str) -> None:
    deadline = time.monotonic() + _DISCARD_SECONDS
    empty_listings = 0
    # Until two listings in a row are empty: an upload may begin while the first is on its way, and
    # a store that is still taking in a part may fail to abort.
    while empty_listings < 2 and time.monotonic() < deadline:
        uploads = client.list_multipart_uploads(Bucket=bucket, Prefix=prefix).get("Uploads", [])
        empty_listings = 0 if uploads else empty_listings + 1
        for upload in uploads:
            with contextlib.suppress(ClientError):
                client.abort_multipart_upload(
                    Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )
