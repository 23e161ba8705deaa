"""The one place that talks to the Kubernetes API: TrainingJobs, and what its errors mean."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import structlog
from kubernetes.aio.client import ApiClient, ApiException, Configuration, CustomObjectsApi
from kubernetes.aio.config import (
    ConfigException,
    load_incluster_config,
    load_kube_config,
)
from trainyard_schema import TERMINAL_PHASES, names

log = structlog.get_logger()

TrainingJob = dict[str, Any]
"""A TrainingJob as the API server gives it."""

_TIMEOUT_SECONDS: Final = 10.0
_PROBE_TIMEOUT_SECONDS: Final = 3.0
_CHUNK: Final = 500
_LIST_ATTEMPTS: Final = 3
_RETRY_AFTER_SECONDS: Final = 5
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
# How RBAC words a refusal; quotas and admission plugins answer 403 as well, in other words.
_RBAC = re.compile(r'User "[^"]*" cannot ')


class ClusterError(Exception):
    """The cluster did not do what it was asked for."""


class NotFoundError(ClusterError):
    """There is no TrainingJob of this name."""


class AlreadyExistsError(ClusterError):
    """There is a TrainingJob of this name."""


class ExpiredError(ClusterError):
    """A list took so long that the API server has forgotten where it was."""


class RefusedError(ClusterError):
    """The API server takes this TrainingJob for wrong. The message is the API server's."""


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
    ("list", 410): ExpiredError,
    ("patch", 404): NotFoundError,
}
"""By verb and HTTP status. What is not here means that the API server is of no use for now."""


class TrainingJobs:
    """The TrainingJobs of one namespace. To be entered once, for the life of the program."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._api: CustomObjectsApi | None = None

    async def __aenter__(self) -> Self:
        self._api = CustomObjectsApi(ApiClient(await _configuration()))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._api is not None:
            await self._api.api_client.close()

    async def create(self, manifest: TrainingJob) -> TrainingJob:
        """Create a TrainingJob. Raises `AlreadyExistsError`, `RefusedError`, `UnavailableError`."""
        # Strict: a field that the CRD does not know is an error, and never dropped in silence.
        return await self._call("create", body=manifest, field_validation="Strict")

    async def get(self, name: str) -> TrainingJob:
        """Read a TrainingJob. Raises `NotFoundError`, `UnavailableError`."""
        if not _NAME.fullmatch(name):
            raise NotFoundError(name)
        return await self._call("get", name=name)

    async def list(self) -> list[TrainingJob]:
        """All of them, in no order. Raises `UnavailableError`."""
        for _ in range(_LIST_ATTEMPTS):
            try:
                return [item async for item in self._chunks()]
            except ExpiredError:
                continue
        raise UnavailableError("listing the TrainingJobs takes longer than the API server allows")

    async def cancel(self, name: str) -> TrainingJob:
        """Ask for the end of a TrainingJob; one that has ended or is being cancelled is left alone.

        Returns it as it then is. Raises `NotFoundError`, `UnavailableError`.
        """
        job = await self.get(name)
        if job["spec"].get("cancel") or job.get("status", {}).get("phase") in TERMINAL_PHASES:
            return job
        # Without a precondition, or the operator's writes of the status would hold it up. To one
        # that ends in this moment it does nothing.
        return await self._call(
            "patch",
            name=name,
            body={"spec": {"cancel": True}},
            _content_type="application/merge-patch+json",
        )

    async def check(self) -> None:
        """Raises `UnavailableError` unless TrainingJobs can be read."""
        await self._call("list", limit=1, _request_timeout=_PROBE_TIMEOUT_SECONDS)

    async def _chunks(self) -> AsyncIterator[TrainingJob]:
        position: str | None = ""
        while position is not None:
            page = await self._call("list", limit=_CHUNK, _continue=position)
            for item in page["items"]:
                # Half of an object's size, and of no use to anybody here.
                item["metadata"].pop("managedFields", None)
                yield item
            position = page["metadata"].get("continue") or None

    async def _call(self, verb: str, **arguments: Any) -> dict[str, Any]:
        call = getattr(self._api, f"{verb}_namespaced_custom_object")
        try:
            answer: dict[str, Any] = await call(
                group=names.GROUP,
                version=names.VERSION,
                namespace=self._namespace,
                plural=names.PLURAL,
                **{"_request_timeout": _TIMEOUT_SECONDS, **arguments},
            )
        except ApiException as error:
            raise _meaning(verb, error) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("the API server cannot be reached", verb=verb, error=repr(error))
            raise UnavailableError("the Kubernetes API server cannot be reached") from error
        return answer


def _meaning(verb: str, error: ApiException) -> ClusterError:
    """What an error of the API server means for a caller that asked for `verb`."""
    message = _message(error)
    kind = _MEANING.get((verb, error.status))
    if kind is not None and not (error.status == 403 and _RBAC.search(message)):
        return kind(message)
    log.error("the API server refused", verb=verb, status=error.status, message=message)
    if error.status == 404:
        return UnavailableError("the cluster has no TrainingJob CRD: install the chart's CRD")
    if error.status in (401, 403):
        return UnavailableError(f"the API's service account may not {verb} TrainingJobs")
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
