"""The dependencies by which a route says whom it serves."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Request, Security
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase

from trainyard_api.auth.keys import KeysUnavailableError
from trainyard_api.auth.roles import Identity, Role
from trainyard_api.auth.tokens import InvalidTokenError, NoRoleError, Verifier
from trainyard_api.http.problems import Problem, unavailable

_KEYS_RETRY_SECONDS: Final = 5


class Requires(SecurityBase):
    """Asks for a Bearer token whose subject has at least `role`.

    Raises `Problem`: 401 without a valid token, 403 without the role, 503 while no key is known.
    """

    # One dependency that is called with the request alone: this runs before every answer.

    def __init__(self, role: Role) -> None:
        self.role = role
        self.scheme_name = "Bearer"
        self.model = HTTPBearerModel(
            bearerFormat="JWT",
            description="`make token` prints a token. The roles viewer, trainer and admin come "
            "from a claim; each operation names the one it needs.",
        )

    async def __call__(self, request: Request) -> Identity:
        """The identity of who asks."""
        return self._check(await identify(request))

    def _check(self, identity: Identity) -> Identity:
        if not identity.role.includes(self.role):
            raise _forbidden(
                f"This needs the role {self.role}; the token's role is {identity.role}"
            )
        return identity


class RequiresUnlessOpen(Requires):
    """The same for the /train paths, which TRAIN_AUTH=open serves without a token.

    A token that is sent must be valid, and have the role, all the same.
    """

    async def __call__(self, request: Request) -> Identity | None:  # type: ignore[override]
        """The identity of who asks; None where no token is needed and none was sent."""
        if (
            request.app.state.settings.train_auth == "open"
            and "authorization" not in request.headers
        ):
            return None
        return self._check(await identify(request))


async def identify(request: Request) -> Identity:
    """Who asks, whatever they may do.

    Raises `Problem`: 401 without a valid token, 403 where it gives no role, 503 while no key is
    known.
    """
    verifier: Verifier = request.app.state.authenticator.verifier
    try:
        identity = await verifier.verify(_token(request))
    except InvalidTokenError as error:
        reason = str(error)
        raise _unauthorized(
            reason[0].upper() + reason[1:],
            challenge=f'Bearer error="invalid_token", error_description="{reason}"',
        ) from None
    except NoRoleError as error:
        raise _forbidden(str(error)) from None
    except KeysUnavailableError:
        raise unavailable(
            "The token cannot be verified: its issuer's keys could not be read yet; try again.",
            retry_after_seconds=_KEYS_RETRY_SECONDS,
        ) from None
    # For the request's line in the log.
    request.state.requester = identity.subject
    return identity


def _token(request: Request) -> str:
    headers = request.headers.getlist("authorization")
    if not headers:
        raise _unauthorized("A token is needed")
    if len(headers) > 1:
        raise _unauthorized("There is more than one Authorization header")
    scheme, _, token = headers[0].partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise _unauthorized("The Authorization header holds no Bearer token")
    return token


def _forbidden(reason: str) -> Problem:
    return Problem(HTTPStatus.FORBIDDEN, f"{reason[0].upper()}{reason[1:]}.")


def _unauthorized(detail: str, *, challenge: str = "Bearer") -> Problem:
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        f"{detail}; send `Authorization: Bearer <token>` (`make token` prints one)",
        headers={"WWW-Authenticate": challenge},
    )


# The scopes say the role in OpenAPI's `security`, as 3.1 lets schemes other than OAuth do.
ViewerDep = Annotated[Identity, Security(Requires(Role.VIEWER), scopes=[Role.VIEWER])]
TrainerDep = Annotated[Identity, Security(Requires(Role.TRAINER), scopes=[Role.TRAINER])]
AdminDep = Annotated[Identity, Security(Requires(Role.ADMIN), scopes=[Role.ADMIN])]
TrainViewerDep = Annotated[
    Identity | None, Security(RequiresUnlessOpen(Role.VIEWER), scopes=[Role.VIEWER])
]
TrainTrainerDep = Annotated[
    Identity | None, Security(RequiresUnlessOpen(Role.TRAINER), scopes=[Role.TRAINER])
]
