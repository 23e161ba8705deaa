"""The operator's requests to the API server, and the one policy for their failures.

Documents are plain dicts both ways. A request either returns, or raises one of `errors`; nothing is
retried here, because the work queue retries whole reconciliations.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio import client, config
from trainyard_schema import names

from trainyard_controller.errors import ApiError, ConflictError, RefusedError, UnavailableError
from trainyard_controller.metrics import API_WRITES

Document = dict[str, Any]

TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)
PAGE_SIZE = 500
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


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
    return configuration


def _error(status: int, text: str, *, what: str, retry_after: str | None) -> ApiError:
    try:
        reason = json.loads(text).get("message", text)
    except (ValueError, AttributeError):
        reason = text
    message = f"{what}: {status} {reason[:2000]}"
    if status == 409:
        return ConflictError(message)
    if status in (401, 408, 429) or status >= 500:
        seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
        return UnavailableError(message, retry_after=seconds)
    return RefusedError(message, status=status)


class Api:
    """What the operator asks of the API server, in one namespace."""

    def __init__(self, api_client: client.ApiClient, namespace: str) -> None:
        self._client = api_client
        core, batch = f"/api/v1/namespaces/{namespace}", f"/apis/batch/v1/namespaces/{namespace}"
        self._jobs = f"{batch}/jobs"
        self._pods = f"{core}/pods"
        self._events = f"{core}/events"
        self._training_jobs = (
            f"/apis/{names.GROUP}/{names.VERSION}/namespaces/{namespace}/{names.PLURAL}"
        )

    @classmethod
    @asynccontextmanager
    async def connect(cls, namespace: str) -> AsyncIterator["Api"]:
        """Open the connections, and close them in the end."""
        async with client.ApiClient(await load_configuration()) as api_client:
            api_client.user_agent = "trainyard-controller"
            yield cls(api_client, namespace)

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
            raise UnavailableError(f"{what}: {error or type(error).__name__}") from error
        if response.status >= 400:
            raise _error(
                response.status, text, what=what, retry_after=response.headers.get("Retry-After")
            )
        document: Document = json.loads(text)
        return document

    async def _write(
        self, method: str, path: str, *, resource: str, body: Document | None = None
    ) -> Document:
        """Every request that changes something passes here, so that they are counted."""
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

    async def _list(self, path: str, **query: str) -> list[Document]:
        return [item async for item in self._iterate(path, **query)]

    async def require_crd(self) -> None:
        """Make sure that TrainingJobs are served: kopf would silently watch nothing.

        Raises `RefusedError`, which says what to do, if they are not.
        """
        try:
            await self._request("GET", self._training_jobs, query={"limit": "1"})
        except RefusedError as error:
            if error.status != 404:
                raise
            raise RefusedError(
                f"the CRD {names.PLURAL}.{names.GROUP} is not installed; install it and try again",
                status=404,
            ) from None

    def training_jobs(self) -> AsyncIterator[Document]:
        """All TrainingJobs, read page by page."""
        return self._iterate(self._training_jobs)

    async def get_training_job(self, name: str) -> Document | None:
        """The TrainingJob, or None if there is none."""
        return await self._get(f"{self._training_jobs}/{quote(name)}")

    async def replace_status(
        self, *, name: str, namespace: str, uid: str, resource_version: str, status: Document
    ) -> Document:
        """Write the whole status. Raises `ConflictError` if the object has changed since."""
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": uid,
                "resourceVersion": resource_version,
            },
            "status": status,
        }
        return await self._write(
            "PUT",
            f"{self._training_jobs}/{quote(name)}/status",
            resource="trainingjobs/status",
            body=body,
        )

    async def list_jobs(self) -> list[Document]:
        """All Jobs with the label of this project."""
        return await self._list(
            self._jobs, labelSelector=f"{names.MANAGED_BY_LABEL}={names.MANAGED_BY}"
        )

    async def get_job(self, name: str) -> Document | None:
        """The Job, or None if there is none."""
        return await self._get(f"{self._jobs}/{name}")

    async def create_job(self, job: Document) -> Document:
        """Create the Job, or find the same one: a name taken by our own Job is a success.

        Raises `RefusedError` where the name belongs to a Job of someone else, `ConflictError` where
        the one with our name is being deleted.
        """
        try:
            return await self._write("POST", self._jobs, resource="jobs", body=job)
        except ConflictError:
            name = job["metadata"]["name"]
            owner = job["metadata"]["ownerReferences"][0]["uid"]
            found = await self.get_job(name)
            if found is None or found["metadata"].get("deletionTimestamp"):
                raise
            if not any(
                reference["uid"] == owner and reference.get("controller")
                for reference in found["metadata"].get("ownerReferences", [])
            ):
                raise RefusedError(
                    f"the Job {name} exists and belongs to something else; delete or rename it",
                    status=409,
                ) from None
            return found

    async def patch_job(self, name: str, patch: Document) -> Document:
        """Apply a merge patch to the Job."""
        return await self._write("PATCH", f"{self._jobs}/{name}", resource="jobs", body=patch)

    async def delete_job(self, name: str, *, uid: str) -> None:
        """Delete this Job and, after it, its pods. That it is gone already is no error."""
        # Without Background, batch/v1 leaves the pods running.
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            await self._write("DELETE", f"{self._jobs}/{name}", resource="jobs", body=options)
        except ConflictError:
            return
        except RefusedError as error:
            if error.status != 404:
                raise

    async def list_pods(self, *, uid: str | None = None) -> list[Document]:
        """The trainer pods: all of them, or those of the TrainingJob with this uid."""
        selector = f"{names.MANAGED_BY_LABEL}={names.MANAGED_BY}"
        if uid is not None:
            selector += f",{names.UID_LABEL}={uid}"
        return await self._list(self._pods, labelSelector=selector)

    async def list_failed_creates(self, job_uid: str) -> list[Document]:
        """The Events by which the Job controller tells that it could not create a pod of a Job."""
        return await self._list(
            self._events, fieldSelector=f"involvedObject.uid={job_uid},reason=FailedCreate"
        )

    async def create_event(self, event: Document) -> None:
        """Post an Event. Its name says what it tells, so telling it twice is no error."""
        try:
            await self._write("POST", self._events, resource="events", body=event)
        except ConflictError:
            return
