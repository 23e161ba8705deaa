"""Tokens that are signed with the secret (HS256), and what is remembered of them."""

import base64
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from trainyard_api.auth import Authenticator, Identity, Role
from trainyard_api.auth.keys import SharedSecret
from trainyard_api.auth.tokens import InvalidTokenError, Verifier
from trainyard_api.settings import Settings

Sign = Callable[..., str]


async def verify(token: str, settings: Settings) -> Identity:
    return await Authenticator(settings).verifier.verify(token)


async def test_a_good_token_tells_who_asks(settings: Settings, sign: Sign) -> None:
    assert await verify(sign(sub="ada"), settings) == Identity("ada", Role.TRAINER)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": 1_700_000_000}, "expired"),
        ({"iat": int(time.time()) + 3600}, "not valid yet"),
        ({"nbf": int(time.time()) + 3600}, "not valid yet"),
        ({"aud": "another"}, "another audience"),
        ({"iss": "another"}, "another issuer"),
        ({"secret": "another-secret-of-sufficient-length-0123"}, "signature"),
        ({"algorithm": "HS512"}, "not signed with HS256"),
        ({"algorithm": "none", "secret": ""}, "not signed with HS256"),
        ({"sub": None}, "lacks the claim sub"),
        ({"exp": None}, "lacks the claim exp"),
        ({"iat": None}, "lacks the claim iat"),
        ({"aud": None}, "lacks the claim aud"),
        ({"iss": None}, "lacks the claim iss"),
        ({"sub": ""}, "sub must be"),
        ({"sub": "ada\nroot"}, "sub must be"),
        ({"sub": "a" * 257}, "sub must be"),
    ],
)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_a_bad_token_is_refused(
    settings: Settings, sign: Sign, claims: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InvalidTokenError, match=reason):
        await verify(sign(**claims), settings)


async def test_a_token_of_a_private_key_is_refused(settings: Settings, sign: Sign) -> None:
    claims = jwt.decode(sign(), options={"verify_signature": False})
    key = generate_private_key(public_exponent=65537, key_size=2048)
    with pytest.raises(InvalidTokenError, match="not signed with HS256"):
        await verify(jwt.encode(claims, key, algorithm="RS256"), settings)


@pytest.mark.parametrize("opening", [b"[", b'{"alg":', b'{"alg":{"a":'])
async def test_a_head_of_many_levels(settings: Settings, opening: bytes) -> None:
    head = base64.urlsafe_b64encode(opening * (4000 // len(opening))).decode().rstrip("=")
    with pytest.raises(InvalidTokenError, match="malformed"):
        await verify(f"{head}.e30.e30", settings)


@pytest.mark.parametrize("alg", ['["HS256"]', '{"a": 1}', "null", "true", '"hs256"', '"HS256 "'])
async def test_an_algorithm_of_another_shape(settings: Settings, alg: str) -> None:
    head = base64.urlsafe_b64encode(b'{"alg": %s}' % alg.encode()).decode().rstrip("=")
    with pytest.raises(InvalidTokenError, match="not signed with HS256"):
        await verify(f"{head}.e30.e30", settings)


async def test_a_token_of_no_reasonable_length(settings: Settings) -> None:
    with pytest.raises(InvalidTokenError, match="more than 8192 characters"):
        await verify("a" * 8193, settings)


class TestRemembering:
    """A token is verified once, for as long as it is valid."""

    @pytest.fixture
    def verifier(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Verifier:
        return Authenticator(settings).verifier

    @pytest.fixture
    def decoded(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        seen: list[str] = []
        decode = jwt.decode

        def counting(token: str, *arguments: Any, **options: Any) -> Any:
            seen.append(token)
            return decode(token, *arguments, **options)

        monkeypatch.setattr(jwt, "decode", counting)
        return seen

    async def test_once(self, verifier: Verifier, sign: Sign, decoded: list[str]) -> None:
        token = sign()
        for _ in range(3):
            await verifier.verify(token)
        assert decoded == [token]

    async def test_no_longer_than_it_is_valid(
        self, verifier: Verifier, sign: Sign, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = sign()
        await verifier.verify(token)
        # PyJWT reads datetime.now, so only what is remembered is made older here.
        monkeypatch.setattr(time, "time", lambda: jwt_expiry(token) + 1)
        monkeypatch.setattr(SharedSecret, "algorithms", ())
        with pytest.raises(InvalidTokenError):
            await verifier.verify(token)

    async def test_a_token_that_was_changed_is_another_one(
        self, verifier: Verifier, sign: Sign
    ) -> None:
        token = sign()
        await verifier.verify(token)
        for changed in (token[:-4] + "AAAA", token + ".", token[1:]):
            with pytest.raises(InvalidTokenError):
                await verifier.verify(changed)

    async def test_refusals_are_not_remembered(
        self, verifier: Verifier, sign: Sign, decoded: list[str]
    ) -> None:
        token = sign(aud="another")
        for _ in range(2):
            with pytest.raises(InvalidTokenError):
                await verifier.verify(token)
        assert len(decoded) == 2

    async def test_the_oldest_are_forgotten(
        self, verifier: Verifier, sign: Sign, decoded: list[str]
    ) -> None:
        first = sign(sub="first")
        await verifier.verify(first)
        for number in range(1024):
            await verifier.verify(sign(sub=str(number)))
        await verifier.verify(first)
        assert decoded.count(first) == 2


def jwt_expiry(token: str) -> int:
    claims = jwt.decode(token, options={"verify_signature": False})
    return int(claims["exp"])
