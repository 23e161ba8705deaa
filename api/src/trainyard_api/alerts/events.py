"""The Kubernetes Events of failed retrainings, on their Models."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from trainyard_schema import names

from trainyard_api.alerts import outbox
from trainyard_api.cluster import (
    AlreadyExistsError,
    Cluster,
    Document,
    RefusedError,
    UnavailableError,
)
from trainyard_api.cluster.cache import ObjectCache
from trainyard_api.database import Database, DatabaseUnavailableError
from trainyard_api.database.tables import Alert

log = structlog.get_logger()

REASON: Final = "RetrainFailed"
_COMPONENT: Final = "trainyard-api"
_MESSAGE_LENGTH: Final = 1024
_IDLE_SECONDS: Final = 2.0
_AWAY_SECONDS: Final = 15.0


def build_event(alert: Alert, model: Document, run: dict[str, Any], now: datetime) -> Document:
    """The Event on a Model. Its name follows from the retraining: it shows once."""
    metadata = model["metadata"]
    retrain = alert.data["retrain_id"]
    why = run["message"] or alert.data["message"] or "no reason is known"
    time = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{names.slug(metadata['name'], 200)}.{retrain.replace('-', '')[:16]}",
            "namespace": metadata["namespace"],
        },
        "involvedObject": {
            "apiVersion": names.API_VERSION,
            "kind": names.MODEL_KIND,
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
        },
        "type": "Warning",
        "reason": REASON,
        "message": f"retraining {retrain}, run {run['run']}: {why}"[:_MESSAGE_LENGTH],
        "source": {"component": _COMPONENT},
        "reportingComponent": _COMPONENT,
        "reportingInstance": _COMPONENT,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }


class Announcer:
    """One of as many as there are replicas. The alert is the record; an Event is a courtesy."""

    def __init__(
        self, database: Database, cluster: Cluster, models: ObjectCache[dict[str, Any]]
    ) -> None:
        self._database = database
        self._cluster = cluster
        self._models = models

    async def run(self) -> None:
        """For ever: no failure ends it."""
        while True:
            try:
                if not await self.announce_next():
                    await asyncio.sleep(_IDLE_SECONDS)
            except (DatabaseUnavailableError, UnavailableError):
                await asyncio.sleep(_AWAY_SECONDS)
            except Exception:
                log.exception("announcing a failed retraining failed")
                await asyncio.sleep(_AWAY_SECONDS)

    async def announce_next(self) -> bool:
        """Post the Events of one alert. Whether there was one to announce.

        Raises `DatabaseUnavailableError`, `UnavailableError`.
        """
        async with self._database.begin() as session:
            alert = await outbox.next_unannounced(session)
            if alert is None:
                return False
            for event in list(self._events(alert)):
                await self._post(event)
            alert.announced_at = outbox.now()
            return True

    def _events(self, alert: Alert) -> Iterator[Document]:
        for run in alert.data["runs"]:
            model = self._models.get(run["model"])
            # Of one that is gone there is nothing to describe.
            if model is not None:
                yield build_event(alert, model, run, datetime.now(UTC))

    async def _post(self, event: Document) -> None:
        try:
            await self._cluster.post_event(event)
        except AlreadyExistsError:
            # By a replica that was killed right after.
            pass
        except RefusedError as error:
            log.warning("event not posted", name=event["metadata"]["name"], error=str(error))
