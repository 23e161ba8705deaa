"""Whether there is enough to learn from, as far as a short look at a small table can tell."""

import asyncio
from collections.abc import Iterable
from typing import Final

import structlog
from trainyard_schema.spec import MIN_ROWS

from trainyard_api.datasets.checking import Checks, InvalidDatasetError
from trainyard_api.retraining.requests import RetrainError
from trainyard_api.retraining.selection import Target
from trainyard_api.store import Bucket, Entry, StoreError

log = structlog.get_logger()

_SMALL_BYTES: Final = 1 << 20
"""A table of this size has enough rows, or rows that are worth a run to find out."""
_SECONDS: Final = 8.0
_INSUFFICIENT: Final = "Insufficient training data available"


class TrainingData:
    """The tables of Models, as far as they are in this bucket. Others are the trainer's matter."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        # Not those of the uploads, which may take minutes.
        self._checks = Checks()

    async def check(self, targets: Iterable[Target]) -> None:
        """Raises `RetrainError` (400) where a Model has fewer rows than the trainer needs.

        What cannot be told in a few seconds is left to the trainer, which looks again at all of it.
        """
        users: dict[str, str] = {}
        for target in targets:
            users.setdefault(
                target.document["spec"]["template"]["spec"]["data"]["uri"], target.name
            )
        try:
            async with asyncio.timeout(_SECONDS):
                for uri, model in users.items():
                    await self._check(uri, model)
        except (StoreError, TimeoutError) as error:
            log.warning("the training data could not be looked at", error=repr(error))

    async def _check(self, uri: str, model: str) -> None:
        start = self._bucket.uri("")
        if not uri.startswith(start):
            return
        key = uri.removeprefix(start)
        tables = [entry for entry in await self._entries(key) if _is_table(entry, key)]
        if not tables:
            raise RetrainError(f"{_INSUFFICIENT}: there is nothing at {uri}", status=400)
        if sum(table.size_bytes for table in tables) >= _SMALL_BYTES:
            return
        try:
            rows = 0
            for table in tables:
                rows += await self._rows(table)
                if rows >= MIN_ROWS:
                    return
        except InvalidDatasetError as error:
            log.info("training data that may be no table", uri=uri, why=str(error))
            return
        raise RetrainError(
            f"{_INSUFFICIENT}: {uri} of Model {model} has {rows} rows, and at least "
            f"{MIN_ROWS} are needed",
            status=400,
        )

    async def _entries(self, key: str) -> list[Entry]:
        return await self._bucket.entries(key, until=None if key.endswith("/") else f"{key}\0")

    async def _rows(self, table: Entry) -> int:
        if not table.size_bytes:
            return 0
        body = await self._bucket.get(table.key) or b""

        async def read(offset: int, length: int) -> bytes:
            return body[offset : offset + length]

        return (await self._checks.run(len(body), read)).rows


def _is_table(entry: Entry, key: str) -> bool:
    """As the trainer finds what there is at a URI."""
    if not key.endswith("/"):
        return entry.key == key
    name = entry.key.rpartition("/")[2]
    return bool(entry.size_bytes) and not name.startswith(("_", "."))
