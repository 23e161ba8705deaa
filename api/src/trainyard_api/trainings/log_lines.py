"""Log lines, numbered so that a reader can go on where he was."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, Self

from fastapi.sse import format_sse_event

_LINE_BYTES: Final = 64 * 1024
_POSITION = re.compile(r"([0-9a-f]{8})-([0-9]{1,9})")


@dataclass(frozen=True)
class Position:
    """Up to which line of which pod's log a reader has come."""

    pod: str
    """The first 8 characters of the pod's uid."""
    line: int

    @classmethod
    def of(cls, last_event_id: str | None) -> Self | None:
        """The position of an event's id; None for an id that is none of ours."""
        match = _POSITION.fullmatch(last_event_id or "")
        return cls(match[1], int(match[2])) if match else None

    def __str__(self) -> str:
        return f"{self.pod}-{self.line}"


def short(pod_uid: str) -> str:
    """A pod's uid, as positions have it."""
    return pod_uid[:8]


async def split(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """The lines of a text, as many at a time as have come together.

    A line of more than 64 KiB is cut: whoever prints it must not fill the memory.
    """
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        pieces = [piece for line in lines for piece in _pieces(line)]
        if len(rest) > _LINE_BYTES:
            *cut, rest = _pieces(rest)
            pieces += cut
        if pieces:
            yield pieces
    if rest:
        yield _pieces(rest)


def _pieces(line: bytes) -> list[bytes]:
    if len(line) <= _LINE_BYTES:
        return [line]
    return [line[start : start + _LINE_BYTES] for start in range(0, len(line), _LINE_BYTES)]


class Numbered:
    """The lines of one pod's log as events, without those that the reader has."""

    def __init__(self, pod_uid: str, seen: Position | None) -> None:
        self._pod = short(pod_uid)
        self._skipped = seen.line if seen is not None and seen.pod == self._pod else 0
        self._line = 0

    @property
    def position(self) -> Position:
        """Up to where the reader has come."""
        return Position(self._pod, max(self._line, self._skipped))

    def events(self, lines: list[bytes]) -> bytes:
        """The next lines as events; nothing where the reader has them all."""
        events = []
        for line in lines:
            self._line += 1
            if self._line > self._skipped:
                text = line.decode(errors="replace")
                name = f"{self._pod}-{self._line}"
                events.append(format_sse_event(event="line", id=name, data_str=text))
        return b"".join(events)
