"""What is asked again, what is not, and what errors say."""

from collections.abc import Iterator

import httpx
import pytest
import stamina
from trainyard_client import (
    ApiError,
    Client,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    TooManyRequestsError,
    TrainyardError,
    UnavailableError,
    UnreachableError,
)

from .api import Answer, Api, job, problem

SPEC = {"modelType": "xgboost", "data": {"uri": "s3://trainyard/churn.csv", "target": "churned"}}
AWAY = problem(503, "the cluster is away", Retry_After="0")


def test_what_is_away_is_asked_again(api: Api, client: Client) -> None:
    api.answers("GET /api/v1/jobs/churn", AWAY, AWAY, Answer(200, job()))
    assert client.jobs.get("churn").model == "churn"
    assert len(api.requests) == 3
    assert api.requests[0].headers["authorization"] == "Bearer a-token"


def test_a_start_that_is_said_again_has_the_same_key(api: Api, client: Client) -> None:
    busy = problem(409, "the same request is at work", Retry_After="0")
    api.answers("POST /api/v1/jobs", AWAY, busy, Answer(202, job()))
    client.jobs.submit(SPEC, name="churn")
    assert [one.json for one in api.requests] == [{"name": "churn", "spec": SPEC}] * 3
    [key] = {one.headers["idempotency-key"] for one in api.requests}
    client.jobs.submit(SPEC)
    assert api.requests[-1].headers["idempotency-key"] != key
    client.jobs.submit(SPEC, idempotency_key="nightly")
    assert api.requests[-1].headers["idempotency-key"] == "nightly"


def test_patience_ends(api: Api, client: Client) -> None:
    api.answers("GET /api/v1/me", AWAY)
    with pytest.raises(UnavailableError, match="the cluster is away"):
        client.me()
    assert len(api.requests) == 5


def test_a_start_that_failed_for_good_is_not_said_again(api: Api, client: Client) -> None:
    body = {"success": False, "error": "Python service error", "details": "too few rows"}
    api.answers("POST /api/retrain", Answer(503, body))
    with pytest.raises(UnavailableError, match="too few rows"):
        client.retrains.start_all()
    assert len(api.requests) == 1


def test_a_gateway_without_manners_is_asked_again(api: Api, client: Client) -> None:
    api.answers("GET /api/v1/jobs/churn", Answer(502, b"<html>"), Answer(200, job()))
    assert client.jobs.get("churn").job_id == "churn"


def test_a_limit_that_is_far_away_is_told_at_once(api: Api, client: Client) -> None:
    limit = problem(429, "one a minute", Retry_After="60")
    api.answers("POST /api/v1/models/churn/retrain", limit)
    with pytest.raises(TooManyRequestsError) as caught:
        client.models.retrain("churn", full=True)
    assert caught.value.retry_after == 60
    assert len(api.requests) == 1


def test_what_is_refused_is_not_asked_again(api: Api, client: Client) -> None:
    api.answers("DELETE /api/v1/jobs/churn", problem(409, "it has completed"))
    with pytest.raises(ConflictError, match="it has completed"):
        client.jobs.cancel("churn")
    assert len(api.requests) == 1


def test_a_problem_names_its_fields(api: Api, client: Client) -> None:
    errors = [{"field": "spec.data.target", "message": "Field required"}]
    body = {"title": "x", "status": 422, "detail": "…", "errors": errors, "request_id": "r1"}
    api.answers("POST /api/v1/jobs", Answer(422, body))
    with pytest.raises(InvalidRequestError) as caught:
        client.jobs.submit({})
    assert caught.value.problem.errors[0].field == "spec.data.target"
    assert caught.value.problem.request_id == "r1"


def test_the_shape_of_the_retrain_document_is_an_error_as_well(api: Api, client: Client) -> None:
    body = {"success": False, "error": "Python service error", "details": "too little data"}
    api.answers("GET /api/v1/me", Answer(500, body))
    with pytest.raises(ApiError, match="too little data") as caught:
        client.me()
    assert caught.value.problem.title == "Python service error"


@pytest.mark.parametrize("body", [b"<html>not found</html>", [], "text", {"status": "odd"}])
def test_an_answer_that_is_none_of_the_apis(api: Api, client: Client, body: object) -> None:
    api.answers("GET /api/v1/me", Answer(404, body))
    with pytest.raises(NotFoundError, match="not as a Trainyard API does") as caught:
        client.me()
    assert caught.value.status == 404


def test_a_redirect_does_not_take_the_token_elsewhere(api: Api, client: Client) -> None:
    api.answers("GET /api/v1/me", Answer(302, {}, {"Location": f"{api.url}/elsewhere"}))
    with pytest.raises(ApiError):
        client.me()
    assert [one.path for one in api.requests] == ["/api/v1/me"]


def test_what_is_on_this_machine_is_asked_without_a_proxy(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    api.answers("GET /api/v1/me", Answer(200, {"subject": "ada", "role": "viewer"}))
    with Client(api.url) as client:
        assert client.me().subject == "ada"


def test_nobody_at_the_address() -> None:
    with Client("http://127.0.0.1:1", patience=0) as client, pytest.raises(UnreachableError):
        client.me()


@pytest.fixture
def _no_waits() -> Iterator[None]:
    with stamina.set_testing(True, attempts=50, cap=True):
        yield


@pytest.mark.usefixtures("_no_waits")
@pytest.mark.parametrize(("was_reached", "tries"), [(True, 9), (False, 5)])
def test_who_has_answered_before_is_waited_for_longer(was_reached: bool, tries: int) -> None:
    asked = []

    def server(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if len(asked) in range(1 + was_reached, 9):
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json={"subject": "ada", "role": "viewer"})

    with Client("http://api", transport=httpx.MockTransport(server)) as client:
        if was_reached:
            client.me()
            client.me()
        else:
            with pytest.raises(UnreachableError):
                client.me()
    assert len(asked) == tries


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_lead_elsewhere(api: Api, client: Client, name: str) -> None:
    with pytest.raises(TrainyardError, match="is no name"):
        client.jobs.get(name)
    assert api.requests == []


def test_a_name_stays_one_part_of_the_path(api: Api, client: Client) -> None:
    with pytest.raises(NotFoundError):
        client.jobs.get("../models?x=1")
    assert api.requests[0].path == "/api/v1/jobs/..%2Fmodels%3Fx%3D1"


def test_pages_are_asked_for_as_they_are_read(api: Api, client: Client) -> None:
    pages = {None: (["a", "b"], "two"), "two": (["c"], None)}

    def page(request: object) -> Answer:
        names, following = pages[api.requests[-1].query.get("cursor", [None])[0]]
        return Answer(200, {"items": [job(name) for name in names], "next_cursor": following})

    api.routes["GET /api/v1/jobs"] = page
    found = client.jobs.list(status="running", model="churn")
    assert [next(found).job_id, next(found).job_id] == ["a", "b"]
    assert len(api.requests) == 1
    assert [one.job_id for one in found] == ["c"]
    assert {"status", "model", "limit", "cursor"} == set(api.requests[1].query)


def test_a_newer_api_may_say_more(api: Api, client: Client) -> None:
    api.answers("GET /api/v1/jobs/churn", Answer(200, job(phase="Dreaming", dreams=[1])))
    found = client.jobs.get("churn")
    assert (found.phase, found.model_dump()["dreams"]) == ("Dreaming", [1])
