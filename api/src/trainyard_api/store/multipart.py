"""A body of any size into one object, in memory for one part: S3's multipart upload."""

import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import anyio
import structlog

from trainyard_api.store.bucket import Bucket, StoreError

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

log = structlog.get_logger()

PART_BYTES: Final = 8 << 20
_ABORT_SECONDS: Final = 15


class TooLargeError(Exception):
    """There are more bytes than are allowed."""


class EmptyError(Exception):
    """There is not one byte."""


@dataclass(frozen=True)
class Stored:
    """What has arrived in the store."""

    key: str
    size_bytes: int
    sha256: str


async def store_stream(
    bucket: Bucket, key: str, chunks: AsyncIterator[bytes], *, max_bytes: int
) -> Stored:
    """Write a stream to a key, which is visible only once all of it is there.

    Whatever goes wrong, the upload is aborted. Raises `TooLargeError`, `EmptyError`, `StoreError`,
    and what `chunks` raises.
    """
    upload = await _Upload.begin(bucket, key)
    try:
        return await upload.write(chunks, max_bytes)
    except BaseException:
        await upload.abort()
        raise


class _Upload:
    """One multipart upload."""

    def __init__(self, bucket: Bucket, key: str, upload_id: str) -> None:
        self._bucket = bucket
        self._key = key
        self._id = upload_id
        self._parts: list[CompletedPartTypeDef] = []
        self._sha256 = hashlib.sha256()

    @classmethod
    async def begin(cls, bucket: Bucket, key: str) -> "_Upload":
        answer = await bucket.call(
            lambda: bucket.client.create_multipart_upload(Bucket=bucket.name, Key=key)
        )
        return cls(bucket, key, answer["UploadId"])

    async def write(self, chunks: AsyncIterator[bytes], max_bytes: int) -> Stored:
        size, part = 0, bytearray()
        async for chunk in chunks:
            size += len(chunk)
            if size > max_bytes:
                raise TooLargeError
            part += chunk
            while len(part) >= PART_BYTES:
                await self.send(bytes(part[:PART_BYTES]))
                del part[:PART_BYTES]
        if not size:
            raise EmptyError
        if part:
            await self.send(bytes(part))
        return Stored(self._key, size, await self.complete())

    async def send(self, body: bytes) -> None:
        number = len(self._parts) + 1

        def send() -> str:
            self._sha256.update(body)
            md5 = hashlib.md5(body, usedforsecurity=False).digest()
            answer = self._bucket.client.upload_part(
                Bucket=self._bucket.name,
                Key=self._key,
                UploadId=self._id,
                PartNumber=number,
                Body=body,
                # The store refuses a part that has changed on its way.
                ContentMD5=base64.b64encode(md5).decode(),
            )
            return answer["ETag"]

        self._parts.append({"ETag": await self._bucket.call(send), "PartNumber": number})

    async def complete(self) -> str:
        """Make the object visible; its SHA-256."""
        await self._bucket.call(
            lambda: self._bucket.client.complete_multipart_upload(
                Bucket=self._bucket.name,
                Key=self._key,
                UploadId=self._id,
                MultipartUpload={"Parts": self._parts},
            )
        )
        return self._sha256.hexdigest()

    async def abort(self) -> None:
        """Have the store forget the parts, also while this request is being cancelled."""
        with anyio.move_on_after(_ABORT_SECONDS, shield=True):
            try:
                await self._bucket.call(
                    lambda: self._bucket.client.abort_multipart_upload(
                        Bucket=self._bucket.name, Key=self._key, UploadId=self._id
                    )
                )
            except StoreError as error:
                # The sweep does it, within a day.
                log.warning("an upload was not aborted", key=self._key, error=str(error))


async def abort_unfinished(bucket: Bucket, prefix: str, *, before: datetime) -> int:
    """Abort the uploads under a prefix that began before a time. Tells how many there were."""

    def abort() -> int:
        pages = bucket.client.get_paginator("list_multipart_uploads").paginate(
            Bucket=bucket.name, Prefix=prefix
        )
        old = [
            one for page in pages for one in page.get("Uploads", []) if one["Initiated"] < before
        ]
        for one in old:
            bucket.client.abort_multipart_upload(
                Bucket=bucket.name, Key=one["Key"], UploadId=one["UploadId"]
            )
        return len(old)

    return await bucket.call(abort)
