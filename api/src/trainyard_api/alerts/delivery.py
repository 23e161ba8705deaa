"""Empties the outbox: one delivery at a time in each replica, retries, and the end of them."""

import asyncio
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import text

from trainyard_api.alerts import outbox
from trainyard_api.alerts.webhook import Reply, Webhook, body_of, identifier_of, is_gone
from trainyard_api.database import Database, DatabaseUnavailableError
from trainyard_api.database.tables import Alert, AlertState
from trainyard_api.metrics import Metrics

log = structlog.get_logger()

_IDLE_SECONDS: Final = 1.0
_AWAY_SECONDS: Final = 5.0
_FIRST_PAUSE_SECONDS: Final = 5.0
_LONGEST_PAUSE_SECONDS: Final = 12 * 3600.0
# Postgres ends a transaction that idles; one that delivers may, for as long as that may take.
_PATIENCE: Final = "SET LOCAL idle_in_transaction_session_timeout = '30s'"


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of an alert after a delivery."""

    state: AlertState
    pause_seconds: float = 0.0
    """Until the next delivery of one that is pending."""


def decide(reply: Reply, *, attempt: int, attempts: int, luck: float) -> Decision:
    """What to do after the `attempt`th delivery, the first being 1.

    Pauses double from 5 s on up to 12 h: 15 attempts take about a day. `luck`, from 0 to 1, makes
    a pause up to a quarter shorter or longer. A receiver's Retry-After is kept to.
    """
    if reply.delivered:
        return Decision(AlertState.DELIVERED)
    if is_gone(reply) or attempt >= attempts:
        return Decision(AlertState.DEAD)
    pause = _FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1) * (0.75 + 0.5 * luck)
    pause = max(pause, reply.retry_after_seconds)
    return Decision(AlertState.PENDING, min(pause, _LONGEST_PAUSE_SECONDS))


class Deliverer:
    """One of as many as there are replicas."""

    def __init__(
        self, database: Database, webhook: Webhook, metrics: Metrics, *, attempts: int
    ) -> None:
        self._database = database
        self._webhook = webhook
        self._metrics = metrics
        self._attempts = attempts

    async def run(self) -> None:
        """For ever: no failure ends it."""
        while True:
            try:
                if not await self.deliver_next():
                    await asyncio.sleep(_IDLE_SECONDS)
            except DatabaseUnavailableError:
                # What was being delivered is so again: at least once.
                await asyncio.sleep(_AWAY_SECONDS)
            except Exception:
                log.exception("delivering an alert failed")
                await asyncio.sleep(_AWAY_SECONDS)

    async def deliver_next(self) -> bool:
        """Deliver one alert. Whether there was one.

        The row is locked meanwhile, so that nobody else delivers it; a replica that is killed
        leaves it as it was. Raises `DatabaseUnavailableError`.
        """
        async with self._database.begin() as session:
            await session.execute(text(_PATIENCE))
            alert = await outbox.next_due(session)
            if alert is None:
                return False
            reply = await self._webhook.post(identifier_of(alert), body_of(alert))
            self._settle(alert, reply)
            return True

    def _settle(self, alert: Alert, reply: Reply) -> None:
        alert.attempts += 1
        decision = decide(
            reply,
            attempt=alert.attempts,
            attempts=self._attempts,
            luck=random.random(),  # noqa: S311 - no secret
        )
        alert.state = decision.state
        alert.last_error = reply.error
        if decision.state is AlertState.PENDING:
            pause = timedelta(seconds=decision.pause_seconds)
            alert.next_attempt_at = outbox.now() + pause
        else:
            alert.ended_at = outbox.now()
        if not reply.delivered:
            self._metrics.alert_failures.inc()
            log.warning(
                "an alert was not delivered",
                alert=str(alert.id),
                attempt=alert.attempts,
                state=str(decision.state),
                status=reply.status,
            )
