"""What `helm test` runs: the API answers, asks for a token, and sees cluster, store and database.

Where an issuer signs the tokens, what needs one is left out.
"""

# ruff: noqa: S310, T201 - a script, whose one URL the chart gives

import json
import os
import time
import urllib.error
import urllib.request

import jwt

API_URL = os.environ["API_URL"]
PATIENCE_SECONDS = 60


def get(path: str, token: str = "") -> tuple[int, bytes]:
    """Answer a GET with its HTTP status and body."""
    request = urllib.request.Request(API_URL + path)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def expect(path: str, status: int, token: str = "") -> bytes:
    """Ask until the answer has this status, for a minute at most."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            answer, body = get(path, token)
        except OSError as error:
            answer, body = 0, str(error).encode()
        if answer == status:
            print(f"GET {path}: {status}", flush=True)
            return body
        if time.monotonic() > deadline:
            raise SystemExit(f"GET {path}: {answer} instead of {status}: {body.decode()}")
        time.sleep(1)


expect("/healthz", 200)
expect("/readyz", 200)
expect("/api/v1/me", 401)
expect("/train/jobs", 401 if os.environ["TRAIN_AUTH"] == "jwt" else 200)

if secret := os.environ.get("JWT_SECRET"):
    now = int(time.time())
    claims = {
        "sub": "helm-test",
        "iss": os.environ["JWT_ISSUER"],
        "aud": os.environ["JWT_AUDIENCE"],
        "iat": now,
        "exp": now + 300,
        os.environ["JWT_ROLE_CLAIM"]: "viewer",
    }
    token = jwt.encode(claims, secret, algorithm="HS256")
    me = json.loads(expect("/api/v1/me", 200, token))
    if me != {"subject": "helm-test", "role": "viewer"}:
        raise SystemExit(f"GET /api/v1/me takes the test for {me}")
    expect("/train/jobs", 200, token)
    json.loads(expect("/train/models/available", 200, token))
    json.loads(expect("/api/v1/retrains", 200, token))
