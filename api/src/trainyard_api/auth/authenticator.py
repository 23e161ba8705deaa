"""The application's one verifier, made from its settings."""

from types import TracebackType
from typing import Self

from trainyard_api.auth.jwks import Jwks, fetch_over_http
from trainyard_api.auth.keys import SharedSecret
from trainyard_api.auth.roles import Role
from trainyard_api.auth.tokens import Verifier
from trainyard_api.settings import Settings


class Authenticator:
    """A verifier and, with an issuer, the task that keeps its keys. Entered by the lifespan."""

    def __init__(self, settings: Settings) -> None:
        self._jwks = None
        keys: SharedSecret | Jwks
        if settings.jwt_secret is not None:
            keys = SharedSecret(settings.jwt_secret.get_secret_value())
        else:
            assert settings.jwt_jwks_url is not None
            keys = self._jwks = Jwks(fetch_over_http(settings.jwt_jwks_url))
        default = settings.jwt_default_role
        self.verifier = Verifier(
            keys,
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            role_claim=settings.jwt_role_claim,
            default_role=None if default == "none" else Role(default),
        )

    async def __aenter__(self) -> Self:
        if self._jwks is not None:
            await self._jwks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._jwks is not None:
            await self._jwks.__aexit__(kind, error, traceback)
