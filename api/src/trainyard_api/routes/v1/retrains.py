"""Retrains: ask for one, look at those that were asked for."""

import uuid
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from trainyard_api.auth import Identity, Role, TrainerDep, ViewerDep
from trainyard_api.deps import DatabaseDep, RetrainingDep
from trainyard_api.http import paging
from trainyard_api.http.paging import Cursor, Limit, Page
from trainyard_api.http.problems import FieldError, Problem, documented, invalid
from trainyard_api.idempotency import IdempotentRoute
from trainyard_api.retraining import records
from trainyard_api.retraining.requests import LimitError, RetrainError, RetrainRequest, user_id
from trainyard_api.retraining.views import RetrainView
from trainyard_api.trainings.requests import ModelName

router = APIRouter(prefix="/api/v1", tags=["retraining"], route_class=IdempotentRoute)

_ALWAYS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "headers": {
            "Location": {"description": "Where its status is.", "schema": {"type": "string"}}
        }
    }
}
_LATER = "{0}; try again in {1} s"

RetrainId = Annotated[
    str,
    Path(
        pattern=r"^(retrain-)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        description="`id` or `job_id` of a retrain.",
        examples=["retrain-0b1c2d3e-4f5a-4b6c-8d7e-9f0a1b2c3d4e"],
    ),
]


class RetrainModel(BaseModel):
    """How to retrain."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"full": True}]})

    full: StrictBool = Field(
        default=False, description="true trains from scratch; false continues from the champion."
    )


@router.post(
    "/models/{model}/retrain",
    status_code=HTTPStatus.ACCEPTED,
    summary="Retrain a model",
    responses=_ACCEPTED
    | documented(
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.TOO_MANY_REQUESTS,
        *_ALWAYS,
    ),
)
async def retrain_model(
    *,
    model: Annotated[ModelName, Path(description="Name of the Model.", examples=["factors"])],
    response: Response,
    retraining: RetrainingDep,
    database: DatabaseDep,
    identity: TrainerDep,
    body: Annotated[RetrainModel | None, Body()] = None,
) -> RetrainView:
    """Ask a Model for a run, with the limits and the audit of POST /api/retrain."""
    full = body.full if body else False
    request = RetrainRequest(subject=identity.subject, model_type=model, full=full)
    try:
        started = await retraining.start(request)
    except RetrainError as error:
        raise Problem(HTTPStatus(error.status), str(error)) from error
    except LimitError as error:
        seconds = error.retry_after_seconds
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            _LATER.format(error, seconds),
            headers={"Retry-After": str(seconds)},
        ) from error
    response.headers["Location"] = f"/api/v1/retrains/{started.admitted.id}"
    async with database.begin() as session:
        record = await records.find(session, started.admitted.id)
    assert record is not None
    return RetrainView.of(record)


@router.get("/retrains", summary="List retrains", responses=documented(*_ALWAYS))
async def retrains(
    *,
    database: DatabaseDep,
    identity: ViewerDep,
    user: Annotated[
        str | None, Query(max_length=256, description="Only of this subject; for admins.")
    ] = None,
    everybody: Annotated[
        bool, Query(alias="all", description="Those of all users; for admins.")
    ] = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[RetrainView]:
    """Your own requests, the newest first, however they were made."""
    after = None if cursor is None else _position(cursor)
    whose = _whose(identity, user, everybody=everybody)
    async with database.begin() as session:
        found = await records.newest(session, user=whose, after=after, limit=limit + 1)
    items = [RetrainView.of(record) for record in found[:limit]]
    last = items[-1] if len(found) > limit else None
    return Page(
        items=items,
        next_cursor=paging.encode([last.created_at.isoformat(), str(last.id)]) if last else None,
    )


@router.get(
    "/retrains/{retrain_id}",
    summary="Show a retrain",
    responses=documented(HTTPStatus.NOT_FOUND, *_ALWAYS),
)
async def retrain(retrain_id: RetrainId, database: DatabaseDep, identity: ViewerDep) -> RetrainView:
    """Where it stands, with the run of each Model."""
    async with database.begin() as session:
        record = await records.find(session, uuid.UUID(retrain_id.removeprefix("retrain-")))
    # Of somebody else's nothing is told, nor that it is there.
    if record is None or not _may_see(identity, record.log.usuario_id):
        raise Problem(HTTPStatus.NOT_FOUND, f"There is no retrain {retrain_id} of yours.")
    return RetrainView.of(record)


def _may_see(identity: Identity, owner: uuid.UUID) -> bool:
    return identity.role.includes(Role.ADMIN) or owner == user_id(identity.subject)


def _whose(identity: Identity, user: str | None, *, everybody: bool) -> uuid.UUID | None:
    """Whose requests are listed; None: everybody's."""
    own = user_id(identity.subject)
    if user is not None:
        asked: uuid.UUID | None = user_id(user)
    else:
        asked = None if everybody else own
    if asked != own and not identity.role.includes(Role.ADMIN):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            f"The requests of others need the role {Role.ADMIN}; the token's role is "
            f"{identity.role}.",
        )
    return asked


def _position(cursor: str) -> tuple[datetime, uuid.UUID]:
    created, row = paging.decode(cursor, str, str)
    try:
        position = datetime.fromisoformat(created), uuid.UUID(row)
    except ValueError:
        position = None
    if position is None or position[0].tzinfo is None:
        raise invalid([FieldError(field="cursor", message="is none of this list; leave it out")])
    return position
