"""Has a table checked by a process of its own, and gives it the bytes that it asks for."""

import asyncio
import contextlib
import json
import os
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import structlog

from trainyard_api.datasets.records import Table

log = structlog.get_logger()

_SECONDS: Final = 600.0
_LONGEST_LINE: Final = 32 << 20
_LONGEST_READ: Final = 64 << 20
_PROGRAM: Final = "trainyard_api.datasets.checker"
_ENVIRONMENT: Final = {
    # Arrow's own allocators take address space in advance, which counts against the limit.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
_INHERITED: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "TZDIR")

ReadRange = Callable[[int, int], Awaitable[bytes]]


class InvalidDatasetError(Exception):
    """The file is no table that could be trained on. The message is for the uploader."""


class Checks:
    """Runs one check at a time: others wait for their turn, in memory that is known."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(1)

    async def run(self, size: int, read: ReadRange) -> Table:
        """What is in a file of `size` bytes; `read(offset, length)` gives its bytes.

        Raises `InvalidDatasetError`, and whatever `read` raises.
        """
        async with self._turn:
            return await _check(size, read)


async def _check(size: int, read: ReadRange) -> Table:
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", _PROGRAM, str(size),
        stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=_LONGEST_LINE,
        env=environment | _ENVIRONMENT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_SECONDS):
            return await _converse(process, size, read)
    except TimeoutError:
        raise InvalidDatasetError(f"the file takes more than {_SECONDS:g} s to check") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _converse(process: Process, size: int, read: ReadRange) -> Table:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    errors = asyncio.create_task(_tail(process.stderr))
    try:
        while line := await process.stdout.readline():
            match _parse(line):
                case {"read": [int(offset), int(length)]}:
                    if not (0 <= offset <= offset + length <= size and length <= _LONGEST_READ):
                        break
                    await _give(process.stdin, await read(offset, length))
                case {"table": dict(table)}:
                    return Table.model_validate(table)
                case {"invalid": dict(told)}:
                    raise InvalidDatasetError(_sentence(told))
                case _:
                    break
        process.stdin.close()
        status = await process.wait()
        log.warning("the check died", status=status, stderr=await errors)
    finally:
        errors.cancel()
    raise InvalidDatasetError("the file is damaged: reading it ends the reader")


async def _give(writer: StreamWriter, body: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        writer.write(body)
        await writer.drain()


async def _tail(reader: StreamReader) -> str:
    tail = b""
    while chunk := await reader.read(4096):
        tail = (tail + chunk)[-2000:]
    return tail.decode("utf-8", "replace")


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _sentence(told: Mapping[str, Any]) -> str:
    """`line 3, column 'a': …`, as far as it is known where."""
    line, column = told.get("line"), told.get("column")
    where = [
        *([] if line is None else [f"line {line}"]),
        *([] if column is None else [f"column {column!r}"]),
    ]
    message = str(told.get("message"))
    return f"{', '.join(where)}: {message}" if where else message
