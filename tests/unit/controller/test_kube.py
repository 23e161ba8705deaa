"""The policy towards the API server's failures, against a server that answers as told."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio import client
from trainyard_controller.errors import ApiError, ConflictError, RefusedError, UnavailableError
from trainyard_controller.kube import Api

from .samples import JOB_NAME

JOB: dict[str, Any] = {
    "kind": "Job",
    "metadata": {"name": JOB_NAME, "ownerReferences": [{"uid": "owner", "controller": True}]},
}


class Script:
    """Answers requests in turn and remembers them."""

    def __init__(self) -> None:
        self.answers: list[web.Response] = []
        self.requests: list[tuple[str, str, Any]] = []

    def then(self, status: int, body: Any = None, **headers: str) -> "Script":
        document = body if body is not None else {"message": f"it is {status}"}
        self.answers.append(web.json_response(document, status=status, headers=headers))
        return self

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.requests.append((request.method, request.path_qs, body))
        return self.answers.pop(0)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
async def api(script: Script) -> AsyncIterator[Api]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", script.answer)
    configuration = client.Configuration()
    async with TestServer(app) as server:
        configuration.host = str(server.make_url("")).rstrip("/")
        async with client.ApiClient(configuration) as api_client:
            yield Api(api_client)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RefusedError),
        (401, UnavailableError),
        (403, RefusedError),
        (409, ConflictError),
        (422, RefusedError),
        (429, UnavailableError),
        (500, UnavailableError),
        (503, UnavailableError),
    ],
)
async def test_what_a_failure_means(
    api: Api, script: Script, status: int, error: type[ApiError]
) -> None:
    script.then(status)
    with pytest.raises(error, match=f"PATCH .*/jobs/a: {status} it is {status}"):
        await api.patch_job("lab", "a", {})
    assert len(script.requests) == 1


async def test_the_server_may_say_when_to_come_back(api: Api, script: Script) -> None:
    script.then(429, **{"Retry-After": "7"})
    with pytest.raises(UnavailableError) as raised:
        [job async for job in api.jobs("lab")]
    assert raised.value.retry_after == 7


async def test_no_answer_at_all_is_unavailable() -> None:
    configuration = client.Configuration()
    configuration.host = "http://127.0.0.1:1"
    async with client.ApiClient(configuration) as api_client:
        with pytest.raises(UnavailableError):
            await Api(api_client).get_job("lab", "a")


async def test_what_is_not_there_is_none(api: Api, script: Script) -> None:
    script.then(404)
    assert await api.get_job("lab", "a") is None


async def test_without_the_crd_it_says_so(api: Api, script: Script) -> None:
    script.then(404).then(200, {"items": []})
    with pytest.raises(RefusedError, match=r"CRD trainingjobs\.trainyard\.dev is not installed"):
        await api.require_crd("lab")
    await api.require_crd("lab")


async def test_a_listing_is_read_to_its_end(api: Api, script: Script) -> None:
    script.then(200, {"items": [{"n": 1}], "metadata": {"continue": "more"}})
    script.then(200, {"items": [{"n": 2}], "metadata": {}})
    assert [job async for job in api.jobs("lab")] == [{"n": 1}, {"n": 2}]
    assert "continue=more" in script.requests[1][1]


async def test_our_own_job_under_its_name_is_a_success(api: Api, script: Script) -> None:
    script.then(409).then(200, JOB)
    assert await api.create_job("lab", JOB) == JOB


@pytest.mark.parametrize(
    ("found", "error"),
    [
        ((404, None), ConflictError),
        ((200, {"metadata": JOB["metadata"] | {"deletionTimestamp": "now"}}), ConflictError),
        (
            (200, {"metadata": {"ownerReferences": [{"uid": "x", "controller": True}]}}),
            RefusedError,
        ),
        ((200, {"metadata": {"ownerReferences": [{"uid": "owner"}]}}), RefusedError),
        ((200, {"metadata": {}}), RefusedError),
    ],
)
async def test_any_other_job_under_its_name_is_not(
    api: Api, script: Script, found: tuple[int, Any], error: type[ApiError]
) -> None:
    script.then(409).then(*found)
    with pytest.raises(error):
        await api.create_job("lab", JOB)


async def test_jobs_are_deleted_with_their_pods_and_only_the_one_meant(
    api: Api, script: Script
) -> None:
    script.then(200, {}).then(404).then(409)
    for _ in range(3):
        await api.delete_job("lab", "a", uid="u")
    assert script.requests[0][2] == {
        "propagationPolicy": "Background",
        "preconditions": {"uid": "u"},
    }


async def test_a_delete_that_fails_is_tried_again(api: Api, script: Script) -> None:
    script.then(500)
    with pytest.raises(UnavailableError):
        await api.delete_job("lab", "a", uid="u")


async def test_an_event_that_is_there_is_posted(api: Api, script: Script) -> None:
    script.then(409)
    await api.create_event("lab", {})


async def test_a_webhook_that_is_away_is_a_refusal(api: Api, script: Script) -> None:
    away = 'Internal error occurred: failed calling webhook "policy.example.com": timeout'
    script.then(500, {"message": away})
    with pytest.raises(RefusedError, match="failed calling webhook"):
        await api.create_job("lab", JOB)
