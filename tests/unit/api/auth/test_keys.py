from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from trainyard_api.auth.keys import SharedSecret, UnknownKeyError, parse_key_set

from . import issuer

OCTETS = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"


def test_what_each_type_of_key_may_verify() -> None:
    keys = parse_key_set(
        issuer.key_set(
            issuer.public(issuer.RSA_KEY, "rsa"),
            issuer.public(issuer.EC_KEY, "ec"),
            issuer.public(issuer.ED_KEY, "ed"),
            issuer.public(issuer.RSA_KEY, "pss", alg="PS256"),
            issuer.public(issuer.EC_KEY, None),
        )
    )
    assert set(keys) == {
        ("rsa", "RS256"),
        ("rsa", "PS256"),
        ("ec", "ES256"),
        ("ed", "EdDSA"),
        ("pss", "PS256"),
        (None, "ES256"),
    }


LEFT_OUT: dict[str, Any] = {
    "symmetric": {"kty": "oct", "kid": "a", "k": OCTETS},
    "symmetric-as-rsa": {"kty": "oct", "kid": "a", "k": OCTETS, "alg": "RS256"},
    "private": issuer.jwk(issuer.RSA_KEY) | {"kid": "a"},
    "for-encryption": issuer.public(issuer.RSA_KEY, "a", use="enc"),
    "for-signing": issuer.public(issuer.RSA_KEY, "a", key_ops=["sign"]),
    "rsa-as-hs256": issuer.public(issuer.RSA_KEY, "a", alg="HS256"),
    "rsa-as-rs512": issuer.public(issuer.RSA_KEY, "a", alg="RS512"),
    "rsa-as-none": issuer.public(issuer.RSA_KEY, "a", alg="none"),
    "rsa-as-es256": issuer.public(issuer.RSA_KEY, "a", alg="ES256"),
    "short-modulus": issuer.public(issuer.RSA_KEY, "a", n="AQAB"),
    "modulus-as-number": issuer.public(issuer.RSA_KEY, "a", n=7),
    "rsa-as-ec": issuer.public(issuer.RSA_KEY, "a", kty="EC"),
    "point-not-on-curve": issuer.public(issuer.EC_KEY, "a", x="AAAA"),
    "point-of-another-curve": issuer.public(issuer.EC_KEY, "a", crv="P-384"),
    "secp384r1": issuer.public(ec.generate_private_key(ec.SECP384R1()), "a"),
    "secp256k1": issuer.public(ec.generate_private_key(ec.SECP256K1()), "a"),
    "ed448": issuer.public(ed448.Ed448PrivateKey.generate(), "a"),
    "rsa-1024": issuer.public(rsa.generate_private_key(public_exponent=65537, key_size=1024), "a"),
    "type-in-a-list": {"kty": ["RSA"], "kid": "a"},
    "no-type": {"kid": "a"},
    "empty": {},
    "text": "text",
    "null": None,
}


@pytest.mark.parametrize("jwk", LEFT_OUT.values(), ids=LEFT_OUT)
def test_keys_that_are_left_out(jwk: Any) -> None:
    good = issuer.public(issuer.EC_KEY, "good")
    assert set(parse_key_set(issuer.key_set(jwk, good))) == {("good", "ES256")}


@pytest.mark.parametrize("document", [None, [], "keys", {}, {"keys": {}}, {"keys": "text"}])
def test_what_is_no_key_set(document: Any) -> None:
    with pytest.raises(ValueError, match="a JWK Set is"):
        parse_key_set(document)


async def test_a_secret_is_for_one_algorithm() -> None:
    keys = SharedSecret("for-these-tests-only-0123456789-abcdef")
    key = await keys.find("any", "HS256")
    assert isinstance(key, jwt.PyJWK)
    for algorithm in ("HS384", "RS256", "none", ""):
        with pytest.raises(UnknownKeyError):
            await keys.find(None, algorithm)
