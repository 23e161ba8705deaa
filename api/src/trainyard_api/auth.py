"""Who is asking: Bearer tokens, JWT with HS256."""

from http import HTTPStatus
from typing import Annotated, Final

import jwt
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from trainyard_api.deps import SettingsDep
from trainyard_api.problems import Problem
from trainyard_api.settings import Settings

ALGORITHM: Final = "HS256"
_LEEWAY_SECONDS = 10
_SUBJECT_LENGTH = 256

_bearer = HTTPBearer(
    bearerFormat="JWT", auto_error=False, description="`make token` prints a token."
)


_EXPLANATIONS: Final = {
    jwt.ExpiredSignatureError: "the token has expired",
    jwt.ImmatureSignatureError: "the token is not valid yet",
    jwt.InvalidAudienceError: "the token is for another audience",
    jwt.InvalidIssuerError: "the token comes from another issuer",
    jwt.InvalidAlgorithmError: f"the token is not signed with {ALGORITHM}",
    jwt.InvalidSignatureError: "the token's signature does not fit",
}


class InvalidTokenError(Exception):
    """The token proves nothing. The message says why, without repeating the token."""


def verify(token: str, settings: Settings) -> str:
    """The subject of a valid token. Raises `InvalidTokenError`."""
    try:
        claims = jwt.decode(
            token,
            settings.jwt_secret.get_secret_value(),
            algorithms=[ALGORITHM],
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            leeway=_LEEWAY_SECONDS,
            options={"require": ["exp", "iat", "sub", "aud", "iss"]},
        )
    except jwt.InvalidTokenError as error:
        raise InvalidTokenError(_explain(error)) from None
    subject: str = claims["sub"]
    if not subject or len(subject) > _SUBJECT_LENGTH or not subject.isprintable():
        raise InvalidTokenError(f"sub must be 1 to {_SUBJECT_LENGTH} printable characters")
    return subject


def _explain(error: jwt.InvalidTokenError) -> str:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"the token lacks the claim {error.claim}"
    for kind, explanation in _EXPLANATIONS.items():
        if isinstance(error, kind):
            return explanation
    return "the token is malformed"


def _unauthorized(detail: str, *, challenge: str = "Bearer") -> Problem:
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        f"{detail}; send `Authorization: Bearer <token>` (`make token` prints one)",
        headers={"WWW-Authenticate": challenge},
    )


async def requester(
    request: Request,
    settings: SettingsDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> str | None:
    """Who asks: the token's subject; None where no token is needed and none was sent."""
    if credentials is None:
        if "authorization" in request.headers:
            raise _unauthorized("The Authorization header holds no Bearer token")
        if settings.train_auth == "open":
            return None
        raise _unauthorized("A token is needed")
    try:
        subject = verify(credentials.credentials, settings)
    except InvalidTokenError as error:
        reason = str(error)
        raise _unauthorized(
            reason[0].upper() + reason[1:],
            challenge=f'Bearer error="invalid_token", error_description="{reason}"',
        ) from None
    # For the request's line in the log.
    request.state.requester = subject
    return subject


RequesterDep = Annotated[str | None, Depends(requester)]
