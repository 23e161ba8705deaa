"""What it means when the Kubernetes API does not do what it was asked for."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import aiohttp
import structlog
from kubernetes.aio.client import ApiException

from trainyard_api.cluster.kinds import Document, Kind

log = structlog.get_logger()

_RETRY_AFTER_SECONDS: Final = 5
# How RBAC words a refusal; quotas and admission plugins answer 403 as well, in other words.
_RBAC = re.compile(r'User "[^"]*" cannot ')


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
    ("delete", 404): NotFoundError,
    ("delete", 409): NotFoundError,
    ("get", 404): NotFoundError,
    ("read", 400): NotFoundError,
    ("read", 404): NotFoundError,
    ("list", 410): ExpiredError,
    ("watch", 410): ExpiredError,
    ("patch", 400): RefusedError,
    ("patch", 403): RefusedError,
    ("patch", 404): NotFoundError,
    ("patch", 409): ConflictError,
    ("patch", 422): RefusedError,
}
"""By verb and HTTP status. What is not here means that the API server is of no use for now."""


@contextmanager
def translated(verb: str, kind: Kind) -> Iterator[None]:
    """Raises the `ClusterError` that a failure of the request inside means."""
    try:
        yield
    except ApiException as error:
        raise _meaning(verb, kind, error) from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        log.warning("the API server cannot be reached", verb=verb, error=repr(error))
        raise UnavailableError("the Kubernetes API server cannot be reached") from error


def error_of_event(status: Document) -> ApiException:
    """The error that a watch event of type ERROR tells of."""
    error = ApiException(status=status.get("code"), reason=status.get("reason"))
    error.body = json.dumps(status)
    return error


def error_of_response(
    status: int, reason: str | None, headers: Mapping[str, str], body: str
) -> ApiException:
    """The error that an answer is, where the client has not looked at it."""
    error = ApiException(status=status, reason=reason)
    error.headers = headers
    error.body = body
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
