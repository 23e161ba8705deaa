"""Datasets in the object store: taken in, listed, shown.

A table goes to a place of its own first, is checked there, then copied to where its bytes say it
belongs, and announced by its record, which is written last. Killed in between, it leaves nothing
that anybody is told of; the same upload again completes it.
"""

import functools
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, Self

import anyio
import structlog
from pydantic import ValidationError

from trainyard_api.datasets.checking import Checks, InvalidDatasetError
from trainyard_api.datasets.records import (
    FEEDBACK_PREFIX,
    PREFIX,
    STAGING_PREFIX,
    Dataset,
    data_key,
    id_of,
    record_key,
)
from trainyard_api.settings import Settings
from trainyard_api.store import Bucket, Entry, StoreError
from trainyard_api.store.multipart import EmptyError, Stored, store_stream

log = structlog.get_logger()

_THREADS: Final = 8
_READ_TIMEOUT_SECONDS: Final = 120
"""A store copies a gigabyte before it answers."""
_DELETE_SECONDS: Final = 15
_MOST_UPLOADS: Final = 4
"""At a time: each holds a part of 8 MiB."""
_CONTENT_TYPES: Final = {
    "csv": "text/csv",
    "csv.gz": "application/gzip",
    "parquet": "application/vnd.apache.parquet",
}


class BusyError(Exception):
    """There are as many uploads as this replica takes at a time."""


class Datasets:
    """The datasets of one bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self._checks = Checks()
        self._uploads = 0

    @classmethod
    def in_bucket_of(cls, settings: Settings) -> Self:
        """The datasets of the API's bucket, with threads of their own: uploads hold nobody up."""
        return cls(
            Bucket(
                settings.bucket,
                endpoint_url=settings.s3_endpoint_url,
                region=settings.s3_region,
                threads=_THREADS,
                read_timeout_seconds=_READ_TIMEOUT_SECONDS,
            )
        )

    @contextmanager
    def one_more_upload(self) -> Iterator[None]:
        """The right to upload, for as long as it takes. Raises `BusyError`."""
        if self._uploads >= _MOST_UPLOADS:
            raise BusyError
        self._uploads += 1
        try:
            yield
        finally:
            self._uploads -= 1

    async def stage(self, chunks: AsyncIterator[bytes], *, max_bytes: int) -> Stored:
        """Take in a file, of which nobody is told yet. Raises `InvalidDatasetError`,
        `TooLargeError`, `StoreError`, and what `chunks` raises.
        """
        key = STAGING_PREFIX + secrets.token_hex(16)
        try:
            return await store_stream(self.bucket, key, chunks, max_bytes=max_bytes)
        except EmptyError:
            raise InvalidDatasetError("the file is empty") from None

    async def announce(
        self, staged: Stored, *, name: str, uploaded_by: str
    ) -> tuple[Dataset, bool]:
        """The dataset of a staged file, and whether it is new: bytes that are there already are
        the dataset that they were. The staged file goes. Raises `InvalidDatasetError`,
        `StoreError`.
        """
        known = await self.get(staged.sha256)
        if known is not None and await self.bucket.exists(known.data_key):
            return known, False
        table = await self._checks.run(
            staged.size_bytes, functools.partial(self.bucket.read_range, staged.key)
        )
        key = data_key(name, staged.sha256, table.format)
        dataset = Dataset(
            **table.model_dump(),
            id=staged.sha256,
            name=name,
            uri=self.bucket.uri(key),
            fingerprint=staged.sha256,
            size_bytes=staged.size_bytes,
            uploaded_by=uploaded_by,
            uploaded_at=datetime.now(UTC),
        )
        await self.bucket.copy(staged.key, key, content_type=_CONTENT_TYPES[table.format])
        created = await self.bucket.create(
            record_key(name, staged.sha256),
            dataset.model_dump_json().encode(),
            content_type="application/json",
        )
        if not created:
            # Of two at once, one was first.
            return await self.get(staged.sha256) or dataset, False
        return dataset, True

    async def discard(self, staged: Stored) -> None:
        """Remove a staged file, also while the request is being cancelled."""
        with anyio.move_on_after(_DELETE_SECONDS, shield=True):
            try:
                await self.bucket.delete(staged.key)
            except StoreError as error:
                # The sweep does it, within a day.
                log.warning("a staged file stays", key=staged.key, error=str(error))

    async def get(self, dataset_id: str) -> Dataset | None:
        """A dataset; None if there is none. Raises `StoreError`."""
        found = [one for one in await self.records() if id_of(one.key) == dataset_id]
        # Two at once under two names: the older one counts.
        return (await self.read(found[-1:]))[0] if found else None

    async def records(self) -> list[Entry]:
        """The records of all datasets, newest first. Raises `StoreError`."""
        # Of feedback there may be very much, so its keys are passed over.
        before = await self.bucket.entries(PREFIX, until=FEEDBACK_PREFIX)
        after = await self.bucket.entries(PREFIX, after=FEEDBACK_PREFIX.removesuffix("/") + "0")
        found = [one for one in (*before, *after) if id_of(one.key)]
        return sorted(found, key=sort_key, reverse=True)

    async def read(self, records: list[Entry]) -> list[Dataset | None]:
        """Datasets by their records; None for one that is gone or cannot be read."""
        bodies = await self.bucket.get_all([one.key for one in records])
        return [_parse(one.key, body) for one, body in zip(records, bodies, strict=True)]


def sort_key(record: Entry) -> tuple[str, str]:
    """What datasets are sorted by: when they were announced."""
    return record.modified.astimezone(UTC).isoformat(), id_of(record.key) or ""


def _parse(key: str, body: bytes | None) -> Dataset | None:
    if body is None:
        return None
    try:
        found = Dataset.model_validate_json(body)
    except ValidationError as error:
        log.warning("unreadable record of a dataset", key=key, problems=error.error_count())
        return None
    if record_key(found.name, found.fingerprint) != key:
        log.warning("the record of another dataset", key=key)
        return None
    return found
