"""POST /api/retrain and POST /retrain: every answer that their document knows."""

import re
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from ..control_plane import ControlPlane, wait_for
from ..object_store import BUCKET, S3Server
from ..postgres import Postgres
from .replicas import SERVICE_TOKEN, OpenYard, Replica, Yard, ended, listed, retrain, token

pytestmark = [pytest.mark.component, pytest.mark.timeout(180)]

BODY = {"full_retrain": False, "model_type": "all"}
NAMES = ["comparison", "factors", "probability"]


@pytest.fixture(scope="module")
def yard(open_yard: OpenYard) -> Iterator[Yard]:
    store = S3Server()
    yard = open_yard(store.url)
    rows = "".join(f"{number},{number % 2}\n" for number in range(19))
    store.put("datasets/small.csv", "age,churned\n" + rows)
    store.put("datasets/enough.csv", f"age,churned\n{rows}19,1\n")
    for name in NAMES:
        yard.model(name, marked=True)
    yield yard
    store.stop()


@pytest.fixture(scope="module")
def replica(yard: Yard) -> Replica:
    return yard.start(RETRAIN_CONCURRENT="1000")


@pytest.fixture
def user() -> str:
    """A user who has asked for nothing so far."""
    return f"user-{uuid.uuid4()}"


@pytest.fixture
def name(yard: Yard) -> str:
    """A Model of the test's own."""
    return yard.model(f"model-{uuid.uuid4()}")


def failure(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert body.pop("success") is False
    return body


def test_the_documents_answer_and_the_whole_way(yard: Yard, replica: Replica, user: str) -> None:
    answer = replica.post(BODY, user)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == {"success", "message", "data"}
    assert (body["success"], body["message"]) == (True, "Retreinamento iniciado")
    data = body["data"]
    assert set(data) == {
        "user_id", "retrain_type", "full_retrain", "python_response", "initiated_at",
    }  # fmt: skip
    assert (data["retrain_type"], data["full_retrain"]) == ("all", False)
    assert uuid.UUID(data["user_id"]).version == 5
    job_id = data["python_response"]["job_id"]
    assert data["python_response"] == {
        "status": "processing", "job_id": job_id, "estimated_time": 120,
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", data["initiated_at"])
    initiated = datetime.fromisoformat(data["initiated_at"])
    assert abs(datetime.now(UTC) - initiated) < timedelta(seconds=30)

    row = retrain(replica, job_id)
    assert (row["status"], row["requester"], row["model_type"]) == ("processing", user, "all")
    assert [run["model"] for run in row["runs"]] == NAMES
    assert [yard.requested(name) for name in NAMES] == [job_id] * 3
    annotations = yard.get("factors")["metadata"]["annotations"]
    assert annotations["trainyard.dev/retrain-mode"] == f"incremental {job_id}"
    assert annotations["trainyard.dev/retrain-requester"] == f"{user} {job_id}"
    assert [yard.start_run(name) for name in NAMES] == [run["run"] for run in row["runs"]]
    wait_for(
        "its runs are seen",
        lambda: all(run["started_at"] for run in retrain(replica, job_id)["runs"]),
    )
    for run in row["runs"]:
        yard.end_run(run["run"])
    done = ended(replica, job_id)
    assert (done["status"], done["error_message"]) == ("completed", None)
    assert [run["status"] for run in done["runs"]] == ["completed"] * 3


def test_one_model_from_scratch_and_what_it_will_take(
    yard: Yard, replica: Replica, name: str
) -> None:
    for number, expected in enumerate([120, 60, 60]):
        answer = replica.post({"full_retrain": number < 2, "model_type": name}, f"{name}-{number}")
        assert answer.status_code == 200, answer.text
        response = answer.json()["data"]["python_response"]
        assert response["estimated_time"] == expected
        assert yard.get(name)["metadata"]["annotations"]["trainyard.dev/retrain-mode"] == (
            f"{'full' if number < 2 else 'incremental'} {response['job_id']}"
        )
        run = yard.start_run(name)
        created = datetime.fromisoformat(
            (yard.rest.get(f"{yard.jobs}/{run}") or {})["metadata"]["creationTimestamp"]
        )
        after = (created + timedelta(seconds=60)).isoformat()
        yard.set_status(f"{yard.jobs}/{run}", phase="Succeeded", completionTime=after)
        assert ended(replica, response["job_id"])["status"] == "completed"


def test_a_run_that_fails_is_told_with_its_reason(
    yard: Yard, replica: Replica, name: str, user: str
) -> None:
    job_id = replica.post({"model_type": name}, user).json()["data"]["python_response"]["job_id"]
    yard.finish(name, phase="Failed", reason="InvalidData", message="target 'y' is constant")
    done = ended(replica, job_id)
    assert done["status"] == "failed"
    assert done["error_message"] == "the run failed: InvalidData: target 'y' is constant"


def test_without_a_valid_token(replica: Replica) -> None:
    for headers in ({}, {"Authorization": "Bearer garbage"}, {"Authorization": "Basic eDp5"}):
        answer = httpx.post(f"{replica.url}/api/retrain", json=BODY, headers=headers)
        assert answer.status_code == 401
        assert answer.json() == {
            "success": False,
            "error": "Unauthorized",
            "details": "No valid JWT token provided",
        }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"full_retrain": "yes"}, "full_retrain"),
        ({"model_type": ""}, "model_type"),
        ({"model_type": ["all"]}, "model_type"),
        ({"model_type": "a\0b"}, "model_type"),
        ({"model_type": "\ud800"}, "model_type"),
        ({"full_retrian": True}, "full_retrian"),
    ],
)
def test_a_body_that_makes_no_sense(replica: Replica, body: dict[str, Any], field: str) -> None:
    error = failure(replica.post(body), 422)
    assert set(error) == {"error", "details"}
    assert error["details"].startswith(f"{field}: ")


@pytest.mark.parametrize("name", ["nobody", "../models", "Übung", "x" * 253])
def test_a_model_that_is_not_there(replica: Replica, user: str, name: str) -> None:
    error = failure(replica.post({"model_type": name}, user), 503)
    assert error == {
        "error": "Python service error",
        "details": f"there is no Model {name}",
        "status": 404,
    }
    [row] = listed(replica, user=user)[:1]
    assert (row["status"], row["requester"], row["runs"]) == ("failed", user, [])


def test_a_model_that_has_yet_to_answer_is_not_asked_again(
    replica: Replica, yard: Yard, name: str, user: str
) -> None:
    job_id = replica.post({"model_type": name}, user).json()["data"]["python_response"]["job_id"]
    message = "waiting to retrain: cooldown until 2026-11-23T03:30:00Z"
    yard.set_status(f"{yard.models}/{name}", message=message)

    def refused() -> dict[str, Any] | None:
        body: dict[str, Any] = replica.post({"model_type": name}, str(uuid.uuid4())).json()
        return body if message in body["details"] else None

    error = wait_for("the message is known", refused)
    assert error["error"] == "Python service error"
    assert error["status"] == 409
    assert error["details"] == f"Model {name} has yet to answer the request {job_id} ({message})"
    assert yard.requested(name) == job_id
    yard.finish(name)
    ended(replica, job_id)


def test_a_suspended_model_is_not_asked(yard: Yard, replica: Replica, user: str) -> None:
    name = yard.model(f"model-{uuid.uuid4()}", suspend=True)
    error = failure(replica.post({"model_type": name}, user), 503)
    assert error["status"] == 409
    assert "spec.suspend" in error["details"]
    assert yard.requested(name) is None


@pytest.mark.parametrize(
    ("key", "details"),
    [
        ("small.csv", "has 19 rows, and at least 20 are needed"),
        ("gone.csv", "there is nothing at s3://trainyard/datasets/gone.csv"),
        ("enough.csv", None),
    ],
)
def test_too_little_data(
    yard: Yard, replica: Replica, user: str, key: str, details: str | None
) -> None:
    name = yard.model(f"model-{uuid.uuid4()}", uri=f"s3://{BUCKET}/datasets/{key}")
    answer = replica.post({"model_type": name}, user)
    if details is None:
        assert answer.status_code == 200, answer.text
        return
    error = failure(answer, 503)
    assert error["error"] == "Python service error"
    assert error["status"] == 400
    assert error["details"].startswith("Insufficient training data available: ")
    assert details in error["details"]
    assert yard.requested(name) is None
    [row] = listed(replica, user=user)
    assert (row["status"], row["error_message"]) == ("failed", error["details"])


def test_a_second_request_within_a_minute(replica: Replica, name: str, user: str) -> None:
    assert replica.post({"model_type": name}, user).status_code == 200
    answer = replica.post({"model_type": name}, user)
    error = failure(answer, 429)
    assert set(error) == {"error", "details"}
    assert 55 <= int(answer.headers["retry-after"]) <= 60
    assert len(listed(replica, user=user)) == 1


def test_an_api_server_that_hangs(
    yard: Yard, replica: Replica, name: str, user: str, kubernetes: ControlPlane
) -> None:
    with kubernetes.paused():
        start = time.monotonic()
        answer = replica.post({"model_type": name}, user)
        assert time.monotonic() - start < 30
        error = failure(answer, 503)
        assert error.pop("service_url").startswith("https://127.0.0.1:")
        assert error == {
            "error": "Python service not available",
            "details": "the Kubernetes API server cannot be reached",
        }
        assert listed(replica, user=user)[0]["completed_at"] is None

    # Whether the Model was asked is known only now. Either way the row ends.
    def look() -> bool:
        row = listed(replica, user=user)[0]
        return bool(row["completed_at"]) or row["status"] == "processing"

    wait_for("the row says what became of it", look, 60)
    row = listed(replica, user=user)[0]
    assert (yard.requested(name) == row["job_id"]) is (row["status"] == "processing")


def test_a_database_that_is_away(
    yard: Yard, replica: Replica, name: str, user: str, postgres: Postgres
) -> None:
    with postgres.killed():
        error = failure(replica.post({"model_type": name}, user), 500)
        assert error["error"] == "Failed to initiate model retraining"
        assert "database" in error["details"]
        assert httpx.get(f"{replica.url}/readyz").status_code == 200
        headers = {"Authorization": f"Bearer {token()}"}
        assert httpx.get(f"{replica.url}/train/jobs", headers=headers).status_code == 200
    assert yard.requested(name) is None
    assert replica.post({"model_type": name}, user).status_code == 200


def backend(replica: Replica, body: dict[str, Any], secret: str = SERVICE_TOKEN) -> httpx.Response:
    return httpx.post(f"{replica.url}/retrain", json=body, auth=("trainyard", secret), timeout=45)


def test_what_a_backend_calls(yard: Yard, replica: Replica, name: str) -> None:
    given = str(uuid.uuid4())
    answer = backend(replica, {"user_id": given, "full_retrain": True, "model_type": name, "x": 1})
    assert answer.status_code == 200, answer.text
    job_id = answer.json()["job_id"]
    assert answer.json() == {"status": "processing", "job_id": job_id, "estimated_time": 120}
    row = retrain(replica, job_id)
    assert (row["user_id"], row["requester"], row["full_retrain"]) == (given, given, True)
    # The backend tells its users what it is told.
    assert backend(replica, {"user_id": given, "model_type": name}).status_code == 429
    error = failure(backend(replica, {"user_id": 42, "model_type": name}), 409)
    assert error["details"].startswith(f"Model {name} has yet to answer")
    assert listed(replica, user="42")[0]["requester"] == "42"
    failure(backend(replica, {"user_id": "4\n2", "model_type": name}), 422)
    assert failure(backend(replica, {}, "wrong"), 401)["error"] == "Unauthorized"
    yard.finish(name)
    ended(replica, job_id)


async def test_what_api_v1_adds(yard: Yard, replica: Replica, name: str, user: str) -> None:
    async with replica.client(user) as client, replica.client("eve") as eve:
        path = f"/api/v1/models/{name}/retrain"
        answer = await client.post(path, json={"full": True})
        assert answer.status_code == 202, answer.text
        location = answer.headers["location"]
        assert (await client.get(location)).json() == answer.json()
        assert answer.json()["runs"][0]["mode"] == "full"
        assert (await eve.get(location)).status_code == 404
        assert (await eve.get("/api/v1/retrains")).json() == {"items": [], "next_cursor": None}
        for query in ({"all": "true"}, {"user": user}):
            assert (await eve.get("/api/v1/retrains", params=query)).status_code == 403
        own = (await client.get("/api/v1/retrains", params={"user": user})).json()
        assert [row["id"] for row in own["items"]] == [answer.json()["id"]]
        again = await client.post(path)
        assert again.status_code == 429
        assert again.headers["content-type"] == "application/problem+json"
        assert int(again.headers["retry-after"]) <= 60
        assert (await eve.post(path)).status_code == 409
    async with replica.client(str(uuid.uuid4())) as other:
        missing = await other.post("/api/v1/models/nobody/retrain")
        assert (missing.status_code, missing.json()["status"]) == (404, 404)
    yard.finish(name)


async def test_pages_hold_still(replica: Replica) -> None:
    for number in range(5):
        replica.post({"model_type": "nobody"}, f"pages-{number}")
    async with replica.client("root", "admin") as client:
        whole = (await client.get("/api/v1/retrains", params={"all": "true"})).json()["items"]
        seen: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            query = {"all": "true", "limit": "2", **cursor}
            page = (await client.get("/api/v1/retrains", params=query)).json()
            seen += page["items"]
            replica.post({"model_type": "nobody"}, str(uuid.uuid4()))
            if page["next_cursor"] is None or len(seen) >= len(whole):
                break
            cursor = {"cursor": page["next_cursor"]}
        assert [row["id"] for row in seen[: len(whole)]] == [row["id"] for row in whole]
        forged = await client.get("/api/v1/retrains", params={"cursor": "WyJ4IiwgInkiXQ"})
        assert forged.status_code == 422
