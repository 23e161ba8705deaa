"""What feedback there is on a model."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field

from trainyard_api.auth import ViewerDep
from trainyard_api.deps import DatabaseDep, StoreDep
from trainyard_api.feedback import summary
from trainyard_api.http import paging
from trainyard_api.http.paging import Cursor, Limit, Page
from trainyard_api.http.problems import documented
from trainyard_api.trainings.requests import ModelName
from trainyard_api.trainings.views import View

router = APIRouter(prefix="/api/v1/models/{model}/feedback", tags=["feedback"])


class VersionFeedback(View):
    """All feedback on one version."""

    version: str
    model_type: str
    uri: str = Field(
        description="What a training takes as its data: this feedback, and that on other versions "
        "with the same columns."
    )
    rows: int
    unwritten: int = Field(description="Rows that are not in the object store yet.")
    predicted: int = Field(description="Rows that tell what was predicted.")
    accuracy: float | None = Field(
        description="Share of these whose prediction came true; null: there are none, or the "
        "version predicts numbers."
    )
    mean_absolute_error: float | None = Field(
        description="Of the predictions; null: there are none, or the version predicts classes."
    )
    first_at: datetime
    last_at: datetime


@router.get(
    "",
    summary="Show how right predictions were",
    responses=documented(
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)
async def feedback(
    model: Annotated[ModelName, Path(description="Name of the model.", examples=["churn"])],
    database: DatabaseDep,
    store: StoreDep,
    _: ViewerDep,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[VersionFeedback]:
    """By version, the latest first: rows of feedback, where they are, and how many predictions came
    true of those that were told.
    """
    before = None if cursor is None else paging.decode(cursor, str, str)
    async with database.begin() as session:
        found = await summary.of_versions(session, model)
    if before is not None:
        found = [one for one in found if (one.version, one.model_type) < before]
    page = found[:limit]
    return Page(
        items=[
            VersionFeedback(
                version=one.version,
                model_type=one.model_type,
                uri=store.bucket.uri(one.object_key.rpartition("/")[0] + "/"),
                rows=one.rows,
                unwritten=one.unwritten,
                predicted=one.predicted,
                accuracy=one.accuracy,
                mean_absolute_error=one.mean_absolute_error,
                first_at=one.first_at,
                last_at=one.last_at,
            )
            for one in page
        ],
        next_cursor=(
            paging.encode((page[-1].version, page[-1].model_type)) if len(found) > limit else None
        ),
    )
