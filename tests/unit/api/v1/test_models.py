"""Models, decisions about their champions, and plans."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from trainyard_schema import names

from ..fake import FakeApi, api_error

V1, V2, V3 = (f"2026112{day}T100000Z-0000000{day}" for day in (1, 2, 3))
BASE = "/api/v1/models"


def version(name: str, **told: Any) -> dict[str, Any]:
    return {
        "modelType": "xgboost",
        "version": name,
        "uri": f"s3://trainyard/models/churn/xgboost/{name}/",
        "sha256": "ab",
        "run": "churn-1",
        "metric": "roc_auc=0.8",
        "since": "2026-11-20T10:00:00Z",
        **told,
    }


def put_model(cluster: FakeApi, name: str = "churn", **told: Any) -> None:
    metadata = {"name": name, "uid": f"uid-{name}", **told.pop("metadata", {})}
    training = {"modelType": "xgboost", "data": {"uri": "s3://b/k.csv", "target": "churned"}}
    spec = {"schedule": "0 2 * * *", "template": {"spec": training}}
    status = {
        "champion": version(V2, transition=2),
        "previous": version(V1, transition=1),
        "candidates": [version(V3, reasons=["approval is manual"])],
        "nextScheduleTime": "2026-11-24T02:00:00Z",
    }
    model = {"metadata": metadata, "spec": spec, "status": {**status, **told}}
    cluster.put(model, plural=names.MODEL_PLURAL)


def stored(cluster: FakeApi) -> dict[str, Any]:
    found: dict[str, Any] = cluster.models["churn"]
    return found


@pytest.fixture
async def admin(client: httpx.AsyncClient, sign: Callable[..., str]) -> httpx.AsyncClient:
    client.headers["Authorization"] = f"Bearer {sign(role='admin')}"
    return client


async def test_a_model_shows_its_champion_and_candidates(
    client: httpx.AsyncClient, cluster: FakeApi
) -> None:
    put_model(cluster, metadata={"labels": {names.RETRAINABLE_LABEL: "true"}})
    body = (await client.get(f"{BASE}/churn")).json()
    assert body["champion"]["version"] == V2
    assert body["previous"]["version"] == V1
    assert [one["version"] for one in body["candidates"]] == [V3]
    assert (body["retrainable"], body["approval"], body["requests"]) == (True, "automatic", [])


async def test_lists_are_in_pages(client: httpx.AsyncClient, cluster: FakeApi) -> None:
    for name in ("a", "b", "c"):
        put_model(cluster, name)
    first = (await client.get(BASE, params={"limit": 2})).json()
    assert [one["name"] for one in first["items"]] == ["c", "b"]
    rest = (await client.get(BASE, params={"cursor": first["next_cursor"]})).json()
    assert ([one["name"] for one in rest["items"]], rest["next_cursor"]) == (["a"], None)


async def test_a_status_of_another_version_hides_no_model(
    client: httpx.AsyncClient, cluster: FakeApi
) -> None:
    put_model(cluster, champion={"odd": 1})
    body = (await client.get(f"{BASE}/churn")).json()
    assert body["champion"] is None
    assert "another version" in body["message"]


@pytest.mark.parametrize(
    ("decision", "body", "annotation", "value"),
    [
        ("approve", {"version": V3}, names.PROMOTE_ANNOTATION, f"{V3} {{id}}"),
        ("reject", {"version": V3}, names.REJECT_ANNOTATION, f"{V3} {{id}}"),
        ("rollback", {"reason": "calls went up"}, names.ROLLBACK_ANNOTATION, "{id} calls went up"),
        ("rollback", None, names.ROLLBACK_ANNOTATION, "{id}"),
    ],
)
async def test_a_decision_stands_on_the_model(
    *,
    admin: httpx.AsyncClient,
    cluster: FakeApi,
    decision: str,
    body: dict[str, Any] | None,
    annotation: str,
    value: str,
) -> None:
    put_model(cluster)
    answer = await admin.post(f"{BASE}/churn/{decision}", json=body)
    assert answer.status_code == 202, answer.text
    asked = answer.json()["id"]
    annotations = stored(cluster)["metadata"]["annotations"]
    assert annotations[annotation] == value.format(id=asked)
    assert annotations[names.REQUESTER_ANNOTATION] == "ada"

    [request] = (await admin.get(answer.headers["location"])).json()["requests"]
    assert (request["id"], request["answered"]) == (asked, False)
    again = await admin.post(f"{BASE}/churn/rollback")
    assert (again.status_code, asked in again.text) == (409, True)

    model = stored(cluster)
    kind = annotation.rpartition("/")[2].capitalize()
    status = {**model["status"], f"lastHandled{kind}": annotations[annotation], "message": "no"}
    cluster.put({**model, "status": status}, plural=names.MODEL_PLURAL)
    shown = (await admin.get(answer.headers["location"])).json()
    assert (shown["requests"][0]["answered"], shown["message"]) == (True, "no")


@pytest.mark.parametrize(
    ("decision", "body", "told"),
    [
        ("approve", {"version": V1}, {}),
        ("reject", {"version": V2}, {}),
        ("approve", {"version": V2}, {"candidates": [version(V2, reasons=[])]}),
        ("rollback", {}, {"previous": None}),
    ],
)
async def test_what_the_operator_would_refuse(
    admin: httpx.AsyncClient, cluster: FakeApi, decision: str, body: Any, told: Any
) -> None:
    put_model(cluster, **told)
    answer = await admin.post(f"{BASE}/churn/{decision}", json=body)
    assert answer.status_code == 409
    assert "annotations" not in stored(cluster)["metadata"]


@pytest.mark.parametrize(
    ("decision", "body", "status"),
    [
        ("approve", {"version": "latest"}, 422),
        ("approve", {}, 422),
        ("rollback", {"reason": "a\nb"}, 422),
        ("rollback", {"reason": "x" * 201}, 422),
        ("rollback", {"version": V1}, 422),
    ],
)
async def test_what_makes_no_sense(
    admin: httpx.AsyncClient, cluster: FakeApi, decision: str, body: Any, status: int
) -> None:
    put_model(cluster)
    assert (await admin.post(f"{BASE}/churn/{decision}", json=body)).status_code == status


async def test_no_such_model(admin: httpx.AsyncClient) -> None:
    assert (await admin.get(f"{BASE}/churn")).status_code == 404
    assert (await admin.post(f"{BASE}/churn/rollback")).status_code == 404


async def test_a_promotion_looks_into_the_store_first(
    admin: httpx.AsyncClient, cluster: FakeApi
) -> None:
    put_model(cluster)
    # The object store of these tests is away.
    answer = await admin.post(f"{BASE}/churn/promote", json={"version": V1})
    assert answer.status_code == 503
    assert "annotations" not in stored(cluster)["metadata"]


async def test_a_model_that_changes_meanwhile_is_read_again(
    admin: httpx.AsyncClient, cluster: FakeApi
) -> None:
    put_model(cluster)
    conflicts = iter([True, True])

    def fault(verb: str) -> None:
        if verb == "patch" and next(conflicts, False):
            raise api_error(409, "the object has been modified")

    cluster.fault = fault
    assert (await admin.post(f"{BASE}/churn/rollback")).status_code == 202


async def test_decisions_are_for_admins(client: httpx.AsyncClient, cluster: FakeApi) -> None:
    put_model(cluster)
    assert (await client.post(f"{BASE}/churn/rollback")).status_code == 403


async def test_plans(client: httpx.AsyncClient, cluster: FakeApi) -> None:
    put_model(cluster, metadata={"labels": {names.RETRAINABLE_LABEL: "true"}})
    put_model(cluster, "bare", champion=None, candidates=[], nextScheduleTime=None)
    for number, seconds in enumerate((10, 20, 60)):
        job = {
            "metadata": {
                "name": f"run-{number}",
                "creationTimestamp": "2026-11-23T10:00:00Z",
                "labels": {names.MODEL_UID_LABEL: "uid-churn"},
            },
            "spec": {},
            "status": {
                "phase": "Succeeded",
                "completionTime": f"2026-11-23T10:{seconds // 60:02}:{seconds % 60:02}Z",
            },
        }
        cluster.put(job)
    body = (await client.get("/api/plans")).json()
    assert body["success"] is True
    bare, churn = body["data"]
    assert (bare["typical_seconds"], bare["champion"], bare["retrainable"]) == (None, None, False)
    assert (churn["typical_seconds"], churn["champion"], churn["retrainable"]) == (20, V2, True)
    assert (churn["schedule"], churn["next_run"]) == ("0 2 * * *", "2026-11-24T02:00:00Z")


TEMPLATE = {
    "spec": {"modelType": "xgboost", "data": {"uri": "s3://trainyard/k.csv", "target": "churned"}}
}


async def test_a_model_is_created_and_deleted(admin: httpx.AsyncClient, cluster: FakeApi) -> None:
    spec = {"schedule": "0 3 * * *", "cooldown": "1h", "template": TEMPLATE}
    body = {"name": "churn", "spec": spec, "retrainable": True}
    created = await admin.post(BASE, json=body)
    assert (created.status_code, created.headers["Location"]) == (201, f"{BASE}/churn")
    assert stored(cluster)["spec"] == spec
    assert stored(cluster)["metadata"]["labels"] == {names.RETRAINABLE_LABEL: "true"}
    assert stored(cluster)["metadata"]["annotations"] == {names.REQUESTER_ANNOTATION: "ada"}
    assert (await admin.get(f"{BASE}/churn")).json() == created.json()
    again = await admin.post(BASE, json=body)
    assert (again.status_code, again.json()["detail"]) == (409, "There is a Model churn already.")
    assert (await admin.delete(f"{BASE}/churn")).status_code == 204
    assert cluster.models == {}
    assert (await admin.delete(f"{BASE}/churn")).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "Churn!"}, "name"),
        ({"spec": {}}, "spec.template"),
        ({"spec": {"template": TEMPLATE, "schedule": "often"}}, "spec.schedule"),
        ({"spec": {"template": TEMPLATE, "champion": "x"}}, "spec.champion"),
        (
            {"spec": {"template": {"spec": {**TEMPLATE["spec"], "hyperparameters": {"depth": 3}}}}},
            "spec.template.spec.hyperparameters.depth",
        ),
    ],
)
async def test_a_model_that_could_not_train_is_refused(
    admin: httpx.AsyncClient, cluster: FakeApi, wrong: dict[str, Any], field: str
) -> None:
    refused = await admin.post(BASE, json={"name": "m", "spec": {"template": TEMPLATE}, **wrong})
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == [field]
    assert cluster.models == {}


async def test_models_are_found_by_what_they_train(
    client: httpx.AsyncClient, cluster: FakeApi
) -> None:
    put_model(cluster, "a", metadata={"labels": {names.RETRAINABLE_LABEL: "true"}})
    put_model(cluster, "b")

    async def found(**query: Any) -> list[str]:
        answer = await client.get(BASE, params=query)
        return [one["name"] for one in answer.json()["items"]]

    assert await found(retrainable=True) == ["a"]
    assert await found(retrainable=False) == ["b"]
    assert await found(model_type="xgboost") == ["b", "a"]
    assert await found(model_type="all") == []
