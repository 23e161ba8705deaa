"""Cursors: opaque to clients, and stable under inserts, since they say after what a page begins."""

import base64
import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from trainyard_api.http.problems import FieldError, Problem, invalid

ItemT = TypeVar("ItemT")

Cursor = Annotated[
    str | None,
    Query(max_length=1024, description="`next_cursor` of the page before; absent: the first page."),
]
Limit = Annotated[int, Query(ge=1, le=200, description="At most so many.")]


class Page(BaseModel, Generic[ItemT]):
    """A part of a list, newest first."""

    items: list[ItemT]
    next_cursor: str | None = Field(description="Of the next page; null on the last one.")


def encode(position: Sequence[str | int]) -> str:
    """The cursor of a position: the sort key of the last item of a page."""
    return base64.urlsafe_b64encode(json.dumps(list(position)).encode()).decode().rstrip("=")


def decode(cursor: str, *kinds: type) -> tuple[Any, ...]:
    """The position of a cursor. Raises `Problem` (422) for one that `encode` did not make."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        position = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        fits = isinstance(position, list) and [type(part) for part in position] == list(kinds)
    except (ValueError, RecursionError):
        fits = False
    if not fits:
        raise _foreign()
    return tuple(position)


def encode_moment(time: datetime, identifier: uuid.UUID) -> str:
    """The cursor of a row: when it came to be, and its id."""
    return encode([time.isoformat(), str(identifier)])


def decode_moment(cursor: str | None) -> tuple[datetime, uuid.UUID] | None:
    """What `encode_moment` was given; None without a cursor. Raises `Problem` (422)."""
    if cursor is None:
        return None
    time, identifier = decode(cursor, str, str)
    try:
        moment = datetime.fromisoformat(time), uuid.UUID(identifier)
    except ValueError:
        raise _foreign() from None
    if moment[0].tzinfo is None:
        raise _foreign()
    return moment


def _foreign() -> Problem:
    return invalid([FieldError(field="cursor", message="is none of this list; leave it out")])
