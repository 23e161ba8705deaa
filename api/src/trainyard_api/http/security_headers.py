"""Headers that tell browsers to take answers for data, and to run nothing that is in them."""

from collections.abc import Sequence
from typing import Final

Header = tuple[bytes, bytes]

_POLICY: Final = b"content-security-policy"
_ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
_DATA: Final = (*_ALWAYS, (_POLICY, b"default-src 'none'; frame-ancestors 'none'"))
# Swagger UI has a script and styles within its page.
_DOCUMENTATION: Final = (
    *_ALWAYS,
    (
        _POLICY,
        b"; ".join(
            (
                b"default-src 'self'",
                b"script-src 'self' 'unsafe-inline'",
                b"style-src 'self' 'unsafe-inline'",
                b"img-src 'self' data:",
                b"frame-ancestors 'none'",
            )
        ),
    ),
)


def security_headers(path: str) -> Sequence[Header]:
    """Those of an answer for `path`."""
    return _DOCUMENTATION if path.startswith(("/docs", "/static-offline-docs")) else _DATA
