"""Bearer tokens for the API, signed with the secret that the chart generated."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

import jwt

ISSUER = AUDIENCE = "trainyard"


class Role(StrEnum):
    """What a token can say of its bearer."""

    VIEWER = "viewer"
    TRAINER = "trainer"
    ADMIN = "admin"


def sign(
    secret: str,
    *,
    subject: str,
    role: Role | None = None,
    lifetime: timedelta = timedelta(hours=12),
) -> str:
    """A JWT (HS256) that says who calls the API; without a role, the release's default holds."""
    now = datetime.now(UTC)
    claims: dict[str, str | datetime] = {
        "sub": subject,
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + lifetime,
    }
    if role:
        claims["role"] = role.value
    return jwt.encode(claims, secret, algorithm="HS256")
