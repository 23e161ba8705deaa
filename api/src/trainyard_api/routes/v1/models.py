"""Models as resources: list, show, create, delete."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from trainyard_schema.spec import ModelTypeOrAll

from trainyard_api.auth import AdminDep, ViewerDep
from trainyard_api.cluster import AlreadyExistsError, NotFoundError
from trainyard_api.deps import ModelObjectsDep, ModelsDep, SettingsDep
from trainyard_api.http import paging
from trainyard_api.http.paging import Cursor, Limit, Page
from trainyard_api.http.problems import Problem, documented
from trainyard_api.idempotency import IdempotentRoute
from trainyard_api.models.creating import NewModel, model_manifest
from trainyard_api.models.deciding import find_model
from trainyard_api.models.views import ModelView, is_retrainable
from trainyard_api.trainings.requests import ModelName

router = APIRouter(prefix="/api/v1/models", tags=["models"], route_class=IdempotentRoute)

ALWAYS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_CREATED: dict[int | str, dict[str, Any]] = {
    201: {"headers": {"Location": {"description": "Where it is.", "schema": {"type": "string"}}}}
}

Name = Annotated[ModelName, Path(description="Name of the Model.", examples=["churn"])]


@router.get("", summary="List Models", responses=documented(*ALWAYS))
async def list_models(
    *,
    models: ModelsDep,
    _: ViewerDep,
    model_type: Annotated[
        ModelTypeOrAll | None, Query(description="Only those that train this type.")
    ] = None,
    retrainable: Annotated[
        bool | None, Query(description="Only those that POST /api/retrain of all means, or not.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[ModelView]:
    """What is retrained, the newest first: when, from what, and which version is the champion."""
    position = None if cursor is None else paging.decode(cursor, str, str)
    matching = (
        one
        for one in models.all()
        if (position is None or _age(one) < position)
        and (model_type is None or one["spec"]["template"]["spec"]["modelType"] == model_type)
        and (retrainable is None or is_retrainable(one) == retrainable)
    )
    found = sorted(matching, key=_age, reverse=True)
    more = len(found) > limit
    return Page(
        items=[ModelView.of(one) for one in found[:limit]],
        next_cursor=paging.encode(_age(found[limit - 1])) if more else None,
    )


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    summary="Create a Model",
    responses=_CREATED
    | documented(
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.CONFLICT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        *ALWAYS,
    ),
)
async def create(
    body: NewModel,
    response: Response,
    models: ModelObjectsDep,
    settings: SettingsDep,
    identity: AdminDep,
) -> ModelView:
    """As `kubectl apply` would, from the same spec. It runs when it is due, or is asked."""
    manifest = model_manifest(body, settings.namespace, requester=identity.subject)
    try:
        created = await models.create(manifest)
    except AlreadyExistsError:
        raise Problem(HTTPStatus.CONFLICT, f"There is a Model {body.name} already.") from None
    response.headers["Location"] = f"/api/v1/models/{body.name}"
    return ModelView.of(created)


@router.delete(
    "/{model}",
    status_code=HTTPStatus.NO_CONTENT,
    summary="Delete a Model",
    responses=documented(HTTPStatus.NOT_FOUND, *ALWAYS),
)
async def delete(model: Name, models: ModelObjectsDep, _: AdminDep) -> None:
    """Its TrainingJobs go with it, and their pods.

    Versions, champion and history stay in the object store: a Model of the same name takes them
    up again.
    """
    try:
        await models.delete(model)
    except NotFoundError:
        raise Problem(HTTPStatus.NOT_FOUND, f"There is no Model {model}.") from None


@router.get("/{model}", summary="Show a Model", responses=documented(HTTPStatus.NOT_FOUND, *ALWAYS))
async def show(model: Name, models: ModelObjectsDep, _: ViewerDep) -> ModelView:
    """Its champion, what awaits approval, and what became of requests."""
    return ModelView.of(await find_model(models, model))


def _age(model: dict[str, Any]) -> tuple[str, str]:
    # RFC 3339 in UTC sorts as text; the name decides within a second.
    return model["metadata"]["creationTimestamp"], model["metadata"]["name"]
