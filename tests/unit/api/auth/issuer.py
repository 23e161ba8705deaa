"""An issuer of tokens: private keys, and the JWK Set that it publishes."""

import json
import time
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER: Final = "https://id.example.com"

RSA_KEY: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY: Final = ec.generate_private_key(ec.SECP256R1())
ED_KEY: Final = ed25519.Ed25519PrivateKey.generate()


def public(key: Any, kid: str | None, **more: Any) -> dict[str, Any]:
    """The public half of a private key as a JWK."""
    return {**jwk(key.public_key()), **({"kid": kid} if kid else {}), "use": "sig", **more}


def jwk(key: Any) -> dict[str, Any]:
    for algorithm in (RSAAlgorithm, ECAlgorithm, OKPAlgorithm):
        try:
            document: dict[str, Any] = json.loads(algorithm.to_jwk(key))
        except (jwt.InvalidKeyError, AttributeError, TypeError):
            continue
        return document
    raise AssertionError(key)


def key_set(*keys: dict[str, Any]) -> dict[str, Any]:
    return {"keys": list(keys)}


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    # Some tokens are signed as tests are collected, minutes before the test.
    some = {"sub": "ada", "iss": ISSUER, "aud": "trainyard", "iat": now, "exp": now + 3600}
    return {**some, **changes}


def token(key: Any, algorithm: str, kid: str | None = None, **changes: Any) -> str:
    headers = changes.pop("headers", {}) | ({"kid": kid} if kid else {})
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers=headers)
