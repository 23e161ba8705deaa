"""Watches and logs as the real client reads them from a socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.config import kube_config
from trainyard_api.cluster import (
    TRAINING_JOB,
    Cluster,
    ExpiredError,
    NotFoundError,
    UnavailableError,
    client,
)

Answer = Callable[[web.Request, web.StreamResponse], Awaitable[None]]
BOOKMARK = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "7"}}}
EXPIRED = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}


class ApiServer:
    """Answers every request in one way, and keeps the queries."""

    def __init__(self) -> None:
        self.status = 200
        self.queries: list[dict[str, str]] = []
        self.answer: Answer = self._nothing

    async def _nothing(self, request: web.Request, response: web.StreamResponse) -> None:
        pass

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.queries.append(dict(request.query))
        response = web.StreamResponse(status=self.status)
        await response.prepare(request)
        await self.answer(request, response)
        return response


@pytest.fixture
def api_server() -> ApiServer:
    return ApiServer()


@pytest.fixture
async def real_cluster(
    api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Cluster]:
    application = web.Application()
    application.router.add_get("/{path:.*}", api_server.handle)
    async with TestServer(application) as server:
        kubeconfig = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "c", "cluster": {"server": str(server.make_url("")).rstrip("/")}}
            ],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(kubeconfig))
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))
        async with Cluster("trainyard") as cluster:
            yield cluster


def says(*parts: Any, then: Callable[[web.Request], Awaitable[None]] | None = None) -> Answer:
    async def answer(request: web.Request, response: web.StreamResponse) -> None:
        for part in parts:
            line = part if isinstance(part, bytes) else json.dumps(part).encode() + b"\n"
            await response.write(line)
        if then is not None:
            await then(request)

    return answer


async def cut(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()


async def hang(_: web.Request) -> None:
    await asyncio.Event().wait()


async def watched(cluster: Cluster) -> list[dict[str, Any]]:
    async with cluster.watch(TRAINING_JOB, "5") as events:
        return [event async for event in events]


async def test_a_watch_asks_for_bookmarks_and_for_an_end(
    api_server: ApiServer, real_cluster: Cluster
) -> None:
    api_server.answer = says(BOOKMARK)
    assert await watched(real_cluster) == [BOOKMARK]
    [query] = api_server.queries
    assert query["watch"].lower() == "true"
    assert query["allowWatchBookmarks"].lower() == "true"
    assert query["resourceVersion"] == "5"
    assert query["timeoutSeconds"] == str(client.WATCH_SECONDS)


async def test_a_watch_that_falls_silent_is_dropped(
    api_server: ApiServer, real_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "WATCH_SECONDS", 0)
    monkeypatch.setattr(client, "_WATCH_GRACE_SECONDS", 0.2)
    api_server.answer = says(BOOKMARK, then=hang)
    with pytest.raises(UnavailableError):
        await watched(real_cluster)


async def test_a_watch_that_is_cut(api_server: ApiServer, real_cluster: Cluster) -> None:
    api_server.answer = says(BOOKMARK, then=cut)
    with pytest.raises(UnavailableError):
        await watched(real_cluster)


@pytest.mark.parametrize("status", [200, 410])
async def test_a_version_that_is_too_old(
    api_server: ApiServer, real_cluster: Cluster, status: int
) -> None:
    """Told by the status, or by an event of a watch that has begun."""
    api_server.status = status
    api_server.answer = says({"type": "ERROR", "object": EXPIRED} if status == 200 else EXPIRED)
    with pytest.raises(ExpiredError):
        await watched(real_cluster)


async def test_an_event_of_many_bytes(api_server: ApiServer, real_cluster: Cluster) -> None:
    """etcd stores objects of up to 1.5 MB."""
    event = {"type": "ADDED", "object": {"metadata": {"name": "x" * 1_500_000}}}
    api_server.answer = says(event)
    assert await watched(real_cluster) == [event]


async def test_the_log_of_a_pod(api_server: ApiServer, real_cluster: Cluster) -> None:
    api_server.answer = says(b"x" * 300_000)
    text = b"".join([chunk async for chunk in real_cluster.log("pod", follow=True)])
    assert len(text) == 300_000
    assert api_server.queries[0]["follow"].lower() == "true"
    assert api_server.queries[0]["container"] == "trainer"


@pytest.mark.parametrize(
    ("status", "error"), [(400, NotFoundError), (404, NotFoundError), (403, UnavailableError)]
)
async def test_a_log_that_there_is_not(
    api_server: ApiServer, real_cluster: Cluster, status: int, error: type[Exception]
) -> None:
    api_server.status = status
    api_server.answer = says({"kind": "Status", "code": status, "message": "waiting to start"})
    with pytest.raises(error):
        await anext(real_cluster.log("pod", follow=False))


async def test_a_log_that_nobody_takes_stays_with_the_kubelet(
    api_server: ApiServer, real_cluster: Cluster
) -> None:
    sent = 0

    async def endless(_: web.Request, response: web.StreamResponse) -> None:
        nonlocal sent
        while True:
            await response.write(b"x" * 65536)
            sent += 65536

    api_server.answer = endless
    log = real_cluster.log("pod", follow=True)
    await anext(log)
    before = -1
    # The sockets fill up, then nothing moves any more.
    while before < sent:
        before = sent
        await asyncio.sleep(0.2)
    assert sent < 16 * 2**20
    await log.aclose()
