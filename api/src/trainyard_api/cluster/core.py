"""The few requests about core/v1. The library's class for them is generated for all of core/v1, and
imports every model of it: a quarter of all the time that the program takes to start.
"""

from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient


class CoreApi:
    """Each answer is the response as it begins to arrive, whatever its status."""

    def __init__(self, api_client: ApiClient) -> None:
        self.api_client = api_client

    async def create_event(
        self, namespace: str, event: dict[str, Any], *, seconds: float
    ) -> aiohttp.ClientResponse:
        """Create an Event."""
        path = "/api/v1/namespaces/{namespace}/events"
        where = {"namespace": namespace}
        return await self._request("POST", path, where, seconds=seconds, body=event)

    async def list_pods(
        self, namespace: str, *, label_selector: str, seconds: float
    ) -> aiohttp.ClientResponse:
        """The pods with these labels, as a PodList."""
        path = "/api/v1/namespaces/{namespace}/pods"
        where, query = {"namespace": namespace}, [("labelSelector", label_selector)]
        return await self._request("GET", path, where, seconds=seconds, query=query)

    async def read_pod_log(
        self, namespace: str, pod: str, *, container: str, follow: bool, seconds: float
    ) -> aiohttp.ClientResponse:
        """What a container has printed, and with `follow` what it will."""
        path = "/api/v1/namespaces/{namespace}/pods/{name}/log"
        where = {"namespace": namespace, "name": pod}
        query = [("container", container), ("follow", follow)]
        return await self._request("GET", path, where, seconds=seconds, query=query)

    async def _request(
        self,
        method: str,
        path: str,
        where: dict[str, str],
        *,
        seconds: float,
        query: list[tuple[str, Any]] | None = None,
        body: dict[str, Any] | None = None,
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json, */*"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = await self.api_client.param_serialize(
            method,
            path,
            path_params=where,
            query_params=query,
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        answer = await self.api_client.call_api(
            *request, _preload_content=False, _request_timeout=seconds
        )
        response: aiohttp.ClientResponse = answer.response
        return response
