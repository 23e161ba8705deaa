"""The one place that talks to the Kubernetes API, and what its errors mean."""

import asyncio
import copy
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import structlog
from kubernetes.aio.client import (
    ApiClient,
    ApiException,
    Configuration,
    CoreV1Api,
    CustomObjectsApi,
)
from kubernetes.aio.config import (
    ConfigException,
    load_incluster_config,
    load_kube_config,
)
from trainyard_schema import names

log = structlog.get_logger()

Document = dict[str, Any]
"""An object as the API server gives it."""

WATCH_SECONDS: Final = 30
"""How long a watch lasts. The API server sends a bookmark before it ends one."""
_WATCH_GRACE_SECONDS: Final = 10
_TIMEOUT_SECONDS: Final = 10.0
_PROBE_TIMEOUT_SECONDS: Final = 3.0
_CHUNK: Final = 500
_LOG_BUFFER_BYTES: Final = 64 * 1024
_LOG_SECONDS: Final = 60.0
_FOLLOW_SECONDS: Final = 300.0
_RETRY_AFTER_SECONDS: Final = 5
# How RBAC words a refusal; quotas and admission plugins answer 403 as well, in other words.
_RBAC = re.compile(r'User "[^"]*" cannot ')


@dataclass(frozen=True)
class Kind:
    """A kind of custom object of Trainyard."""

    name: str
    plural: str


TRAINING_JOB: Final = Kind(names.KIND, names.PLURAL)
MODEL: Final = Kind(names.MODEL_KIND, names.MODEL_PLURAL)
POD: Final = Kind("pod", "pods")


class ClusterError(Exception):
    """The cluster did not do what it was asked for."""


class NotFoundError(ClusterError):
    """There is no object of this name."""


class AlreadyExistsError(ClusterError):
    """There is an object of this name."""


class ConflictError(ClusterError):
    """The object has changed since it was read."""


class ExpiredError(ClusterError):
    """The API server has forgotten where a list or a watch was."""


class RefusedError(ClusterError):
    """The API server takes what it was sent for wrong. The message is the API server's."""

    def __init__(self, message: str, *, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


class UnavailableError(ClusterError):
    """The API server does not answer, or not to us. Later it may."""

    def __init__(self, message: str, *, retry_after_seconds: int = _RETRY_AFTER_SECONDS) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


_MEANING: Final[Mapping[tuple[str, int], type[ClusterError]]] = {
    ("create", 400): RefusedError,
    ("create", 403): RefusedError,
    ("create", 409): AlreadyExistsError,
    ("create", 422): RefusedError,
    ("get", 404): NotFoundError,
    ("log", 400): NotFoundError,
    ("log", 404): NotFoundError,
    ("list", 410): ExpiredError,
    ("watch", 410): ExpiredError,
    ("patch", 400): RefusedError,
    ("patch", 403): RefusedError,
    ("patch", 404): NotFoundError,
    ("patch", 409): ConflictError,
    ("patch", 422): RefusedError,
}
"""By verb and HTTP status. What is not here means that the API server is of no use for now."""


class Cluster:
    """One namespace of a cluster. To be entered once, for the life of the program."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._api: CustomObjectsApi | None = None
        self._core: CoreV1Api | None = None
        self._checking: asyncio.Task[Document] | None = None

    async def __aenter__(self) -> Self:
        configuration = await _configuration()
        self._api = CustomObjectsApi(ApiClient(configuration))
        # Logs have connections of their own, which requests need not wait for, and small buffers:
        # what a slow reader does not take stays with the kubelet.
        streams = copy.deepcopy(configuration)
        streams.connection_pool_maxsize = 0
        streams.client_session_kwargs = {"read_bufsize": _LOG_BUFFER_BYTES}
        self._core = CoreV1Api(ApiClient(streams))
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
        with _errors(verb, kind):
            answer: Document = await call(**self._where(kind), **with_defaults)
        return answer

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

    async def watch(self, kind: Kind, resource_version: str) -> AsyncIterator[Document]:
        """The watch events after `resource_version`, bookmarks included, for `WATCH_SECONDS`.

        One that ends later than that is broken, as is one that ends without a word. Raises
        `ExpiredError`, `UnavailableError`.
        """
        watch = self._api.list_namespaced_custom_object_without_preload_content  # type: ignore[union-attr]
        with _errors("watch", kind):
            async with await watch(
                **self._where(kind),
                watch=True,
                resource_version=resource_version,
                allow_watch_bookmarks=True,
                timeout_seconds=WATCH_SECONDS,
                _request_timeout=float(WATCH_SECONDS + _WATCH_GRACE_SECONDS),
            ) as response:
                await _require_success(response)
                async for line in response.content:
                    event: Document = json.loads(line)
                    if event["type"] == "ERROR":
                        raise _as_exception(event["object"])
                    yield event

    async def pods(self, label_selector: str) -> Sequence[Document]:
        """The pods with these labels, in no order. Raises `UnavailableError`."""
        list_pods = self._core.list_namespaced_pod_without_preload_content  # type: ignore[union-attr]
        with _errors("list", POD):
            async with await list_pods(
                self._namespace, label_selector=label_selector, _request_timeout=_TIMEOUT_SECONDS
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
        read_log = self._core.read_namespaced_pod_log_without_preload_content  # type: ignore[union-attr]
        with _errors("log", POD):
            async with await read_log(
                pod,
                self._namespace,
                container=names.TRAINER_CONTAINER,
                follow=follow,
                _request_timeout=_FOLLOW_SECONDS if follow else _LOG_SECONDS,
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


@contextmanager
def _errors(verb: str, kind: Kind) -> Iterator[None]:
    try:
        yield
    except ApiException as error:
        raise _meaning(verb, kind, error) from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        log.warning("the API server cannot be reached", verb=verb, error=repr(error))
        raise UnavailableError("the Kubernetes API server cannot be reached") from error


async def _require_success(response: aiohttp.ClientResponse) -> None:
    if response.status != 200:
        error = ApiException(status=response.status, reason=response.reason)
        error.headers = response.headers
        error.body = await response.text()
        raise error


def _as_exception(status: Document) -> ApiException:
    error = ApiException(status=status.get("code"), reason=status.get("reason"))
    error.body = json.dumps(status)
    return error


def _meaning(verb: str, kind: Kind, error: ApiException) -> ClusterError:
    """What an error of the API server means for a caller that asked for `verb`."""
    message = _message(error)
    meaning = _MEANING.get((verb, error.status))
    if meaning is not None and not (error.status == 403 and _RBAC.search(message)):
        if meaning is RefusedError:
            return RefusedError(message, kind=kind.name)
        return meaning(message)
    log.error("the API server refused", verb=verb, status=error.status, message=message)
    if error.status == 404:
        return UnavailableError(f"the cluster has no {kind.name} CRD: install the chart's CRD")
    if error.status in (401, 403):
        return UnavailableError(f"the API's service account may not {verb} {kind.name}s")
    return UnavailableError(
        "the Kubernetes API server is overloaded or failing",
        retry_after_seconds=_retry_after(error),
    )


def _message(error: ApiException) -> str:
    """The message of the Status that the API server answers with."""
    try:
        return str(json.loads(error.body or "")["message"])
    except (ValueError, KeyError, TypeError):
        return str(error.reason)


def _retry_after(error: ApiException) -> int:
    value = (error.headers or {}).get("Retry-After", "")
    return int(value) if value.isdecimal() else _RETRY_AFTER_SECONDS


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
