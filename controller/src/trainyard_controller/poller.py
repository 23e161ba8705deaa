"""Asks running trainers how far they are."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
import structlog
from pydantic import ValidationError
from trainyard_schema import ModelType, names
from trainyard_schema.run import RunProgress

from trainyard_controller import log as logs
from trainyard_controller.cache import Cache
from trainyard_controller.objects import Document, Key, owner_uid, utc_now
from trainyard_controller.progress import SILENCE_SECONDS, Heard
from trainyard_controller.workqueue import WorkQueue

TIMEOUT = aiohttp.ClientTimeout(total=2)
CONCURRENCY = 50
_MAX_BYTES = 64 * 1024

log = structlog.get_logger(__name__)


@dataclass
class _Trainer:
    """What is known of the trainer of a running pod."""

    since: float
    """When it was heard last, or else first looked for, by the monotonic clock."""
    heard: Heard | None = None
    silent: bool = False


class ProgressPoller:
    """Keeps the latest word of each running trainer, and has a key reconciled when one has moved,
    or has not been heard for `SILENCE_SECONDS`, or is heard again.

    A trainer that cannot be reached is no error: its pod may be starting or ending.
    """

    def __init__(
        self,
        cache: Cache,
        queue: WorkQueue[Key],
        *,
        interval: float,
        silence: float = SILENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = cache
        self._queue = queue
        self._interval = interval
        self._silence = silence
        self._clock = clock
        self._limit = asyncio.Semaphore(CONCURRENCY)
        self._trainers: dict[str, _Trainer] = {}

    def heard(self, pod_list: list[Document]) -> dict[ModelType, Heard]:
        """The latest words of these pods' trainers by model type."""
        found = (trainer.heard for trainer in self._of(pod_list))
        return {heard.report.model_type: heard for heard in found if heard is not None}

    def silent(self, pod_list: list[Document]) -> bool:
        """Whether one of these pods' trainers has not been heard for long."""
        return any(trainer.silent for trainer in self._of(pod_list))

    def _of(self, pod_list: list[Document]) -> list[_Trainer]:
        uids = (pod["metadata"]["uid"] for pod in pod_list)
        return [self._trainers[uid] for uid in uids if uid in self._trainers]

    async def run(self) -> None:
        """Poll for ever."""
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
            while True:
                running = self._cache.running_pods()
                present = {pod["metadata"]["uid"] for _, pod in running}
                for uid in self._trainers.keys() - present:
                    del self._trainers[uid]
                await asyncio.gather(*(self._poll(session, key, pod) for key, pod in running))
                await asyncio.sleep(self._interval)

    async def _poll(self, session: aiohttp.ClientSession, key: Key, pod: Document) -> None:
        uid, now = pod["metadata"]["uid"], self._clock()
        trainer = self._trainers.setdefault(uid, _Trainer(since=now))
        report = await self._ask(session, key, pod)
        if report is not None:
            moved = trainer.heard is None or trainer.heard.report != report
            news = moved or trainer.silent
            trainer.since, trainer.silent = self._clock(), False
            trainer.heard = Heard(report=report, time=utc_now())
        else:
            news = not trainer.silent and self._clock() - trainer.since > self._silence
            trainer.silent = trainer.silent or news
        if news:
            self._queue.add(key)

    async def _ask(
        self, session: aiohttp.ClientSession, key: Key, pod: Document
    ) -> RunProgress | None:
        address = pod["status"].get("podIP")
        if not address:
            return None
        host = f"[{address}]" if ":" in address else address
        url = f"http://{host}:{names.TRAINER_PORT}{names.PROGRESS_PATH}"
        try:
            async with self._limit, session.get(url, allow_redirects=False) as response:
                response.raise_for_status()
                text = await response.content.read(_MAX_BYTES)
            return RunProgress.model_validate_json(text, extra="ignore")
        except (aiohttp.ClientError, TimeoutError, OSError, ValidationError) as error:
            with logs.about(names.KIND, key, owner_uid(pod)):
                log.debug("no progress from the trainer", url=url, error=repr(error))
            return None
