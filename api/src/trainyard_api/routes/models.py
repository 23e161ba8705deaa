"""The trained models."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from trainyard_schema import ModelType

from trainyard_api.auth import TrainViewerDep
from trainyard_api.deps import StoreDep
from trainyard_api.http.problems import documented
from trainyard_api.trainings.requests import ModelName
from trainyard_api.trainings.views import AvailableModel, AvailableModels

router = APIRouter(prefix="/train/models", tags=["models"])


@router.get(
    "/available",
    summary="List the trained models",
    responses=documented(
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)
async def available(
    store: StoreDep,
    _: TrainViewerDep,
    model: Annotated[ModelName | None, Query(description="Only of this name.")] = None,
    model_type: Annotated[ModelType | None, Query(description="Only of this type.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="At most so many.")] = 50,
) -> AvailableModels:
    """Versions whose upload is complete (they have a manifest), the newest first."""
    versions, total = await store.newest(model=model, model_type=model_type, limit=limit)
    return AvailableModels(models=[AvailableModel.of(version) for version in versions], total=total)
