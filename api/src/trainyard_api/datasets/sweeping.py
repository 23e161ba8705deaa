"""Removes what uploads left that were killed: unfinished ones, and staged files."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from trainyard_api.datasets.records import STAGING_PREFIX
from trainyard_api.store import Bucket, StoreError
from trainyard_api.store.multipart import abort_unfinished

log = structlog.get_logger()

KEPT: Final = timedelta(days=1)
_PERIOD_SECONDS: Final = 3600.0


async def sweep(bucket: Bucket, *, now: datetime) -> tuple[int, int]:
    """Abort and remove what began more than a day ago; how many of each. Raises `StoreError`."""
    before = now - KEPT
    aborted = await abort_unfinished(bucket, STAGING_PREFIX, before=before)
    old = [one.key for one in await bucket.entries(STAGING_PREFIX) if one.modified < before]
    await bucket.delete(*old)
    return aborted, len(old)


@asynccontextmanager
async def sweeping(bucket: Bucket) -> AsyncIterator[None]:
    """Sweep once an hour. Replicas may do so at once: to remove twice is no error."""
    task = asyncio.create_task(_sweep_forever(bucket))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _sweep_forever(bucket: Bucket) -> None:
    while True:
        await asyncio.sleep(_PERIOD_SECONDS * random.uniform(0.1, 1))  # noqa: S311 - no secret
        try:
            aborted, removed = await sweep(bucket, now=datetime.now(UTC))
        except StoreError as error:
            log.warning("uploads were not swept", error=str(error))
            continue
        if aborted or removed:
            log.info("uploads swept", aborted=aborted, removed=removed)
