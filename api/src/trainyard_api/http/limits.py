"""How large a request may be and how long it may take: the one table, by method and path."""

import re
from dataclasses import dataclass
from typing import Final

from starlette.types import Scope

_KIB: Final = 1024
_MIB: Final = 1024 * _KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may cost. None: the route itself keeps the limit."""

    body_bytes: int | None = 64 * _KIB
    body_seconds: float = 20.0
    """Until the body is there; where it may be of any size: from one piece of it to the next."""
    seconds: float | None = 30.0
    """Until the answer has ended."""


DEFAULT: Final = Limits()
_STREAM: Final = Limits(seconds=None)
_DOWNLOAD: Final = Limits(seconds=600)
# The route counts the bytes, since what it has stored so far must go again.
_UPLOAD: Final = Limits(body_bytes=None, body_seconds=30, seconds=3600)
_ROWS: Final = Limits(body_bytes=4 * _MIB)

_EXCEPTIONS: Final = tuple(
    (method, re.compile(path), limits)
    for method, path, limits in (
        ("GET", r"/api/v1/jobs/[^/]+/(events|logs)", _STREAM),
        ("GET", r"/api/v1/models/[^/]+/versions/[^/]+/files/.+", _DOWNLOAD),
        ("POST", r"/api/upload", _UPLOAD),
        ("POST", r"/api/v1/datasets", _UPLOAD),
        ("POST", r"/api/feedback", _ROWS),
    )
)


def limits_of(scope: Scope) -> Limits:
    """The limits of an HTTP request, known before it is routed."""
    path = scope["path"]
    # The paths of the seed document are asked most, and have no exception.
    if path.startswith("/api/"):
        for method, pattern, limits in _EXCEPTIONS:
            if scope["method"] == method and pattern.fullmatch(path):
                return limits
    return DEFAULT
