"""Conditional requests (RFC 9110, 13): whoever asks again gets nothing he has already."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Header, Response

IfNoneMatch = Annotated[
    str | None,
    Header(max_length=1024, description="ETags of earlier answers; 304 if one still holds."),
]

DOCUMENTED: dict[int | str, dict[str, Any]] = {
    200: {"headers": {"ETag": {"description": "Of this state.", "schema": {"type": "string"}}}},
    304: {"description": "It is as it was."},
}
"""The `responses` of an operation that answers by `conditional`."""


def conditional(body: bytes, *, tag: str, if_none_match: str | None) -> Response:
    """A JSON answer with an ETag, or 304 without a body."""
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache"}
    if if_none_match is not None and _matches(if_none_match, tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _matches(if_none_match: str, tag: str) -> bool:
    # Compared weakly, as the RFC has it for this header.
    given = {item.strip().removeprefix("W/") for item in if_none_match.split(",")}
    return "*" in given or f'"{tag}"' in given
