"""Cursors: opaque to clients, and stable under inserts, since they say after what a page begins."""

import base64
import json
from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from trainyard_api.problems import FieldError, invalid

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
        raise invalid([FieldError(field="cursor", message="is none of this list; leave it out")])
    return tuple(position)
