"""Requests to the API server, and the one policy for their failures.

Documents are plain dicts both ways. A request either returns, or raises one of `errors`; nothing is
retried here, because the work queue retries whole reconciliations.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio import client, config
from trainyard_schema import names

from trainyard_controller.errors import ApiError, ConflictError, RefusedError, UnavailableError
from trainyard_controller.metrics import API_ERRORS, API_WRITES
from trainyard_controller.resources import resource_of

Document = dict[str, Any]

TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)
PAGE_SIZE = 50
_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def _verb(method: str, query: dict[str, str] | None) -> str:
    return "list" if method == "GET" and query else _VERBS[method]


async def load_configuration() -> client.Configuration:
    """How to reach the cluster: as a pod by its service account, elsewhere by KUBECONFIG.

    The CAs of many clusters lack extensions that Python 3.13 asks for by default. Chain, host name
    and dates are verified all the same.
    """
    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except config.ConfigException:
        await config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    configuration.disable_strict_ssl_verification = True
    # Kopf's watches heed no proxy either; to look for one takes two threads for every request.
    configuration.client_session_kwargs = {"trust_env": False}
    return configuration


def _error(status: int, text: str, *, what: str, retry_after: str | None) -> ApiError:
    try:
        reason = json.loads(text).get("message", text)
    except (ValueError, AttributeError):
        reason = text
    message = f"{what}: {status} {reason[:2000]}"
    if status == 409:
        return ConflictError(message)
    # The API server is well then, and the one who must be asked is not.
    webhook_is_away = "failed calling webhook" in reason
    if status in (401, 408, 429) or (status >= 500 and not webhook_is_away):
        seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
        return UnavailableError(message, retry_after=seconds)
    return RefusedError(message, status=status)


@asynccontextmanager
async def connect() -> AsyncIterator[client.ApiClient]:
    """Open the connections, and close them in the end."""
    async with client.ApiClient(await load_configuration()) as api_client:
        api_client.user_agent = "trainyard-controller"
        yield api_client


def unfenced() -> None:
    """The fence of a process that is the only one."""


def collection(namespace: str, group_version: str, plural: str) -> str:
    """The path of the objects of one kind in one namespace."""
    root = "/api" if group_version == "v1" else "/apis"
    return f"{root}/{group_version}/namespaces/{namespace}/{plural}"


class Client:
    """What all requests have in common."""

    def __init__(self, api_client: client.ApiClient, fence: Callable[[], None] = unfenced) -> None:
        """`fence` raises `UnavailableError` at a moment when this process must change nothing."""
        self._client = api_client
        self._fence = fence

    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: Document | None = None,
        query: dict[str, str] | None = None,
    ) -> Document:
        headers = {"Accept": "application/json"}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        url = f"{path}?{urlencode(query)}" if query else path
        what = f"{method} {path}"
        try:
            request = await self._client.param_serialize(
                method, url, header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            response = await self._client.call_api(*request, _request_timeout=TIMEOUT)
            text = await response.response.text()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            API_ERRORS.labels(_verb(method, query), resource_of(path), "no_answer").inc()
            raise UnavailableError(f"{what}: {error or type(error).__name__}") from error
        if response.status >= 400:
            if (method, response.status) != ("GET", 404):
                code = str(response.status)
                API_ERRORS.labels(_verb(method, query), resource_of(path), code).inc()
            raise _error(
                response.status, text, what=what, retry_after=response.headers.get("Retry-After")
            )
        document: Document = json.loads(text)
        return document

    async def _write(
        self, method: str, path: str, *, resource: str, body: Document | None = None
    ) -> Document:
        """Every request that changes something passes here, so that they are counted."""
        self._fence()
        API_WRITES.labels(_VERBS[method], resource).inc()
        return await self._request(method, path, body=body)

    async def _get(self, path: str) -> Document | None:
        try:
            return await self._request("GET", path)
        except RefusedError as error:
            if error.status == 404:
                return None
            raise

    async def _iterate(self, path: str, **query: str) -> AsyncIterator[Document]:
        page = {"limit": str(PAGE_SIZE), **query}
        while True:
            document = await self._request("GET", path, query=page)
            for item in document["items"]:
                yield item
            token = document["metadata"].get("continue")
            if not token:
                return
            page = {"limit": str(PAGE_SIZE), **query, "continue": token}

    async def _list(self, path: str, **query: str) -> Document:
        """The few that a selector picks, at once: before 1.34, pages are not read from a cache."""
        return await self._request("GET", path, query=query)

    async def _create_owned(self, path: str, *, resource: str, body: Document) -> Document:
        """Create an object, or find the same one: a name taken by our own object is a success.

        Raises `RefusedError` where the name belongs to an object of someone else, `ConflictError`
        where the one with our name is being deleted.
        """
        try:
            return await self._write("POST", path, resource=resource, body=body)
        except ConflictError:
            name = body["metadata"]["name"]
            owner = body["metadata"]["ownerReferences"][0]["uid"]
            found = await self._get(f"{path}/{name}")
            if found is None or found["metadata"].get("deletionTimestamp"):
                raise
            if not any(
                reference["uid"] == owner and reference.get("controller")
                for reference in found["metadata"].get("ownerReferences", [])
            ):
                raise RefusedError(
                    f"the {body['kind']} {name} exists and belongs to something else; "
                    "delete or rename it",
                    status=409,
                ) from None
            return found

    async def _delete(self, path: str, *, resource: str, uid: str) -> None:
        """Delete this object and, after it, what it owns. That it is gone already is no error."""
        # Without Background, batch/v1 leaves the pods running.
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            await self._write("DELETE", path, resource=resource, body=options)
        except ConflictError:
            return
        except RefusedError as error:
            if error.status != 404:
                raise

    async def _replace_status(
        self,
        path: str,
        *,
        kind: str,
        resource: str,
        namespace: str,
        name: str,
        uid: str,
        resource_version: str,
        status: Document,
    ) -> Document:
        """Write the whole status. Raises `ConflictError` if the object has changed since."""
        body = {
            "apiVersion": names.API_VERSION,
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": uid,
                "resourceVersion": resource_version,
            },
            "status": status,
        }
        return await self._write(
            "PUT", f"{path}/{quote(name)}/status", resource=f"{resource}/status", body=body
        )

    async def _require(self, path: str, *, plural: str) -> None:
        """Make sure that a kind is served: kopf would silently watch nothing.

        Raises `RefusedError`, which says what to do, if it is not.
        """
        try:
            await self._request("GET", path, query={"limit": "1"})
        except RefusedError as error:
            if error.status != 404:
                raise
            raise RefusedError(
                f"the CRD {plural}.{names.GROUP} is not installed; install it and try again",
                status=404,
            ) from None
