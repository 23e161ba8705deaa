"""Bearer tokens for the API, signed with the secret that the chart generated."""

from datetime import UTC, datetime, timedelta

import jwt

ISSUER = AUDIENCE = "trainyard"


def sign(secret: str, *, subject: str, lifetime: timedelta = timedelta(hours=12)) -> str:
    """A JWT (HS256) that says who calls the API."""
    now = datetime.now(UTC)
    claims = {
        "sub": subject,
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + lifetime,
    }
    return jwt.encode(claims, secret, algorithm="HS256")
