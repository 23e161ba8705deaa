"""One bucket, read and written from a few threads of its own: the loop never waits for it."""

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar, TypeVarTuple

import anyio
import anyio.to_thread
import boto3
import structlog
from anyio import CapacityLimiter
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = structlog.get_logger()

CHUNK_BYTES: Final = 1 << 20
_CONNECT_TIMEOUT_SECONDS: Final = 3
_READ_TIMEOUT_SECONDS: Final = 10
_MISSING: Final = {"NoSuchKey", "404"}
_EXISTS: Final = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}

ResultT = TypeVar("ResultT")
ArgumentsT = TypeVarTuple("ArgumentsT")


class StoreError(Exception):
    """The object store does not answer, or not to us. The message holds no secret."""


@dataclass(frozen=True)
class Entry:
    """An object as a listing shows it."""

    key: str
    size_bytes: int
    modified: datetime


class Bucket:
    """A bucket. At most `threads` requests at a time; everything raises `StoreError`."""

    def __init__(
        self,
        name: str,
        *,
        endpoint_url: str | None,
        region: str,
        threads: int,
        read_timeout_seconds: float = _READ_TIMEOUT_SECONDS,
    ) -> None:
        self.name = name
        self.client: S3Client = boto3.Session().client(
            "s3",
            endpoint_url=endpoint_url,
            region_name=region,
            config=Config(
                signature_version="s3v4",
                # S3-compatible servers are seldom reached as <bucket>.<host>.
                s3={"addressing_style": "path" if endpoint_url else "auto"},
                connect_timeout=_CONNECT_TIMEOUT_SECONDS,
                read_timeout=read_timeout_seconds,
                retries={"total_max_attempts": 2, "mode": "standard"},
                max_pool_connections=threads,
                # Servers other than AWS's do not all know the newer checksum headers.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        self._threads = CapacityLimiter(threads)

    def uri(self, key: str) -> str:
        """The s3:// URI of a key."""
        return f"s3://{self.name}/{key}"

    async def call(
        self, function: Callable[[*ArgumentsT], ResultT], *arguments: *ArgumentsT
    ) -> ResultT:
        """Run something that uses `client` in a thread."""

        def guarded() -> ResultT:
            with self._errors():
                return function(*arguments)

        # Left alone when the request is cancelled: its own timeouts end it.
        return await anyio.to_thread.run_sync(
            guarded, abandon_on_cancel=True, limiter=self._threads
        )

    async def get(self, key: str) -> bytes | None:
        """The content of a small object; None if there is none."""
        return await self.call(self._get, key)

    async def get_all(self, keys: Sequence[str]) -> list[bytes | None]:
        """The contents of small objects, in the order of their keys."""
        found: dict[str, bytes | None] = {}

        async def read(key: str) -> None:
            found[key] = await self.get(key)

        try:
            async with anyio.create_task_group() as tasks:
                for key in dict.fromkeys(keys):
                    tasks.start_soon(read, key)
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        return [found[key] for key in keys]

    async def entries(
        self, prefix: str, *, after: str = "", until: str | None = None
    ) -> list[Entry]:
        """The objects whose keys begin so, sorted by key; 1,000 a request.

        Those after the key `after` only, and those before the key `until`.
        """
        return await self.call(self._entries, prefix, after, until)

    async def create(self, key: str, body: bytes, *, content_type: str) -> bool:
        """Write a small object unless there is one. Tells whether it was written."""
        return await self.call(self._create, key, body, content_type)

    async def delete(self, *keys: str) -> None:
        """Delete objects. That one is gone already is no error."""

        def delete() -> None:
            for key in keys:
                self.client.delete_object(Bucket=self.name, Key=key)

        await self.call(delete)

    async def exists(self, key: str) -> bool:
        """Whether there is such an object."""

        def look() -> bool:
            try:
                self.client.head_object(Bucket=self.name, Key=key)
            except ClientError as error:
                if error_code(error) in _MISSING:
                    return False
                raise
            return True

        return await self.call(look)

    async def read_range(self, key: str, offset: int, length: int) -> bytes:
        """`length` bytes of an object that has as many from `offset` on."""

        def read() -> bytes:
            span = f"bytes={offset}-{offset + length - 1}"
            return self.client.get_object(Bucket=self.name, Key=key, Range=span)["Body"].read()

        return await self.call(read)

    async def copy(self, source: str, key: str, *, content_type: str) -> None:
        """Copy an object of at most 5 GB inside the bucket. It does not pass through here."""

        def copy() -> None:
            self.client.copy_object(
                Bucket=self.name,
                Key=key,
                CopySource={"Bucket": self.name, "Key": source},
                ContentType=content_type,
                MetadataDirective="REPLACE",
            )

        await self.call(copy)

    async def chunks(self, key: str) -> tuple[int, AsyncGenerator[bytes]] | None:
        """Size of an object and its content in chunks; None if there is none.

        No thread waits for a slow reader.
        """

        def open_object() -> Any:
            try:
                return self.client.get_object(Bucket=self.name, Key=key)
            except ClientError as error:
                if error_code(error) in _MISSING:
                    return None
                raise

        answer = await self.call(open_object)
        if answer is None:
            return None
        return answer["ContentLength"], self._chunks(answer["Body"])

    async def _chunks(self, body: Any) -> AsyncGenerator[bytes]:
        try:
            while chunk := await self.call(body.read, CHUNK_BYTES):
                yield chunk
        finally:
            body.close()

    def _get(self, key: str) -> bytes | None:
        try:
            return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        except ClientError as error:
            if error_code(error) in _MISSING:
                return None
            raise

    def _entries(self, prefix: str, after: str, until: str | None) -> list[Entry]:
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=prefix, StartAfter=after
        )
        found: list[Entry] = []
        for page in pages:
            for item in page.get("Contents", []):
                if until is not None and item["Key"] >= until:
                    return found
                found.append(Entry(item["Key"], item["Size"], item["LastModified"]))
        return found

    def _create(self, key: str, body: bytes, content_type: str) -> bool:
        try:
            self.client.put_object(
                Bucket=self.name, Key=key, Body=body, ContentType=content_type, IfNoneMatch="*"
            )
        except ClientError as error:
            if error_code(error) in _EXISTS:
                return False
            raise
        return True

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            code = error_code(error)
            log.warning("the object store refused", bucket=self.name, code=code)
            raise StoreError(
                f"the object store refuses access to bucket {self.name} ({code})"
            ) from error
        except (BotoCoreError, HTTPError) as error:
            log.warning("the object store cannot be reached", bucket=self.name, error=repr(error))
            raise StoreError("the object store cannot be reached") from error


def error_code(error: ClientError) -> str:
    """The S3 error code."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))
