"""Tokens of an OpenID Connect issuer, which is a real HTTP server here."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from ...control_plane import free_ports, wait_for
from .conftest import Server, Start

pytestmark = pytest.mark.component

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwk(key: rsa.RSAPrivateKey, kid: str) -> dict[str, Any]:
    public: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
    return {**public, "kid": kid, "use": "sig"}


class Issuer:
    """Counts who asks for which path."""

    def __init__(self) -> None:
        (self.port,) = free_ports(1)
        self.asked: list[str] = []
        self.keys = {"keys": [jwk(KEY, "one")]}
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                if self.path == "/moved":
                    self.send_response(302)
                    self.send_header("Location", "/keys")
                    self.end_headers()
                    return
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(issuer.keys).encode())

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    issuer.start()
    yield issuer
    issuer.stop()


def start_with(start: Start, issuer: Issuer, path: str = "/keys") -> Server:
    return start(
        JWT_SECRET=None,
        JWT_JWKS_URL=issuer.url + path,
        JWT_ISSUER="https://id.example.com",
        JWT_AUDIENCE="api",
        JWT_ROLE_CLAIM="realm_access.roles",
        JWT_DEFAULT_ROLE="none",
    )


def sign(key: Any = KEY, *, kid: str = "one", algorithm: str = "RS256", **changes: Any) -> str:
    now = int(time.time())
    headers = {"kid": kid, **changes.pop("headers", {})}
    claims = {"sub": "ada", "iss": "https://id.example.com", "aud": "api", "iat": now}
    claims |= {"exp": now + 600, "realm_access": {"roles": ["offline_access", "trainer"]}}
    return jwt.encode({**claims, **changes}, key, algorithm=algorithm, headers=headers)


async def me(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})


async def test_a_storm_an_outage_and_an_attacker(start: Start, issuer: Issuer) -> None:
    attacker = Issuer()
    attacker.keys = {"keys": [jwk(OTHER, "mine")]}
    attacker.start()
    server = start_with(start, issuer)
    async with server.client() as client:
        answer = await me(client, sign())
        assert answer.json() == {"subject": "ada", "role": "trainer"}
        assert issuer.asked == ["/keys"]

        # 300 tokens with keys that do not exist: the issuer has just been asked.
        storm = await asyncio.gather(*(me(client, sign(OTHER, kid=str(n))) for n in range(300)))
        assert {answer.status_code for answer in storm} == {401}
        assert issuer.asked == ["/keys"]

        # Where to find the attacker's key is told by the token, and is not listened to.
        for kid in ("mine", "one"):
            for header in ("jku", "x5u"):
                headers = {header: f"{attacker.url}/keys"}
                assert (await me(client, sign(OTHER, kid=kid, headers=headers))).status_code == 401
            brought = {"jwk": jwk(OTHER, kid)}
            assert (await me(client, sign(OTHER, kid=kid, headers=brought))).status_code == 401
        assert attacker.asked == []

        for role, status in (("viewer", 200), ("root", 403)):
            answer = await me(client, sign(realm_access={"roles": [role]}))
            assert answer.status_code == status
        assert (await me(client, sign(realm_access=None))).status_code == 403

        issuer.stop()
        assert (await me(client, sign(sub="grace"))).json()["subject"] == "grace"
    attacker.stop()


async def test_an_issuer_that_comes_later(start: Start) -> None:
    issuer = Issuer()
    server = start_with(start, issuer)
    async with server.client() as client:
        answer = await me(client, sign())
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        issuer.start()
        async with asyncio.timeout(20):
            while (await me(client, sign())).status_code == 503:  # noqa: ASYNC110 - a process
                await asyncio.sleep(0.2)
        assert (await me(client, sign())).status_code == 200
    issuer.stop()


async def test_a_redirect_is_not_followed(start: Start, issuer: Issuer) -> None:
    server = start_with(start, issuer, "/moved")
    async with server.client() as client:
        assert (await me(client, sign())).status_code == 503
    wait_for("the log tells", lambda: _tells(server, "the issuer answers 302"))
    assert set(issuer.asked) == {"/moved"}


def _tells(server: Server, text: str) -> bool:
    return any(text in str(line.get("error")) for line in server.lines())


async def test_what_is_refused(start: Start, issuer: Issuer) -> None:
    server = start_with(start, issuer)
    forged = {
        "no algorithm": sign(None, algorithm="none"),
        "a secret": sign("x" * 64, algorithm="HS256"),
        "another digest": sign(KEY, algorithm="RS384"),
        "another key": sign(OTHER),
        "expired": sign(exp=1_700_000_000),
        "not yet valid": sign(nbf=int(time.time()) + 3600),
        "another audience": sign(aud="another"),
        "almost the issuer": sign(iss="https://id.example.com/"),
    }
    async with server.client() as client:
        assert (await me(client, sign())).status_code == 200
        for why, token in forged.items():
            answer = await me(client, token)
            assert answer.status_code == 401, why
            assert token not in answer.text
