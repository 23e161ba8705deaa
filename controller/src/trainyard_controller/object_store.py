"""The object store, as far as the operator needs it: small documents, listings, deletions."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from trainyard_schema import StorageConfig

from trainyard_controller.client import unfenced
from trainyard_controller.errors import UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_TIMEOUT_SECONDS = 3.0
READ_TIMEOUT_SECONDS = 10.0
AWAY_SECONDS = 5.0
"""So long a store that did not answer is not asked again: one Model waits for it, not each."""
_CHANGED = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_MISSING = {"NoSuchKey", "404"}

T = TypeVar("T")


class StoreError(UnavailableError):
    """The object store does not answer, or not to us: try later. The message holds no secret."""


@dataclass(frozen=True)
class Content:
    """What an object held, and the ETag by which a change is noticed."""

    body: bytes
    etag: str


@dataclass(frozen=True)
class Entry:
    """An object as a listing shows it."""

    key: str
    modified: datetime


class ObjectStore:
    """One bucket. Requests run in threads; each ends within seconds, or raises `StoreError`."""

    def __init__(self, storage: StorageConfig, fence: Callable[[], None] = unfenced) -> None:
        """`fence` raises `UnavailableError` at a moment when this process must change nothing."""
        self._fence = fence
        self.bucket = storage.bucket
        self._away_until = 0.0
        self._why_away = ""
        self._client: S3Client = boto3.Session().client(
            "s3",
            endpoint_url=storage.endpoint_url,
            region_name=storage.region,
            config=Config(
                signature_version="s3v4",
                # S3-compatible servers are seldom reached as <bucket>.<host>.
                s3={"addressing_style": "path" if storage.endpoint_url else "auto"},
                connect_timeout=CONNECT_TIMEOUT_SECONDS,
                read_timeout=READ_TIMEOUT_SECONDS,
                # The work queue tries again, ever later.
                retries={"total_max_attempts": 1},
                # Servers other than AWS's do not all know the newer checksum headers.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    async def get(self, key: str) -> Content | None:
        """An object; None if there is none."""

        def read() -> Content | None:
            try:
                answer = self._client.get_object(Bucket=self.bucket, Key=key)
                return Content(answer["Body"].read(), answer["ETag"])
            except ClientError as error:
                if _code(error) in _MISSING:
                    return None
                raise

        return await self._call(read)

    async def create(self, key: str, body: bytes) -> bool:
        """Write an object unless there is one. Tells whether it was written."""
        return await self._put(key, body, None)

    async def replace(self, key: str, body: bytes, etag: str) -> bool:
        """Write an object unless it has changed since it was read. Tells whether it was written."""
        return await self._put(key, body, etag)

    async def _put(self, key: str, body: bytes, etag: str | None) -> bool:
        self._fence()

        def write() -> bool:
            try:
                if etag is None:
                    self._client.put_object(Bucket=self.bucket, Key=key, Body=body, IfNoneMatch="*")
                else:
                    self._client.put_object(Bucket=self.bucket, Key=key, Body=body, IfMatch=etag)
            except ClientError as error:
                # An object that was to be replaced, and is gone, has changed as well.
                if _code(error) in _CHANGED | _MISSING:
                    return False
                raise
            return True

        return await self._call(write)

    async def entries(self, prefix: str) -> list[Entry]:
        """All objects whose keys begin so, sorted by key; 1,000 a request."""

        def read() -> list[Entry]:
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix
            )
            found = [
                Entry(item["Key"], item["LastModified"])
                for page in pages
                for item in page.get("Contents", [])
            ]
            return sorted(found, key=lambda entry: entry.key)

        return await self._call(read)

    async def delete(self, key: str) -> None:
        """Delete an object. That it is gone already is no error."""
        self._fence()
        await self._call(lambda: self._client.delete_object(Bucket=self.bucket, Key=key))

    async def _call(self, function: Callable[[], T]) -> T:
        def call() -> T:
            if time.monotonic() < self._away_until:
                raise StoreError(self._why_away)
            with self._errors():
                return function()

        return await asyncio.to_thread(call)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise StoreError(
                f"the object store refuses access to bucket {self.bucket} ({_code(error)})"
            ) from error
        except BotoCoreError as error:
            self._why_away = f"the object store cannot be reached ({type(error).__name__})"
            self._away_until = time.monotonic() + AWAY_SECONDS
            raise StoreError(self._why_away) from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))
