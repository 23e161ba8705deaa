"""When each watch last gave a sign of life."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import aiohttp
from trainyard_schema import names

from trainyard_controller.metrics import API_ERRORS
from trainyard_controller.resources import namespace_of, resource_of

MODELS = names.MODEL_PLURAL
TRAINING_JOBS = names.PLURAL
JOBS = "jobs"
PODS = "pods"
KINDS = (MODELS, TRAINING_JOBS, JOBS, PODS)
ASKS_AGAIN_SECONDS = 120.0
"""The API server ends each watch after this time, and the watch then asks again. One that does not
is dead, however quiet the cluster is.
"""


class WatchClock:
    """What the watches told, and when each asked, in seconds of a monotonic clock."""

    def __init__(
        self, namespaces: Iterable[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        watches = itertools.product(KINDS, namespaces)
        self._clock = clock
        self._told = dict.fromkeys(KINDS, clock())
        self._asked = dict.fromkeys(watches, clock())
        self._listing = set(self._asked)
        self._listed = asyncio.Event()

    def tick(self, kind: str) -> None:
        """Take note of an event."""
        self._told[kind] = self._clock()

    def ask(self, path: str, *, watch: bool) -> None:
        """Take note of a request, for a list or for what changes from there on."""
        asks = (resource_of(path), namespace_of(path))
        if asks in self._asked:
            self._asked[asks] = self._clock()
        if watch:
            self._listing.discard(asks)
            if not self._listing:
                self._listed.set()

    async def listed(self) -> None:
        """Wait until each watch has read what there is, and begun."""
        await self._listed.wait()

    def last(self, kind: str) -> float:
        """The time of the last event, or of the start."""
        return self._told[kind]

    def ages(self) -> dict[str, float]:
        """Seconds since the last event by kind."""
        now = self._clock()
        return {kind: now - last for kind, last in self._told.items()}

    def request_ages(self) -> dict[str, float]:
        """Seconds since the last request by kind; of several watches, of the one that is last."""
        now = self._clock()
        ages = dict.fromkeys(KINDS, 0.0)
        for (kind, _), asked in self._asked.items():
            ages[kind] = max(ages[kind], now - asked)
        return ages


def trace(clock: WatchClock) -> aiohttp.TraceConfig:
    """What has the requests of the watches noted and their failures counted."""

    async def asked(_: Any, __: SimpleNamespace, request: aiohttp.TraceRequestStartParams) -> None:
        clock.ask(request.url.path, watch="watch" in request.url.query)

    async def answered(_: Any, __: SimpleNamespace, answer: aiohttp.TraceRequestEndParams) -> None:
        if answer.response.status >= 400:
            count(answer.url.path, str(answer.response.status))

    async def failed(
        _: Any, __: SimpleNamespace, failure: aiohttp.TraceRequestExceptionParams
    ) -> None:
        if not isinstance(failure.exception, asyncio.CancelledError):
            count(failure.url.path, "no_answer")

    def count(path: str, code: str) -> None:
        API_ERRORS.labels("watch", resource_of(path), code).inc()

    config = aiohttp.TraceConfig()
    config.on_request_start.append(asked)
    config.on_request_end.append(answered)
    config.on_request_exception.append(failed)
    return config
