"""Takes keys from the queue, has them reconciled, and decides when a failure is tried again."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from trainyard_controller import log as logs
from trainyard_controller.errors import ConflictError, UnavailableError
from trainyard_controller.metrics import RECONCILE_SECONDS
from trainyard_controller.objects import CustomObject, Key
from trainyard_controller.workqueue import QueueClosed, WorkQueue

TIMEOUT_SECONDS = 120.0

log = structlog.get_logger(__name__)


async def work(
    kind: str,
    queue: WorkQueue[Key],
    reconcile: Callable[[Key], Awaitable[None]],
    find: Callable[[Key], CustomObject | None],
) -> None:
    """Reconcile one key after another, until the queue is closed.

    Whatever is logged meanwhile has the object's reference; its uid is the one that `find` knows.
    """
    while True:
        try:
            key = await queue.get()
        except QueueClosed:
            return
        started = time.monotonic()
        found = find(key)
        try:
            with logs.about(kind, key, None if found is None else found.uid):
                result = await _attempt(queue, reconcile, key)
        finally:
            queue.done(key)
        RECONCILE_SECONDS.labels(kind, result).observe(time.monotonic() - started)


async def _attempt(
    queue: WorkQueue[Key], reconcile: Callable[[Key], Awaitable[None]], key: Key
) -> str:
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await reconcile(key)
    except ConflictError:
        queue.retry(key)
        return "conflict"
    except UnavailableError as error:
        delay = queue.retry(key, at_least=error.retry_after or 0.0)
        log.warning("not available", error=str(error), retry_in=round(delay, 1))
        return "unavailable"
    except Exception:
        delay = queue.retry(key)
        log.exception("reconcile failed", retry_in=round(delay, 1))
        return "error"
    queue.succeeded(key)
    return "ok"
