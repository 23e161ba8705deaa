"""The history of a user, as the family of the retrain document has it."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from trainyard_api.auth import Identity, Role, ViewerDep
from trainyard_api.cluster import UnavailableError
from trainyard_api.cluster.cache import ObjectCache
from trainyard_api.deps import DatabaseDep, JobsDep, ModelsDep
from trainyard_api.history import entries
from trainyard_api.history.views import HistoryEntry
from trainyard_api.http import paging
from trainyard_api.http.paging import Cursor, Limit
from trainyard_api.http.problems import FieldError, Problem, documented_failures, invalid

router = APIRouter(prefix="/api", tags=["audit"])


class History(BaseModel):
    """Past activities, newest first."""

    success: Literal[True] = True
    data: list[HistoryEntry]
    next_cursor: str | None = Field(description="Of the next page; null on the last one.")


@router.get(
    "/history",
    summary="View past analyses and retrainings",
    responses=documented_failures(
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)
async def history(
    *,
    identity: ViewerDep,
    database: DatabaseDep,
    jobs: JobsDep,
    models: ModelsDep,
    user: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=256,
            # Postgres takes no NUL in a text.
            pattern=r"^[^\x00]+$",
            description="For admins: whose history, by subject or by id.",
        ),
    ] = None,
    all_users: Annotated[
        bool, Query(alias="all", description="For admins: the history of everybody.")
    ] = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> History:
    """What you have asked for. An admin sees the history of others as well, when asking for it."""
    _allow(identity, user=user, all_users=all_users)
    before = paging.decode_moment(cursor)
    async with database.begin() as session:
        if all_users:
            users = None
        elif user is None:
            users = await entries.users_of_subject(session, identity.subject)
        else:
            users = await entries.users_named(session, user)
        found = await entries.entries(session, users=users, before=before, limit=limit + 1)
    page = found[:limit]
    runs = [run for entry in page for run in entry.runs]
    job_documents = _known(jobs, (run.run for run in runs))
    model_documents = _known(models, (run.model for run in runs))
    return History(
        data=[HistoryEntry.of(entry, jobs=job_documents, models=model_documents) for entry in page],
        next_cursor=paging.encode_moment(*page[-1].moment) if len(found) > limit else None,
    )


def _allow(identity: Identity, *, user: str | None, all_users: bool) -> None:
    """Raises `Problem`: 403 for the history of others, 422 for two wishes at once."""
    if user is None and not all_users:
        return
    if not identity.role.includes(Role.ADMIN):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            f"The history of others needs the role {Role.ADMIN}; leave out user and all "
            "to see your own.",
        )
    if user is not None and all_users:
        raise invalid([FieldError(field="user", message="does not go with all=true; give one")])


def _known(cache: ObjectCache[Any], names: Iterable[str]) -> Mapping[str, Mapping[str, Any]]:
    """What the cluster has under these names: nothing while it cannot be asked."""
    try:
        return {name: found for name in set(names) if (found := cache.get(name)) is not None}
    except UnavailableError:
        return {}
