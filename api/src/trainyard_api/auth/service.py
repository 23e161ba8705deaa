"""The service token: how a backend that was written for POST /retrain says who it is."""

import base64
import binascii
import hmac
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBase as HTTPBaseModel
from fastapi.security.base import SecurityBase

from trainyard_api.http.problems import Problem
from trainyard_api.settings import Settings


class RequiresServiceToken(SecurityBase):
    """Asks for the service token, as Bearer or as the password of HTTP Basic.

    The latter is what PYTHON_SERVICE_URL=http://trainyard:TOKEN@host:8000 sends. Whatever is wrong
    is answered alike (401), also where no service token is configured.
    """

    def __init__(self) -> None:
        self.scheme_name = "ServiceToken"
        self.model = HTTPBaseModel(
            scheme="basic",
            description="TRAINYARD_API_SERVICE_TOKEN as the password, with any user name; or sent "
            "as `Authorization: Bearer <token>`.",
        )

    async def __call__(self, request: Request) -> None:
        """Raises `Problem` (401)."""
        settings: Settings = request.app.state.settings
        expected = settings.service_token
        given = _given(request)
        if (
            expected is None
            or given is None
            or not hmac.compare_digest(given, expected.get_secret_value().encode())
        ):
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "The service token is needed, as Bearer token or as the password of HTTP Basic",
                headers={"WWW-Authenticate": 'Basic realm="trainyard"'},
            )


def _given(request: Request) -> bytes | None:
    headers = request.headers.getlist("authorization")
    if len(headers) != 1:
        return None
    scheme, _, credentials = headers[0].partition(" ")
    match scheme.lower():
        case "bearer":
            return credentials.strip().encode()
        case "basic":
            try:
                pair = base64.b64decode(credentials.strip(), validate=True)
            except (binascii.Error, ValueError):
                return None
            return pair.partition(b":")[2]
        case _:
            return None


ServiceDep = Annotated[None, Depends(RequiresServiceToken())]
