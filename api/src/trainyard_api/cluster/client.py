"""The one place that talks to the Kubernetes API."""

import asyncio
import copy
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration, CustomObjectsApi
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config
from trainyard_schema import names

from trainyard_api.cluster.core import CoreApi
from trainyard_api.cluster.errors import error_of_event, error_of_response, translated
from trainyard_api.cluster.kinds import EVENT, POD, POD_LOG, TRAINING_JOB, Document, Kind

WATCH_SECONDS: Final = 30
"""How long a watch lasts. The API server sends a bookmark before it ends one."""
_WATCH_GRACE_SECONDS: Final = 10
_TIMEOUT_SECONDS: Final = 10.0
_PROBE_TIMEOUT_SECONDS: Final = 3.0
_CHUNK: Final = 500
_LOG_BUFFER_BYTES: Final = 64 * 1024
_LOG_SECONDS: Final = 60.0
_FOLLOW_SECONDS: Final = 300.0


class Cluster:
    """One namespace of a cluster. To be entered once, for the life of the program."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._api: CustomObjectsApi | None = None
        self._core: CoreApi | None = None
        self._checking: asyncio.Task[Document] | None = None

    async def __aenter__(self) -> Self:
        configuration = await _configuration()
        self._api = CustomObjectsApi(ApiClient(configuration))
        # Logs have connections of their own, which requests need not wait for, and small buffers:
        # what a slow reader does not take stays with the kubelet.
        streams = copy.deepcopy(configuration)
        streams.connection_pool_maxsize = 0
        streams.client_session_kwargs = {"read_bufsize": _LOG_BUFFER_BYTES}
        self._core = CoreApi(ApiClient(streams))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for api in (self._api, self._core):
            if api is not None:
                await api.api_client.close()

    @property
    def url(self) -> str:
        """Where the API server is, without credentials."""
        host = self._api.api_client.configuration.host if self._api else ""
        scheme, separator, rest = str(host).partition("://")
        return f"{scheme}{separator}{rest.rpartition('@')[2]}"

    async def call(self, verb: str, kind: Kind, **arguments: Any) -> Document:
        """One request. Raises the `ClusterError` that its failure means."""
        call = getattr(self._api, f"{verb}_namespaced_custom_object")
        with_defaults = {"_request_timeout": _TIMEOUT_SECONDS, **arguments}
        with translated(verb, kind):
            answer: Document = await call(**self._where(kind), **with_defaults)
        return answer

    async def post_event(self, event: Document) -> None:
        """Create a core/v1 Event.

        Raises `AlreadyExistsError`, `RefusedError`, `UnavailableError`.
        """
        create = self._core.create_event  # type: ignore[union-attr]
        with translated("create", EVENT):
            async with await create(self._namespace, event, seconds=_TIMEOUT_SECONDS) as response:
                await _require_success(response)

    async def check(self) -> None:
        """Raises `UnavailableError` unless TrainingJobs can be read.

        Anybody may ask, without a token: at any time, one request serves all who do.
        """
        if self._checking is None:
            self._checking = asyncio.create_task(
                self.call("list", TRAINING_JOB, limit=1, _request_timeout=_PROBE_TIMEOUT_SECONDS)
            )
            self._checking.add_done_callback(self._checked)
        # Shielded: the one who happens to be first may go away.
        await asyncio.shield(self._checking)

    def _checked(self, task: asyncio.Task[Document]) -> None:
        self._checking = None
        if not task.cancelled():
            # Also where nobody waits for it any more.
            task.exception()

    async def list(self, kind: Kind) -> tuple[list[Document], str]:
        """All objects of a kind at one moment, in no order, and its resourceVersion.

        Raises `ExpiredError`, `UnavailableError`.
        """
        items: list[Document] = []
        position: str | None = ""
        while position is not None:
            page = await self.call("list", kind, limit=_CHUNK, _continue=position)
            items.extend(page["items"])
            position = page["metadata"].get("continue") or None
        return items, page["metadata"]["resourceVersion"]

    @asynccontextmanager
    async def watch(
        self, kind: Kind, resource_version: str
    ) -> AsyncIterator[AsyncIterator[Document]]:
        """The watch events after `resource_version`, bookmarks included, for `WATCH_SECONDS`.

        Entered once the API server has agreed to it. Raises `ExpiredError`; `UnavailableError`,
        also for a watch that does not end when it should.
        """
        watch = self._api.list_namespaced_custom_object_without_preload_content  # type: ignore[union-attr]
        with translated("watch", kind):
            async with await watch(
                **self._where(kind),
                watch=True,
                resource_version=resource_version,
                allow_watch_bookmarks=True,
                timeout_seconds=WATCH_SECONDS,
                _request_timeout=float(WATCH_SECONDS + _WATCH_GRACE_SECONDS),
            ) as response:
                await _require_success(response)
                yield _events(response)

    async def pods(self, label_selector: str) -> Sequence[Document]:
        """The pods with these labels, in no order. Raises `UnavailableError`."""
        list_pods = self._core.list_pods  # type: ignore[union-attr]
        with translated("list", POD):
            async with await list_pods(
                self._namespace, label_selector=label_selector, seconds=_TIMEOUT_SECONDS
            ) as response:
                await _require_success(response)
                found: Document = json.loads(await response.read())
        items: list[Document] = found["items"]
        return items

    async def log(self, pod: str, *, follow: bool) -> AsyncGenerator[bytes]:
        """What the trainer of a pod has printed, in chunks; with `follow` also what it will.

        A log that is followed ends with the trainer, or after some minutes. Raises `NotFoundError`
        where the pod is gone or has not started, `UnavailableError`.
        """
        read_log = self._core.read_pod_log  # type: ignore[union-attr]
        with translated("read", POD_LOG):
            async with await read_log(
                self._namespace,
                pod,
                container=names.TRAINER_CONTAINER,
                follow=follow,
                seconds=_FOLLOW_SECONDS if follow else _LOG_SECONDS,
            ) as response:
                await _require_success(response)
                async for chunk in response.content.iter_any():
                    yield chunk

    def _where(self, kind: Kind) -> dict[str, Any]:
        return {
            "group": names.GROUP,
            "version": names.VERSION,
            "namespace": self._namespace,
            "plural": kind.plural,
        }


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[Document]:
    async for line in response.content:
        event: Document = json.loads(line)
        if event["type"] == "ERROR":
            raise error_of_event(event["object"])
        yield event


async def _require_success(response: aiohttp.ClientResponse) -> None:
    if response.status not in (200, 201):
        raise error_of_response(
            response.status, response.reason, response.headers, await response.text()
        )


async def _configuration() -> Configuration:
    """The cluster of the pod; outside of any, the kubeconfig's (KUBECONFIG, ~/.kube/config)."""
    configuration = Configuration()
    try:
        load_incluster_config(  # type: ignore[no-untyped-call]
            client_configuration=configuration
        )
    except ConfigException:
        await load_kube_config(  # type: ignore[no-untyped-call]
            client_configuration=configuration
        )
    # The CAs of many clusters (EKS, older ones) lack extensions that Python 3.13 asks for
    # by default. Chain, host name and dates are verified all the same.
    configuration.disable_strict_ssl_verification = True
    return configuration
