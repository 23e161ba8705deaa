"""The log is one JSON object a line, whoever writes what to us; and it holds no secret."""

import asyncio
import base64
import json
import re

import httpx
import pytest

from ...control_plane import wait_for
from .conftest import PASSWORD, SECRET, SERVICE_TOKEN, Server, Start, token
from .test_sockets import head, talk

pytestmark = pytest.mark.component

FORGED = '{"event":"forged","level":"info"}'
_ENCODED = "".join(f"%{byte:02x}" for byte in f"\n{FORGED}\n".encode())
_TARGETS = [
    f"/train/status/a{_ENCODED}",
    f"/a{_ENCODED}",
    "/train/status/%1b%5b2J%1b%5b31mred",
    "/%e2%80%ae%e2%80%a8%c2%85",
    "/%ff%fe%00",
    f"/train/jobs?token={SECRET}{_ENCODED}",
    f"/train/jobs?model={_ENCODED}",
]
_HEADERS = [
    f"User-Agent: a{FORGED}",
    "User-Agent: \x1b[31mred",
    "User-Agent: a\x85b\xa0",
    f"X-Request-ID: {FORGED}",
    "X-Request-ID: \x1b[31mred",
    "X-Request-ID: a b",
    f"X-Forwarded-For: {FORGED}",
    f"Host: {FORGED}",
    f"Referer: http://api/?token={SECRET}",
    f"Cookie: session={SECRET}",
    f"Authorization: Bearer {FORGED}",
    f"Authorization: {FORGED}",
    f"Authorization: Bearer {SERVICE_TOKEN}",
    f"Idempotency-Key: {FORGED}",
    f"Content-Type: {FORGED}",
]
_SUBJECTS = ["ada\n" + FORGED, "\x1b[31mred", "a\u2028b", "a\u202eb", "a\x00", " ", "a\u0085b"]


async def test_nothing_can_be_written_into_it(server: Server) -> None:
    bearer = f"Authorization: Bearer {token()}"
    for target in _TARGETS:
        await talk(server, head(f"GET {target} HTTP/1.1", bearer))
    for header in _HEADERS:
        await talk(server, head("POST /train/xgboost HTTP/1.1", header, "Content-Length: 0"))
    async with server.client() as client:
        for subject in _SUBJECTS:
            signed = {"Authorization": f"Bearer {token(sub=subject)}"}
            await client.get(f"/train/status/{len(subject)}", headers=signed)
        await client.get("/api/v1/me", headers={"Authorization": f"Bearer {token(sub='é ö')}"})

    for line in server.lines():
        assert line["event"] != "forged"
    written = server.log.read_bytes()
    # No control character but the end of a line: a terminal shows it as it is.
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", written)
    assert "\u202e" not in written.decode()
    assert "\u2028" not in written.decode()
    requesters = {line.get("requester") for line in server.lines()}
    assert requesters <= {None, "ada", "é ö", " "}
    assert "é ö" in requesters


async def test_every_answer_has_a_request_id_of_a_fixed_shape(server: Server) -> None:
    async with server.client() as client:
        for given in ("fine-1.2_3", "a b", FORGED, "a" * 65):
            answer = await client.get("/healthz", headers={"X-Request-ID": given})
            assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", answer.headers["x-request-id"])


async def test_no_secret_is_in_it(start: Start) -> None:
    server = start()
    good, expired = token(), token(exp=1_700_000_000)
    basic = base64.b64encode(f"trainyard:{SERVICE_TOKEN}".encode()).decode()
    headers = [
        f"Bearer {good}",
        f"Bearer {expired}",
        f"Bearer {good[:-2]}AA",
        f"Bearer {SERVICE_TOKEN}",
        f"Basic {basic}",
        SECRET,
    ]
    async with server.client() as client:
        for header in headers:
            for method, path in (
                ("GET", "/train/jobs"),
                ("POST", "/train/xgboost"),
                ("GET", "/train/models/available"),
                ("POST", "/retrain"),
                ("GET", f"/api/v1/me?access_token={good}"),
                ("GET", "/readyz"),
            ):
                answer = await client.request(method, path, headers={"Authorization": header})
                _holds_none(answer, [SECRET, PASSWORD, SERVICE_TOKEN, good, expired])
    # Until the cluster and the database were missed.
    wait_for("requests are in the log", lambda: len(server.lines()) > 30)
    server.process.terminate()
    await asyncio.to_thread(server.process.wait, 30)
    written = server.log.read_text()
    for secret in (SECRET, PASSWORD, SERVICE_TOKEN, good, expired, basic):
        assert secret not in written
        # Nor the part of a token that says who and until when.
        assert secret.split(".")[-1] not in written
    assert any("database" in line["event"] for line in server.lines())


def _holds_none(answer: httpx.Response, secrets: list[str]) -> None:
    told = answer.text + json.dumps(dict(answer.headers))
    for secret in secrets:
        assert secret not in told
