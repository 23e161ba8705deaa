"""The keys that signatures are verified with, each bound to one algorithm.

A key that is bound cannot be used in another way, whatever the head of a token says: a public RSA
key is never taken for an HMAC secret.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.utils import base64url_encode

HMAC_ALGORITHM: Final = "HS256"
_RSA_BITS: Final = 2048
# By key type and curve (RFC 7518, RFC 8037).
_ALGORITHMS: Final[Mapping[tuple[str, str | None], tuple[str, ...]]] = {
    ("RSA", None): ("RS256", "PS256"),
    ("EC", "P-256"): ("ES256",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
ASYMMETRIC_ALGORITHMS: Final = tuple(name for some in _ALGORITHMS.values() for name in some)


class UnknownKeyError(Exception):
    """No key fits the head of the token."""


class KeysUnavailableError(Exception):
    """The keys have never been read, so nothing can be said about a token yet."""


class Keys(Protocol):
    """Where the key of a token comes from."""

    @property
    def algorithms(self) -> tuple[str, ...]:
        """No token is accepted that names another one."""
        ...

    @property
    def generation(self) -> int:
        """Changes whenever a key may no longer be what it was."""
        ...

    async def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK:
        """The key. Raises `UnknownKeyError`, `KeysUnavailableError`."""
        ...


class SharedSecret:
    """One secret that signs and verifies (HS256). The `kid` of a token means nothing here."""

    algorithms = (HMAC_ALGORITHM,)
    generation = 0

    def __init__(self, secret: str) -> None:
        key = base64url_encode(secret.encode()).decode()
        self._key = jwt.PyJWK({"kty": "oct", "k": key}, HMAC_ALGORITHM)

    async def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK:  # noqa: ARG002
        """The secret, for HS256 alone."""
        if algorithm != HMAC_ALGORITHM:
            raise UnknownKeyError
        return self._key


KeySet = Mapping[tuple[str | None, str], jwt.PyJWK]
"""Public keys by `kid` and algorithm."""


def parse_key_set(document: Any) -> KeySet:
    """The usable keys of a JWK Set (RFC 7517). Raises `ValueError` where it is none.

    Left out: secrets, private keys, keys for encryption, RSA keys below 2,048 bits, and whatever
    algorithm is not allowed here.
    """
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise ValueError("a JWK Set is an object with a list of keys")  # noqa: TRY004 - it is JSON
    found = {}
    for jwk in keys:
        if not isinstance(jwk, dict) or not _verifies(jwk):
            continue
        kid = jwk.get("kid")
        for algorithm in _algorithms(jwk):
            try:
                key = jwt.PyJWK(jwk, algorithm)
            except (jwt.PyJWTError, ValueError, TypeError, KeyError):
                continue
            if isinstance(key.key, RSAPublicKey) and key.key.key_size < _RSA_BITS:
                continue
            found[kid if isinstance(kid, str) else None, algorithm] = key
    return found


def _verifies(jwk: Mapping[str, Any]) -> bool:
    uses = jwk.get("use", "sig") == "sig" and "verify" in jwk.get("key_ops", ["verify"])
    return uses and "d" not in jwk and "k" not in jwk


def _algorithms(jwk: Mapping[str, Any]) -> tuple[str, ...]:
    fitting = _ALGORITHMS.get((str(jwk.get("kty")), jwk.get("crv")), ())
    declared = jwk.get("alg")
    return tuple(name for name in fitting if declared in (None, name))
