"""Signatures of webhooks, as the Standard Webhooks specification 1.0.0 has them.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
from typing import Final

_PREFIX: Final = "whsec_"
_KEY_BYTES: Final = range(24, 65)


def signing_key(secret: str) -> bytes:
    """The key that a secret stands for: base64 after `whsec_`; else the bytes of the text itself.

    Raises `ValueError`, which does not tell the secret.
    """
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be base64 after whsec_") from None
    if len(key) not in _KEY_BYTES:
        raise ValueError(f"holds {len(key)} bytes after whsec_, and must hold 24 to 64")
    return key


def sign(key: bytes, *, identifier: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`. `timestamp`: of this delivery, in seconds since 1970."""
    signed = f"{identifier}.{timestamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
