"""The keys of an issuer: when it is asked, and what becomes of its answers."""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.utils import base64url_encode
from trainyard_api.auth.jwks import Jwks
from trainyard_api.auth.keys import KeysUnavailableError, UnknownKeyError
from trainyard_api.auth.roles import Identity, Role
from trainyard_api.auth.tokens import InvalidTokenError, Verifier

from . import issuer


class Issuer:
    """Answers with a document or an error, and counts."""

    def __init__(self) -> None:
        self.answer: Any = issuer.key_set(issuer.public(issuer.RSA_KEY, "one"))
        self.asked = 0
        self.is_asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()
        self.now = 1000.0

    async def __call__(self) -> Any:
        self.asked += 1
        self.is_asked.set()
        await self.answers.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def clock(self) -> float:
        return self.now


@pytest.fixture
def source() -> Issuer:
    return Issuer()


@pytest.fixture
def jwks(source: Issuer) -> Jwks:
    return Jwks(source, clock=source.clock)


@pytest.fixture
def verifier(jwks: Jwks) -> Verifier:
    return Verifier(
        jwks, issuer=issuer.ISSUER, audience="trainyard", role_claim="role", default_role=None
    )


async def refused(jwks: Jwks, kid: str | None, algorithm: str = "RS256") -> None:
    with pytest.raises(UnknownKeyError):
        await jwks.find(kid, algorithm)


async def test_known_keys_are_not_asked_for(jwks: Jwks, source: Issuer) -> None:
    for _ in range(10):
        await jwks.find("one", "RS256")
        await jwks.find("one", "PS256")
    assert source.asked == 1


async def test_a_storm_of_unknown_keys_asks_once_a_minute(jwks: Jwks, source: Issuer) -> None:
    await jwks.find("one", "RS256")
    for minute in range(1, 4):
        source.now += 60
        await asyncio.gather(*(refused(jwks, f"{minute}-{number}") for number in range(500)))
        for number in range(100):
            source.now += 0.5
            await refused(jwks, f"{minute}-{number}-again")
        source.now -= 50
        assert source.asked == 1 + minute
    # Those who have a key are served all the while.
    await jwks.find("one", "RS256")


async def test_those_who_come_while_it_is_asked_wait_for_that_answer(
    jwks: Jwks, source: Issuer
) -> None:
    source.answers.clear()
    waiting = [asyncio.create_task(jwks.find("one", "RS256")) for _ in range(100)]
    await source.is_asked.wait()
    # The one who asked first goes away; the others get their key all the same.
    waiting[0].cancel()
    source.answers.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert all(isinstance(key, jwt.PyJWK) for key in found[1:])
    assert source.asked == 1


async def test_a_new_key_is_found_and_a_withdrawn_one_refused(jwks: Jwks, source: Issuer) -> None:
    await jwks.find("one", "RS256")
    before = jwks.generation
    source.answer = issuer.key_set(issuer.public(issuer.EC_KEY, "two"))
    source.now += 60
    await jwks.find("two", "ES256")
    assert jwks.generation == before + 1
    await refused(jwks, "one")
    source.answer = issuer.key_set()
    source.now += 60
    await refused(jwks, "three")
    await refused(jwks, "two", "ES256")


@pytest.mark.parametrize(
    "answer", [TimeoutError(), OSError("refused"), ValueError("500"), {"keys": 1}, RecursionError()]
)
async def test_an_issuer_that_is_down_takes_no_key_away(
    jwks: Jwks, source: Issuer, answer: Any
) -> None:
    await jwks.find("one", "RS256")
    source.answer = answer
    for _ in range(5):
        source.now += 61
        await refused(jwks, "two")
        await jwks.find("one", "RS256")
    assert source.asked == 6
    assert jwks.generation == 1


async def test_before_the_first_answer_nothing_is_said_about_a_token(
    jwks: Jwks, source: Issuer
) -> None:
    good, source.answer = source.answer, OSError("refused")
    for _ in range(20):
        with pytest.raises(KeysUnavailableError):
            await jwks.find("one", "RS256")
    assert source.asked == 1
    source.answer = good
    source.now += 5
    await jwks.find("one", "RS256")


async def test_without_a_kid_only_the_only_key(jwks: Jwks, source: Issuer) -> None:
    await jwks.find(None, "RS256")
    source.answer = issuer.key_set(
        issuer.public(issuer.RSA_KEY, "one"), issuer.public(issuer.RSA_KEY, "two")
    )
    source.now += 60
    await refused(jwks, "three")
    await refused(jwks, None)


@pytest.fixture
async def entered(jwks: Jwks) -> AsyncIterator[Jwks]:
    async with jwks:
        yield jwks


async def test_keys_are_read_at_the_start_and_the_task_ends(entered: Jwks, source: Issuer) -> None:
    async with asyncio.timeout(5):
        await source.is_asked.wait()
    await entered.find("one", "RS256")
    assert source.asked == 1


@pytest.mark.parametrize(
    ("key", "algorithm", "jwk"),
    [
        (issuer.RSA_KEY, "RS256", issuer.public(issuer.RSA_KEY, "k")),
        (issuer.RSA_KEY, "PS256", issuer.public(issuer.RSA_KEY, "k")),
        (issuer.EC_KEY, "ES256", issuer.public(issuer.EC_KEY, "k")),
        (issuer.ED_KEY, "EdDSA", issuer.public(issuer.ED_KEY, "k")),
    ],
)
async def test_tokens_of_an_issuer(
    verifier: Verifier, source: Issuer, key: Any, algorithm: str, jwk: dict[str, Any]
) -> None:
    source.answer = issuer.key_set(jwk)
    token = issuer.token(key, algorithm, "k", role=["viewer"])
    assert await verifier.verify(token) == Identity("ada", Role.VIEWER)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (issuer.token(None, "none", "one", role="admin"), "not signed with"),
        (issuer.token("x" * 40, "HS256", "one", role="admin"), "not signed with RS256 or PS256"),
        (issuer.token(issuer.RSA_KEY, "RS512", "one", role="admin"), "not signed with"),
        (issuer.token(issuer.EC_KEY, "ES256", "one", role="admin"), "does not publish"),
        (issuer.token(issuer.RSA_KEY, "RS256", "two", role="admin"), "does not publish"),
        (issuer.token(issuer.RSA_KEY, "RS256", "one", iss="trainyard"), "another issuer"),
        (issuer.token(issuer.RSA_KEY, "RS256", "one", aud="another"), "another audience"),
        (issuer.token(issuer.RSA_KEY, "RS256", "one", exp=1_700_000_000), "expired"),
    ],
)
async def test_tokens_that_are_refused(verifier: Verifier, token: str, reason: str) -> None:
    with pytest.raises(InvalidTokenError, match=reason):
        await verifier.verify(token)


@pytest.mark.parametrize("header", ["jku", "x5u", "jwk", "x5c"])
async def test_keys_that_a_token_brings_along_are_not_looked_at(
    verifier: Verifier, source: Issuer, header: str
) -> None:
    """The attacker's key, under the kid of a key that is known and under one that is not."""
    mine = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    brought: Any = {
        "jku": "http://127.0.0.1:1/keys",
        "x5u": "http://127.0.0.1:1/cert",
        "jwk": issuer.public(mine, "mine"),
        "x5c": ["MIIB"],
    }[header]
    for kid, reason in (("one", "signature"), ("mine", "does not publish")):
        token = issuer.token(mine, "RS256", kid, role="admin", headers={header: brought})
        with pytest.raises(InvalidTokenError, match=reason):
            await verifier.verify(token)
    # None was fetched but the issuer's own.
    assert source.asked == 1


async def test_a_public_key_is_no_secret(verifier: Verifier, source: Issuer) -> None:
    """The HS/RS confusion: what everybody may read, taken for the secret of an HMAC."""
    pem = issuer.RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = base64url_encode(json.dumps({"alg": "HS256", "kid": "one"}).encode())
    body = base64url_encode(json.dumps(issuer.claims(role="admin")).encode())
    for secret in (pem, pem.strip(), json.dumps(source.answer["keys"][0]).encode()):
        signature = hmac.digest(secret, head + b"." + body, "sha256")
        forged = b".".join((head, body, base64url_encode(signature))).decode()
        with pytest.raises(InvalidTokenError, match="not signed with RS256"):
            await verifier.verify(forged)


async def test_a_withdrawn_key_is_refused_to_remembered_tokens_too(
    verifier: Verifier, source: Issuer
) -> None:
    token = issuer.token(issuer.RSA_KEY, "RS256", "one", role="admin")
    await verifier.verify(token)
    source.answer = issuer.key_set(issuer.public(issuer.EC_KEY, "two"))
    source.now += 60
    await verifier.verify(issuer.token(issuer.EC_KEY, "ES256", "two", role="viewer"))
    with pytest.raises(InvalidTokenError, match="does not publish"):
        await verifier.verify(token)
