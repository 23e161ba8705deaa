"""Who the API takes the caller for."""

from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from trainyard_api.auth import Role, ViewerDep
from trainyard_api.http.problems import documented

router = APIRouter(prefix="/api/v1", tags=["account"])


class Me(BaseModel):
    """The caller, as their token says."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"subject": "ada", "role": "admin"}]})

    subject: str
    role: Role


@router.get(
    "/me",
    summary="Show who you are",
    responses=documented(
        HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE
    ),
)
async def me(identity: ViewerDep) -> Me:
    """The subject and the role of the token that was sent."""
    return Me(subject=identity.subject, role=identity.role)
