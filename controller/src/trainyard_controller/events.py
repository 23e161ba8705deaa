"""Posting of Events. The status is the record; an Event is a courtesy."""

from collections.abc import Iterable
from datetime import datetime

import structlog

from trainyard_controller.announce import Announcement, Subject, build_event
from trainyard_controller.errors import ApiError
from trainyard_controller.kube import Api

log = structlog.get_logger(__name__)


async def post_events(
    api: Api, subject: Subject, announced: Iterable[Announcement], now: datetime, *, instance: str
) -> None:
    """Post an Event for each announcement. One that is not taken is logged, and not tried again."""
    for one in announced:
        try:
            await api.create_event(
                subject.namespace, build_event(subject, one, now, instance=instance)
            )
        except ApiError as error:
            log.warning("event not posted", error=str(error))
