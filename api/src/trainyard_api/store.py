"""The model versions in the object store. A version exists if and only if its manifest does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar, TypeVarTuple

import anyio
import anyio.to_thread
import boto3
import structlog
from anyio import CapacityLimiter
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError
from trainyard_schema import CurrentPointer, Manifest, Model, ModelType, VersionKey
from trainyard_schema.artifacts import MODELS_PREFIX

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = structlog.get_logger()

_THREADS: Final = 8
_CONNECT_TIMEOUT_SECONDS: Final = 3
_READ_TIMEOUT_SECONDS: Final = 10

DocumentT = TypeVar("DocumentT", bound=Model)
ResultT = TypeVar("ResultT")
ArgumentsT = TypeVarTuple("ArgumentsT")


class StoreError(Exception):
    """The object store does not answer, or not to us. The message holds no secret."""


@dataclass(frozen=True, kw_only=True)
class StoredVersion:
    """A version in the store."""

    key: VersionKey
    uri: str
    current: bool
    """Whether it is the Model's champion, or the current version of its type."""
    manifest: Manifest | None
    """None where this version of Trainyard cannot read it."""


class ModelStore:
    """Reads a bucket that trainers write to."""

    def __init__(self, *, bucket: str, endpoint_url: str | None, region: str) -> None:
        self._bucket = bucket
        # S3-compatible servers are seldom reached as <bucket>.<host>.
        addressing = "path" if endpoint_url else "auto"
        self._client: S3Client = boto3.client(
            "s3",
            endpoint_url=endpoint_url,
            region_name=region,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": addressing},  # type: ignore[arg-type]
                connect_timeout=_CONNECT_TIMEOUT_SECONDS,
                read_timeout=_READ_TIMEOUT_SECONDS,
                retries={"total_max_attempts": 2, "mode": "standard"},
                max_pool_connections=_THREADS,
            ),
        )
        self._threads = CapacityLimiter(_THREADS)

    async def newest(
        self, *, model: str | None, model_type: ModelType | None, limit: int
    ) -> tuple[list[StoredVersion], int]:
        """The newest versions, newest first, and how many there are in all. Raises `StoreError`.

        The keys of all versions are listed, 1,000 objects a request; only what is returned is read.
        """
        keys = await self._in_thread(self._keys, model)
        if model_type is not None:
            keys = [key for key in keys if key.model_type == model_type]
        keys.sort(key=lambda key: (key.version, key.model, key.model_type), reverse=True)
        page = keys[:limit]

        documents: dict[str, Manifest | CurrentPointer | None] = {}

        async def read(key: str, kind: type[Manifest] | type[CurrentPointer]) -> None:
            documents[key] = await self._in_thread(self._read, key, kind)

        try:
            async with anyio.create_task_group() as tasks:
                for key in page:
                    tasks.start_soon(read, key.manifest, Manifest)
                for pointer in {name for key in page for name in (key.champion, key.current)}:
                    tasks.start_soon(read, pointer, CurrentPointer)
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        return [self._version(key, documents) for key in page], len(keys)

    def _version(
        self, key: VersionKey, documents: dict[str, Manifest | CurrentPointer | None]
    ) -> StoredVersion:
        manifest = documents[key.manifest]
        pointers = documents[key.champion], documents[key.current]
        return StoredVersion(
            key=key,
            uri=f"s3://{self._bucket}/{key.prefix}",
            current=any(
                isinstance(pointer, CurrentPointer) and pointer.version == key.version
                for pointer in pointers
            ),
            manifest=manifest if isinstance(manifest, Manifest) else None,
        )

    async def _in_thread(
        self, function: Callable[[*ArgumentsT], ResultT], *arguments: *ArgumentsT
    ) -> ResultT:
        # Left alone when the request is cancelled: its own timeouts end it.
        return await anyio.to_thread.run_sync(
            function, *arguments, abandon_on_cancel=True, limiter=self._threads
        )

    def _keys(self, model: str | None) -> list[VersionKey]:
        prefix = f"{MODELS_PREFIX}/" if model is None else f"{MODELS_PREFIX}/{model}/"
        with _errors(self._bucket):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            found = (
                VersionKey.from_manifest_key(item["Key"])
                for page in pages
                for item in page.get("Contents", [])
            )
            return [key for key in found if key is not None]

    def _read(self, key: str, kind: type[DocumentT]) -> DocumentT | None:
        """A document; None where it is gone, or is one that this version cannot read."""
        with _errors(self._bucket):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
                body = answer["Body"].read()
            except self._client.exceptions.NoSuchKey:
                return None
        try:
            return kind.model_validate_json(body, extra="ignore")
        except ValidationError as error:
            log.warning("unreadable document", key=key, problems=error.error_count())
            return None


@contextmanager
def _errors(bucket: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        log.warning("the object store refused", bucket=bucket, code=code)
        raise StoreError(f"the object store refuses access to bucket {bucket} ({code})") from error
    except BotoCoreError as error:
        log.warning("the object store cannot be reached", bucket=bucket, error=str(error))
        raise StoreError("the object store cannot be reached") from error
