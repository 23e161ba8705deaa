"""Decisions about a Model's champion."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from trainyard_schema.names import VERSION_PATTERN

from trainyard_api.auth import AdminDep
from trainyard_api.deps import ModelObjectsDep, StoreDep
from trainyard_api.http.problems import documented
from trainyard_api.idempotency import IdempotentRoute
from trainyard_api.models.deciding import decide
from trainyard_api.models.objects import Models
from trainyard_api.models.requests import Decision
from trainyard_api.routes.v1.models import ALWAYS, Name
from trainyard_api.store import ModelStore
from trainyard_api.trainings.views import View

router = APIRouter(prefix="/api/v1/models", tags=["models"], route_class=IdempotentRoute)

_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "headers": {
            "Location": {
                "description": "Where the answer shows in `requests`.",
                "schema": {"type": "string"},
            }
        }
    }
}
_DECIDING = _ACCEPTED | documented(
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    *ALWAYS,
)

Version = Annotated[
    str,
    Field(pattern=VERSION_PATTERN, max_length=64, examples=["20261123T141920Z-03fcd70a"]),
]
# Printable: it becomes part of an annotation, and of what the history tells.
Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=200, pattern=r"^[^\p{C}]*$")
]


class _Decided(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Rollback(_Decided):
    """Why to go back."""

    reason: Reason | None = Field(default=None, examples=["calls went up"])


class OfVersion(_Decided):
    """Which version it is about."""

    version: Version


class PromotionRequest(OfVersion):
    """Which version to make the champion, and why."""

    reason: Reason | None = None


class Accepted(View):
    """A decision that stands on the Model; the operator answers it within seconds."""

    id: str = Field(description="Of the request, as GET of the Model shows it.", examples=["req-1"])
    model: str
    decision: Decision
    version: str | None


@router.post(
    "/{model}/promote",
    status_code=HTTPStatus.ACCEPTED,
    summary="Make a version the champion",
    responses=_DECIDING,
)
async def promote(
    *,
    model: Name,
    body: PromotionRequest,
    response: Response,
    models: ModelObjectsDep,
    store: StoreDep,
    identity: AdminDep,
) -> Accepted:
    """Any whole version of the model that is in the object store."""
    return await _decide(
        response, models, store, model, "promote", body.version, body.reason, identity.subject
    )


@router.post(
    "/{model}/approve",
    status_code=HTTPStatus.ACCEPTED,
    summary="Approve a candidate",
    responses=_DECIDING,
)
async def approve(
    *,
    model: Name,
    body: OfVersion,
    response: Response,
    models: ModelObjectsDep,
    store: StoreDep,
    identity: AdminDep,
) -> Accepted:
    """Make a version the champion that awaits approval."""
    return await _decide(
        response, models, store, model, "approve", body.version, None, identity.subject
    )


@router.post(
    "/{model}/reject",
    status_code=HTTPStatus.ACCEPTED,
    summary="Turn a candidate down",
    responses=_DECIDING,
)
async def reject(
    *,
    model: Name,
    body: OfVersion,
    response: Response,
    models: ModelObjectsDep,
    store: StoreDep,
    identity: AdminDep,
) -> Accepted:
    """It awaits approval no more; the champion stays."""
    return await _decide(
        response, models, store, model, "reject", body.version, None, identity.subject
    )


@router.post(
    "/{model}/rollback",
    status_code=HTTPStatus.ACCEPTED,
    summary="Go back to the previous champion",
    responses=_DECIDING,
)
async def rollback(
    *,
    model: Name,
    response: Response,
    models: ModelObjectsDep,
    store: StoreDep,
    identity: AdminDep,
    body: Annotated[Rollback | None, Body()] = None,
) -> Accepted:
    """Nothing is trained or copied; a second rollback undoes the first."""
    reason = body.reason if body else None
    return await _decide(response, models, store, model, "rollback", None, reason, identity.subject)


async def _decide(  # noqa: PLR0917 - one line at each route
    response: Response,
    models: Models,
    store: ModelStore,
    model: str,
    decision: Decision,
    version: str | None,
    reason: str | None,
    by: str,
) -> Accepted:
    request_id = await decide(models, store, model, decision, version=version, reason=reason, by=by)
    response.headers["Location"] = f"/api/v1/models/{model}"
    return Accepted(id=request_id, model=model, decision=decision, version=version)
