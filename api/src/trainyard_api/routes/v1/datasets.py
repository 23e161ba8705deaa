"""Datasets: upload, list, show."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from trainyard_api.auth import TrainerDep, ViewerDep
from trainyard_api.datasets.receiving import receive, request_body
from trainyard_api.datasets.records import DATASET_ID, PREFIX, Dataset
from trainyard_api.datasets.service import sort_key
from trainyard_api.deps import DatasetsDep, SettingsDep
from trainyard_api.http import paging
from trainyard_api.http.paging import Cursor, Limit, Page
from trainyard_api.http.problems import Problem, documented

router = APIRouter(prefix="/api/v1/datasets", tags=["datasets"])

_ALWAYS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
UPLOAD_ERRORS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    *_ALWAYS,
)
UploadName = Annotated[
    str | None,
    Query(
        max_length=63,
        description="Name of the dataset; a body that is no form needs it. Lower-case letters, "
        "digits, `-`, `_` and `.`.",
        examples=["customers"],
    ),
]
_CREATED: dict[int | str, dict[str, Any]] = {
    200: {"model": Dataset, "description": "These bytes were there already: the same dataset."},
    201: {
        "headers": {"Location": {"description": "Where it is shown.", "schema": {"type": "string"}}}
    },
}


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    summary="Upload a dataset",
    responses=_CREATED | documented(*UPLOAD_ERRORS),
    openapi_extra=request_body(),
)
async def upload(
    *,
    request: Request,
    response: Response,
    datasets: DatasetsDep,
    settings: SettingsDep,
    identity: TrainerDep,
    name: UploadName = None,
) -> Dataset:
    """CSV, CSV with gzip, or Parquet, as the body or as the file of a form.

    The whole table is read before it is announced; one that could not be trained on is refused
    (422), and nothing of it stays. The same bytes are the same dataset, whatever they are called.
    """
    dataset, created = await receive(
        request,
        datasets,
        name=name,
        max_bytes=settings.upload_max_bytes,
        uploaded_by=identity.subject,
    )
    if not created:
        response.status_code = HTTPStatus.OK
    response.headers["Location"] = f"/api/v1/datasets/{dataset.id}"
    return dataset


@router.get("", summary="List datasets", responses=documented(*_ALWAYS))
async def list_datasets(
    *,
    datasets: DatasetsDep,
    _: ViewerDep,
    name: Annotated[
        str | None, Query(max_length=63, description="Only those of this name.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Dataset]:
    """Those that were uploaded here, the newest first."""
    position = None if cursor is None else paging.decode(cursor, str, str)
    records = [
        one
        for one in await datasets.records()
        if (position is None or sort_key(one) < position)
        and (name is None or one.key.startswith(f"{PREFIX}{name}/"))
    ]
    page = await datasets.read(records[:limit])
    more = len(records) > limit
    return Page(
        items=[one for one in page if one is not None],
        next_cursor=paging.encode(sort_key(records[limit - 1])) if more else None,
    )


@router.get(
    "/{dataset_id}",
    summary="Show a dataset",
    responses=documented(HTTPStatus.NOT_FOUND, *_ALWAYS),
)
async def dataset(
    dataset_id: Annotated[str, Path(pattern=DATASET_ID, examples=["0" * 64])],
    datasets: DatasetsDep,
    _: ViewerDep,
) -> Dataset:
    """Its columns, its rows, and the URI to train on."""
    found = await datasets.get(dataset_id)
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"There is no dataset {dataset_id}.")
    return found
