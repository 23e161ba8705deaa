"""Lists that the API gives page by page."""

from collections.abc import Iterator
from typing import TypeVar

from pydantic import BaseModel

from trainyard_client.transport import Query, Transport

Item = TypeVar("Item", bound=BaseModel)

_PAGE = 100


def items(
    transport: Transport,
    path: str,
    view: type[Item],
    query: Query | None = None,
    *,
    member: str = "items",
) -> Iterator[Item]:
    """All items of a list, from as many pages as the reader goes through.

    `member` of a page has them.
    """
    cursor: str | None = None
    while True:
        page = transport.get(path, {"limit": _PAGE, **(query or {}), "cursor": cursor}).json()
        yield from map(view.model_validate, page[member])
        cursor = page.get("next_cursor")
        if cursor is None:
            return
