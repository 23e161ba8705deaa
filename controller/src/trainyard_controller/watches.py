"""Kopf as the informer: four watches that fill the cache and name the keys to be reconciled."""

import datetime
import itertools
import ssl
from collections.abc import Iterator
from typing import Any

import aiohttp
import kopf
from kopf._core.reactor.inventory import ResourceMemories, ResourceMemory
from kubernetes.aio import client
from trainyard_schema import names

from trainyard_controller.cache import Cache
from trainyard_controller.client import PAGE_SIZE, load_configuration
from trainyard_controller.models.cache import ModelCache
from trainyard_controller.objects import Key, owning_model
from trainyard_controller.watchclock import (
    ASKS_AGAIN_SECONDS,
    JOBS,
    MODELS,
    PODS,
    TRAINING_JOBS,
    WatchClock,
    trace,
)
from trainyard_controller.workqueue import WorkQueue

TOKEN_LIFETIME = datetime.timedelta(minutes=5)
"""Service account tokens rotate: kopf reads them again after this time."""


class Backoffs:
    """Seconds between tries of kopf's requests, for ever: a watch that gives up is a dead watch."""

    def __iter__(self) -> Iterator[float]:
        """Ever longer, up to a time after which an API server that is back is noticed."""
        return itertools.chain((1, 1, 2, 3, 5, 8), itertools.repeat(10))


class NoDiffBase(kopf.DiffBaseStorage):
    """Compares nothing: what changed is asked by none of the handlers here.

    Kopf takes the essence of every object of every event, which is half of what an event costs.
    """

    def build(self, **_: Any) -> kopf.BodyEssence:
        """An essence that is the same for all."""
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        """None: there is no earlier one."""
        return None

    def store(self, **_: Any) -> None:
        """Nothing is written to any object."""


class NoMemories(ResourceMemories):
    """Remembers no object: what is known is in the cache.

    Kopf keeps 0.6 kB of each for daemons, memos and changes, of which there are none here. It takes
    its memories as a parameter, though it does not export their class.
    """

    async def recall(self, *arguments: Any, **options: Any) -> ResourceMemory:
        """A memory for one event."""
        return await super().recall(*arguments, **options | {"ephemeral": True})


def kopf_settings() -> kopf.OperatorSettings:
    """Kopf's settings for an operator that watches only."""
    settings = kopf.OperatorSettings()
    settings.watching.inactivity_timeout = 70
    settings.watching.server_timeout = int(ASKS_AGAIN_SECONDS)
    settings.watching.chunk_size = PAGE_SIZE
    selector = f"{names.MANAGED_BY_LABEL}={names.MANAGED_BY}"
    settings.watching.label_selectors["batch", "v1", "jobs"] = selector
    settings.watching.label_selectors["", "v1", "pods"] = selector
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = Backoffs()
    # By then all work is done and the lease given up: whatever still hangs is ended.
    settings.process.ultimate_exiting_timeout = 10
    settings.scanning.disabled = True
    settings.peering.standalone = True
    # Events are posted with the operator's own requests, which are counted.
    settings.posting.enabled = False
    settings.persistence.finalizer = f"{names.GROUP}/finalizer"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=names.GROUP)
    settings.persistence.diffbase_storage = NoDiffBase()
    # A worker of kopf holds the whole object that it saw last until it ends.
    settings.queueing.idle_timeout = 0.1
    return settings


class Connection(kopf.ConnectionInfo):
    """Verifies certificates as the operator's own requests do: see `load_configuration`."""

    def as_ssl_context(self) -> ssl.SSLContext:
        """The context of kopf's connections."""
        context = super().as_ssl_context()
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context


async def _login(clock: WatchClock) -> kopf.AiohttpSession:
    configuration: client.Configuration = await load_configuration()
    header = str(await configuration.get_api_key_with_prefix("BearerToken") or "")
    scheme, _space, token = header.rpartition(" ")
    connection = Connection(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        scheme=scheme.capitalize() or None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
    )
    return kopf.AiohttpSession(
        server=configuration.host,
        # Kopf closes it when the token is read again.
        aiohttp_session=aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=connection.as_ssl_context()),
            headers=connection.as_http_headers(),
            trace_configs=[trace(clock)],
        ),
        expiration=datetime.datetime.now(datetime.UTC) + TOKEN_LIFETIME,
    )


def registry(
    cache: Cache,
    queue: WorkQueue[Key],
    models: ModelCache,
    model_queue: WorkQueue[Key],
    clock: WatchClock,
) -> kopf.OperatorRegistry:
    """The handlers. They must not fail, for kopf would not call them again: they only take note."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return await _login(clock)

    # The first listing arrives with the type None, and is handled like ADDED.
    @kopf.on.event(names.GROUP, names.VERSION, names.MODEL_PLURAL, registry=handlers)
    async def model_seen(event: Any, **_: Any) -> None:
        clock.tick(MODELS)
        document = event["object"]
        metadata = document["metadata"]
        key = (metadata["namespace"], metadata["name"])
        if event["type"] == "DELETED":
            models.drop(key, metadata["uid"])
            model_queue.add(key)
        elif models.put(document):
            model_queue.add(key)

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=handlers)
    async def training_job_seen(event: Any, **_: Any) -> None:
        clock.tick(TRAINING_JOBS)
        document = event["object"]
        metadata = document["metadata"]
        key = (metadata["namespace"], metadata["name"])
        if event["type"] == "DELETED":
            cache.drop_training_job(key, metadata["uid"])
            queue.add(key)
        # What was known before the first listing has yet to be looked at: not sooner, for whatever
        # is deleted before the watches begin is never told.
        elif cache.put_training_job(document) or event["type"] is None:
            queue.add(key)
        # What the operator wrote itself is no news, but its Model has yet to look at it.
        model_uid = owning_model(document)
        if model_uid is not None and (model_key := models.key_of(model_uid)) is not None:
            model_queue.add(model_key)

    @kopf.on.event("batch", "v1", "jobs", registry=handlers)
    async def job_seen(event: Any, **_: Any) -> None:
        clock.tick(JOBS)
        document = event["object"]
        key = cache.key_of(document)
        if event["type"] == "DELETED":
            metadata = document["metadata"]
            news = cache.drop_job(metadata["name"], metadata["uid"])
        else:
            news = cache.put_job(document)
        if news and key is not None:
            queue.add(key)

    @kopf.on.event("", "v1", "pods", registry=handlers)
    async def pod_seen(event: Any, **_: Any) -> None:
        clock.tick(PODS)
        document = event["object"]
        news = cache.drop_pod(document) if event["type"] == "DELETED" else cache.put_pod(document)
        key = cache.key_of(document)
        if news and key is not None:
            queue.add(key)

    return handlers
