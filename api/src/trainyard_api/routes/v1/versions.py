"""The versions of a model, and how it came to its champion: read from the object store."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime
from trainyard_schema import ModelType
from trainyard_schema.names import VERSION_PATTERN

from trainyard_api.auth import ViewerDep
from trainyard_api.deps import StoreDep
from trainyard_api.http import paging
from trainyard_api.http.paging import Cursor, Limit, Page
from trainyard_api.http.problems import Problem, documented
from trainyard_api.store.versions import public_files, sort_key
from trainyard_api.trainings.requests import ModelName
from trainyard_api.trainings.views import AvailableModel
from trainyard_api.versions import history as histories
from trainyard_api.versions.comparison import Comparison
from trainyard_api.versions.evidence import evidence, find, verdict_of
from trainyard_api.versions.views import TransitionView, VersionDetails

router = APIRouter(prefix="/api/v1/models/{model}", tags=["versions"])

_ALWAYS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)

Model = Annotated[ModelName, Path(description="Name of the model.", examples=["churn"])]
VersionName = Annotated[str, Path(pattern=VERSION_PATTERN, examples=["20261123T141920Z-03fcd70a"])]


@router.get("/versions", summary="List the versions of a model", responses=documented(*_ALWAYS))
async def versions(
    model: Model,
    store: StoreDep,
    _: ViewerDep,
    model_type: Annotated[ModelType | None, Query(description="Only of this type.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[AvailableModel]:
    """Versions whose upload is complete (they have a manifest), the newest first."""
    keys = await store.keys(model=model, model_type=model_type)
    if cursor is not None:
        position = paging.decode(cursor, str, str, str)
        keys = [key for key in keys if sort_key(key) < position]
    page = await store.read(keys[:limit])
    more = len(keys) > limit
    return Page(
        items=[AvailableModel.of(version) for version in page],
        next_cursor=paging.encode(sort_key(keys[limit - 1])) if more else None,
    )


@router.get(
    "/versions/{version}",
    summary="Show a version",
    responses=documented(HTTPStatus.NOT_FOUND, *_ALWAYS),
)
async def version(
    model: Model, version: VersionName, store: StoreDep, _: ViewerDep
) -> VersionDetails:
    """What it was trained from, how good it is, its files, and the gate's verdict."""
    stored = await find(store, model, version)
    return VersionDetails.with_verdict(stored, await verdict_of(store, stored.key))


_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        "headers": {
            "ETag": {"description": "SHA-256, as in the manifest.", "schema": {"type": "string"}}
        },
    }
}


@router.get(
    "/versions/{version}/files/{file}",
    summary="Read a file of a version",
    response_class=StreamingResponse,
    responses=_FILE | documented(HTTPStatus.NOT_FOUND, *_ALWAYS),
)
async def file(
    model: Model,
    version: VersionName,
    file: Annotated[
        str,
        Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=128, examples=["model-card.md"]),
    ],
    store: StoreDep,
    _: ViewerDep,
) -> Response:
    """A file that the manifest names, the manifest, or `verdict.json`."""
    stored = await find(store, model, version)
    found = await store.file(stored.key, file) if file in public_files(stored.manifest) else None
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"Version {version} of {model} has no file {file}.")
    size, chunks = found
    named = {one.name: one for one in stored.manifest.files} if stored.manifest else {}
    headers = {
        "Content-Length": str(size),
        "Content-Disposition": f'attachment; filename="{file}"',
        # An SVG that somebody else wrote must not run as a page of this host.
        "Content-Security-Policy": "sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    if file in named:
        headers["ETag"] = f'"{named[file].sha256}"'
    return StreamingResponse(chunks, media_type="application/octet-stream", headers=headers)


@router.get(
    "/compare",
    summary="Compare two versions",
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, *_ALWAYS),
)
async def compare(
    model: Model,
    store: StoreDep,
    _: ViewerDep,
    version: Annotated[
        list[Annotated[str, Query(pattern=VERSION_PATTERN)]],
        Query(min_length=2, max_length=2, description="Give it twice."),
    ],
) -> Comparison:
    """Metrics side by side with their intervals, verdicts and slices, and what differs in data and
    hyperparameters. `holdout` says whether both were measured on the same rows.
    """
    first, second = [await evidence(store, model, one) for one in version]
    return Comparison.of(first, second)


@router.get("/history", summary="List who became champion when", responses=documented(*_ALWAYS))
async def history(
    model: Model,
    store: StoreDep,
    _: ViewerDep,
    at: Annotated[
        AwareDatetime | None,
        Query(
            description="Only what happened until then: the first item has the champion of that "
            "time.",
            examples=["2026-11-23T09:00:00Z"],
        ),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[TransitionView]:
    """The transitions of the Model, the latest first; kept when the Model is deleted."""
    before = None if cursor is None else paging.decode(cursor, int)[0]
    found, more = await histories.transitions(store, model, before=before, at=at, limit=limit)
    return Page(
        items=[histories.view(one) for one in found],
        next_cursor=paging.encode([found[-1].number]) if more else None,
    )
