"""Asks running trainers how far they are."""

import asyncio

import aiohttp
import structlog
from pydantic import ValidationError
from trainyard_schema import ModelType, names
from trainyard_schema.run import RunProgress

from trainyard_controller import log as logs
from trainyard_controller.cache import Cache
from trainyard_controller.objects import Document, Key, owner_uid
from trainyard_controller.workqueue import WorkQueue

TIMEOUT = aiohttp.ClientTimeout(total=2)
CONCURRENCY = 50
_MAX_BYTES = 64 * 1024

log = structlog.get_logger(__name__)


class ProgressPoller:
    """Keeps the latest word of each running trainer, and has a key reconciled when one has moved.

    A trainer that cannot be reached is no error: its pod may be starting or ending.
    """

    def __init__(self, cache: Cache, queue: WorkQueue[Key], *, interval: float) -> None:
        self._cache = cache
        self._queue = queue
        self._interval = interval
        self._limit = asyncio.Semaphore(CONCURRENCY)
        self._reports: dict[str, RunProgress] = {}

    def reports(self, pod_list: list[Document]) -> dict[ModelType, RunProgress]:
        """The latest words of these pods' trainers by model type."""
        found = (self._reports.get(pod["metadata"]["uid"]) for pod in pod_list)
        return {report.model_type: report for report in found if report is not None}

    async def run(self) -> None:
        """Poll for ever."""
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
            while True:
                running = self._cache.running_pods()
                present = {pod["metadata"]["uid"] for _, pod in running}
                for uid in self._reports.keys() - present:
                    del self._reports[uid]
                await asyncio.gather(*(self._poll(session, key, pod) for key, pod in running))
                await asyncio.sleep(self._interval)

    async def _poll(self, session: aiohttp.ClientSession, key: Key, pod: Document) -> None:
        address = pod["status"].get("podIP")
        if not address:
            return
        host = f"[{address}]" if ":" in address else address
        url = f"http://{host}:{names.TRAINER_PORT}{names.PROGRESS_PATH}"
        try:
            async with self._limit, session.get(url, allow_redirects=False) as response:
                response.raise_for_status()
                text = await response.content.read(_MAX_BYTES)
            report = RunProgress.model_validate_json(text, extra="ignore")
        except (aiohttp.ClientError, TimeoutError, OSError, ValidationError) as error:
            with logs.about(names.KIND, key, owner_uid(pod)):
                log.debug("no progress from the trainer", url=url, error=repr(error))
            return
        uid = pod["metadata"]["uid"]
        if self._reports.get(uid) != report:
            self._reports[uid] = report
            self._queue.add(key)
