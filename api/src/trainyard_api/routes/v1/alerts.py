"""Alerts: what failed, and whether somebody heard of it."""

import uuid
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from trainyard_api.alerts import outbox
from trainyard_api.alerts.causes import AlertType
from trainyard_api.auth import AdminDep
from trainyard_api.database.tables import AlertState
from trainyard_api.deps import DatabaseDep, SettingsDep
from trainyard_api.http import paging
from trainyard_api.http.paging import Cursor, Limit, Page
from trainyard_api.http.problems import Problem, documented
from trainyard_api.idempotency import IdempotentRoute
from trainyard_api.trainings.views import View

router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"], route_class=IdempotentRoute)

_ALWAYS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


class AlertView(View):
    """An alert, and how far its delivery is."""

    id: uuid.UUID
    type: AlertType
    occurred_at: datetime
    data: dict[str, Any] = Field(description="As the webhook's receiver gets it.")
    created_at: datetime
    state: AlertState
    attempts: int = Field(description="Deliveries so far, since it was last asked for.")
    next_attempt_at: datetime | None = Field(description="Null unless it is pending.")
    ended_at: datetime | None = Field(description="When it was delivered or given up.")
    last_error: str | None = Field(description="What came of the latest delivery, if it failed.")

    @classmethod
    def of(cls, alert: Any) -> "AlertView":
        """The view of a row."""
        view = cls.model_validate(alert)
        pending = view.state is AlertState.PENDING
        return view if pending else view.model_copy(update={"next_attempt_at": None})


@router.get("", summary="List alerts", responses=documented(*_ALWAYS))
async def alerts(
    database: DatabaseDep,
    _: AdminDep,
    state: Annotated[AlertState | None, Query(description="Only those in this state.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[AlertView]:
    """Failures, the newest first. `state=dead` lists what no receiver has taken."""
    before = paging.decode_moment(cursor)
    async with database.begin() as session:
        found = await outbox.page(session, state=state, before=before, limit=limit + 1)
    page = found[:limit]
    return Page(
        items=[AlertView.of(alert) for alert in page],
        next_cursor=paging.encode_moment(page[-1].created_at, page[-1].id)
        if len(found) > limit
        else None,
    )


@router.post(
    "/{alert_id}/redeliver",
    summary="Deliver an alert once more",
    status_code=HTTPStatus.ACCEPTED,
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, *_ALWAYS),
)
async def redeliver(
    alert_id: Annotated[uuid.UUID, Path(description="Its `id`.")],
    database: DatabaseDep,
    settings: SettingsDep,
    _: AdminDep,
) -> AlertView:
    """Delivered at once, under the same `webhook-id`, with all its attempts anew.

    Whether it was dead, delivered or pending does not matter.
    """
    if settings.webhook_url is None:
        raise Problem(
            HTTPStatus.CONFLICT,
            "No webhook is configured; set TRAINYARD_API_WEBHOOK_URL and its secret first.",
        )
    async with database.begin() as session:
        alert = await outbox.redeliver(session, alert_id)
        if alert is not None:
            return AlertView.of(alert)
        found = await outbox.exists(session, alert_id)
    if found:
        raise Problem(HTTPStatus.CONFLICT, f"Alert {alert_id} is being delivered in this moment.")
    raise Problem(HTTPStatus.NOT_FOUND, f"There is no alert {alert_id}.")
