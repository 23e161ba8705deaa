"""Bearer tokens: who they stand for, and how one is signed."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from trainyard_client.cli.errors import CommandError

ISSUER: Final = "trainyard"
AUDIENCE: Final = "trainyard"
LIFETIME: Final = timedelta(hours=12)
_LEAST_BYTES: Final = 32


def sign(
    secret: str,
    *,
    subject: str,
    role: str | None = None,
    lifetime: timedelta = LIFETIME,
    issuer: str = ISSUER,
    audience: str = AUDIENCE,
    role_claim: str = "role",
) -> str:
    """A JWT (HS256) for `subject`. `role_claim` may be a dotted path, as the API's setting."""
    import jwt  # noqa: PLC0415 - it is slow to import, and one command needs it

    if len(secret.encode()) < _LEAST_BYTES:
        raise CommandError(f"The secret has less than {_LEAST_BYTES} bytes: the API takes no such.")
    now = datetime.now(UTC)
    claims: dict[str, Any] = {
        "sub": subject,
        "iss": issuer,
        "aud": audience,
        "iat": now,
        "exp": now + lifetime,
    }
    if role:
        *folders, name = role_claim.split(".")
        place = claims
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = role
    return jwt.encode(claims, secret, algorithm="HS256")


def claims_of(token: str) -> Mapping[str, Any]:
    """What a token says. Nothing of it is verified: that is the API's to do."""
    import jwt  # noqa: PLC0415

    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise CommandError(f"This token is no JWT: {error}") from error
    return claims
