"""What becomes of the API server's errors."""

import asyncio
import json
import ssl
from pathlib import Path

import aiohttp
import httpx
import pytest
from kubernetes.aio.client import ApiException
from kubernetes.aio.config import kube_config
from trainyard_api.cluster import Cluster, UnavailableError

from ..fake import FakeApi, FakeCluster, api_error

RBAC = (
    'trainingjobs.trainyard.dev is forbidden: User "system:serviceaccount:ns:api" cannot '
    'create resource "trainingjobs" in API group "trainyard.dev" in the namespace "ns"'
)


def fail(cluster: FakeApi, error: Exception) -> None:
    def fault(_: str) -> None:
        raise error

    cluster.fault = fault


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (aiohttp.ClientConnectionError("refused"), "cannot be reached"),
        (TimeoutError(), "cannot be reached"),
        (ConnectionResetError(), "cannot be reached"),
        (api_error(500, "etcdserver: request timed out"), "overloaded or failing"),
        (api_error(503, "apiserver is shutting down"), "overloaded or failing"),
        (ApiException(status=0, reason="Unsupported content type"), "overloaded or failing"),
        (api_error(401, "Unauthorized"), "service account may not create"),
        (api_error(403, RBAC), "service account may not create"),
        (api_error(404, "the server could not find the requested resource"), "no TrainingJob CRD"),
    ],
)
async def test_an_api_server_that_is_of_no_use_for_now(
    client: httpx.AsyncClient, cluster: FakeApi, error: Exception, detail: str
) -> None:
    fail(cluster, error)
    answer = await client.post("/train/xgboost")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "5"
    assert detail in answer.json()["detail"]
    assert "serviceaccount:ns" not in answer.text


async def test_the_api_servers_own_retry_after_is_passed_on(
    client: httpx.AsyncClient, cluster: FakeApi
) -> None:
    error = api_error(429, "too many requests")
    error.headers = {"Retry-After": "17"}
    fail(cluster, error)
    answer = await client.get("/train/status/unknown")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "17")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, 'strict decoding error: unknown field "spec.colour"'),
        (403, 'trainingjobs "x" is forbidden: exceeded quota: jobs, used: 10, limited: 10'),
        (422, "spec.seed: Invalid value"),
    ],
)
async def test_a_refused_training_job_is_the_callers_affair(
    client: httpx.AsyncClient, cluster: FakeApi, status: int, message: str
) -> None:
    fail(cluster, api_error(status, message))
    answer = await client.post("/train/xgboost")
    assert answer.status_code == 422
    assert message in answer.json()["detail"]


async def test_ready_only_while_training_jobs_can_be_read(
    anonymous: httpx.AsyncClient, cluster: FakeApi
) -> None:
    assert (await anonymous.get("/readyz")).status_code == 200
    fail(cluster, TimeoutError())
    assert (await anonymous.get("/readyz")).status_code == 503
    assert (await anonymous.get("/healthz")).status_code == 200


async def test_a_flood_of_probes_is_one_request_at_a_time(cluster: FakeApi) -> None:
    served = FakeCluster(cluster)
    await asyncio.gather(*(served.check() for _ in range(100)))
    assert cluster.calls == ["list"]
    fail(cluster, TimeoutError())
    refused = await asyncio.gather(*(served.check() for _ in range(100)), return_exceptions=True)
    assert {type(error) for error in refused} == {UnavailableError}
    assert cluster.calls == ["list", "list"]
    # The first to ask goes away; nobody else is the worse for it.
    cluster.fault = lambda _: None
    first, second = (asyncio.create_task(served.check()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await second


async def test_an_error_without_a_status_document(
    client: httpx.AsyncClient, cluster: FakeApi
) -> None:
    error = ApiException(status=422, reason="Unprocessable Entity")
    error.body = json.dumps(["not", "a", "Status"])
    fail(cluster, error)
    answer = await client.post("/train/xgboost")
    assert answer.json()["detail"].endswith("Unprocessable Entity")


async def test_certificates_are_verified_as_far_as_clusters_have_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CA of an EKS cluster has no key identifiers, which Python 3.13 would refuse."""
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(kubeconfig))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    async with Cluster("trainyard") as cluster:
        assert cluster._api is not None
        context = cluster._api.api_client.rest_client.ssl_context
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
