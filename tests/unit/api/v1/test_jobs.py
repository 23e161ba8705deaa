from typing import Any

import httpx
import pytest
from trainyard_schema import names

from ..fake import FakeApi
from ..trainings.test_jobs import is_problem

SPEC: dict[str, Any] = {
    "modelType": "xgboost",
    "data": {"uri": "s3://trainyard/datasets/churn.csv", "target": "churned"},
}


def put(cluster: FakeApi, name: str, *, labels: dict[str, str] | None = None, **spec: Any) -> None:
    metadata = {"name": name, "labels": labels or {}}
    cluster.put({"metadata": metadata, "spec": {**SPEC, **spec}})


class TestCreate:
    async def test_a_spec_becomes_a_training_job(
        self, client: httpx.AsyncClient, cluster: FakeApi
    ) -> None:
        spec = {**SPEC, "model": "churn", "hyperparameters": {"max_depth": 3}}
        answer = await client.post("/api/v1/jobs", json={"name": "churn-1", "spec": spec})
        assert answer.status_code == 202, answer.text
        assert answer.headers["location"] == "/api/v1/jobs/churn-1"
        body = answer.json()
        assert (body["job_id"], body["status"], body["model"]) == ("churn-1", "started", "churn")
        stored = cluster.stored["churn-1"]
        # What was not said is left to the CRD's defaults.
        assert stored["spec"] == spec
        assert stored["metadata"]["annotations"][names.REQUESTER_ANNOTATION] == "ada"

    async def test_a_name_is_made(self, client: httpx.AsyncClient, cluster: FakeApi) -> None:
        answer = await client.post("/api/v1/jobs", json={"spec": SPEC})
        assert answer.headers["location"] == f"/api/v1/jobs/{answer.json()['job_id']}"
        assert answer.json()["job_id"] in cluster.stored

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "spec"),
            ({"spec": {}}, "spec.modelType"),
            ({"spec": {**SPEC, "modelType": "svm"}}, "spec.modelType"),
            ({"spec": {**SPEC, "colour": "red"}}, "spec.colour"),
            ({"spec": {**SPEC, "hyperparameters": {"max_dept": 3}}},
             "spec.hyperparameters.max_dept"),
            ({"spec": SPEC, "name": "../x"}, "name"),
            ({"spec": SPEC, "name": "a..b"}, "name"),
            ({"spec": SPEC, "namespace": "kube-system"}, "namespace"),
        ],
    )  # fmt: skip
    async def test_a_bad_request_names_the_field(
        self, client: httpx.AsyncClient, cluster: FakeApi, body: Any, field: str
    ) -> None:
        problem = is_problem(await client.post("/api/v1/jobs", json=body), 422)
        assert field in [error["field"] for error in problem["errors"]]
        assert cluster.calls == []

    async def test_a_key_makes_it_once(self, client: httpx.AsyncClient, cluster: FakeApi) -> None:
        headers = {"Idempotency-Key": "k1"}
        first = await client.post("/api/v1/jobs", json={"spec": SPEC}, headers=headers)
        cluster.set_status(first.json()["job_id"], phase="Running")
        await client.delete(first.headers["location"])
        second = await client.post("/api/v1/jobs", json={"spec": SPEC}, headers=headers)
        assert (first.status_code, first.content) == (second.status_code, second.content)
        assert first.headers["location"] == second.headers["location"]
        other = {"spec": {**SPEC, "seed": 1}}
        is_problem(await client.post("/api/v1/jobs", json=other, headers=headers), 422)
        assert len(cluster.stored) == 1

    async def test_a_name_that_is_taken(self, client: httpx.AsyncClient) -> None:
        body, key = {"name": "churn-1", "spec": SPEC}, {"Idempotency-Key": "k1"}
        first = await client.post("/api/v1/jobs", json=body, headers=key)
        assert (await client.post("/api/v1/jobs", json=body, headers=key)).content == first.content
        is_problem(await client.post("/api/v1/jobs", json=body), 409)
        other = {"Idempotency-Key": "k2"}
        problem = is_problem(await client.post("/api/v1/jobs", json=body, headers=other), 409)
        assert "churn-1" in problem["detail"]


class TestShow:
    async def test_the_same_as_the_train_api_says(
        self, client: httpx.AsyncClient, cluster: FakeApi
    ) -> None:
        put(cluster, "churn-1")
        cluster.set_status("churn-1", phase="Running", stage="Training")
        answer = await client.get("/api/v1/jobs/churn-1")
        assert answer.json() == (await client.get("/train/status/churn-1")).json()
        assert cluster.calls == []

    async def test_polling_by_etag(self, client: httpx.AsyncClient, cluster: FakeApi) -> None:
        put(cluster, "churn-1")
        first = await client.get("/api/v1/jobs/churn-1")
        tag = first.headers["etag"]
        for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = await client.get("/api/v1/jobs/churn-1", headers={"If-None-Match": given})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        cluster.set_status("churn-1", phase="Running")
        changed = await client.get("/api/v1/jobs/churn-1", headers={"If-None-Match": tag})
        assert (changed.status_code, changed.json()["status"]) == (200, "running")
        assert changed.headers["etag"] != tag

    async def test_one_that_another_replica_has_just_made(
        self, client: httpx.AsyncClient, cluster: FakeApi
    ) -> None:
        """Its watch event is still on its way here."""
        put(cluster, "churn-1")
        await client.get("/healthz")
        client.event_hooks = {}
        copy = {**cluster.stored["churn-1"]}
        copy["metadata"] = {**copy["metadata"], "name": "churn-2", "resourceVersion": "100"}
        cluster.stored["churn-2"] = copy
        assert (await client.get("/api/v1/jobs/churn-2")).status_code == 200
        assert cluster.calls == ["get"]
        assert (await client.get("/api/v1/jobs/churn-2")).status_code == 200
        assert cluster.calls == ["get"]

    @pytest.mark.parametrize("name", ["nope", "NOPE", "%2e%2e", "a%2fb", "x" * 300, "%00"])
    @pytest.mark.parametrize("path", ["", "/events", "/logs", "/metrics"])
    async def test_there_is_none(self, client: httpx.AsyncClient, name: str, path: str) -> None:
        is_problem(await client.get(f"/api/v1/jobs/{name}{path}"), 404)


class TestList:
    @pytest.fixture
    def _some(self, cluster: FakeApi) -> None:
        put(cluster, "a", model="churn", labels={"team": "x", "gpu": ""})
        put(cluster, "b", model="houses", modelType="all", labels={"team": "y"})
        put(cluster, "c", model="churn")
        cluster.set_status("a", phase="Failed")
        cluster.set_status("b", phase="Suspended")

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("", "cba"),
            ("status=failed", "a"),
            ("status=started", "cb"),
            ("phase=Suspended", "b"),
            ("model=churn", "ca"),
            ("model_type=all", "b"),
            ("label=team", "ba"),
            ("label=team=x", "a"),
            ("label=team=x&label=gpu=", "a"),
            ("label=team=x&label=team=y", ""),
            ("label=gpu=1", ""),
            ("status=failed&model=houses", ""),
        ],
    )
    @pytest.mark.usefixtures("_some")
    async def test_filters(self, client: httpx.AsyncClient, query: str, expected: str) -> None:
        body = (await client.get(f"/api/v1/jobs?{query}")).json()
        assert "".join(job["job_id"] for job in body["items"]) == expected
        assert body["next_cursor"] is None

    async def test_pages_stay_as_they_are_while_trainings_come(
        self, client: httpx.AsyncClient, cluster: FakeApi
    ) -> None:
        # Two in the same second: the name decides.
        for number in range(5):
            metadata = {
                "name": f"job-{number}",
                "creationTimestamp": f"2026-01-01T00:00:0{number // 2}Z",
            }
            cluster.put({"metadata": metadata, "spec": SPEC})
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            query = f"limit=2&cursor={cursor}" if cursor else "limit=2"
            body = (await client.get(f"/api/v1/jobs?{query}")).json()
            seen += [job["job_id"] for job in body["items"]]
            cursor = body["next_cursor"]
            put(cluster, f"new-{len(seen)}")
        assert seen == ["job-4", "job-3", "job-2", "job-1", "job-0"]

    @pytest.mark.parametrize(
        "query", ["cursor=x", "cursor=WzFd", "limit=0", "limit=201", "status=done", "phase=x",
                  "label=%0a", "label=a==b", "model=..", "model_type=svm"],
    )  # fmt: skip
    async def test_a_bad_filter(self, client: httpx.AsyncClient, query: str) -> None:
        problem = is_problem(await client.get(f"/api/v1/jobs?{query}"), 422)
        assert problem["errors"][0]["field"].startswith(query.partition("=")[0])


class TestCancel:
    async def test_it_is_asked_of_the_operator(
        self, client: httpx.AsyncClient, cluster: FakeApi
    ) -> None:
        put(cluster, "churn-1")
        cluster.set_status("churn-1", phase="Running")
        answer = await client.delete("/api/v1/jobs/churn-1")
        assert (answer.status_code, answer.json()["status"]) == (202, "running")
        assert cluster.stored["churn-1"]["spec"]["cancel"] is True

    @pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
    async def test_what_has_ended(
        self, client: httpx.AsyncClient, cluster: FakeApi, phase: str
    ) -> None:
        put(cluster, "churn-1")
        cluster.set_status("churn-1", phase=phase)
        is_problem(await client.delete("/api/v1/jobs/churn-1"), 409)

    async def test_there_is_none(self, client: httpx.AsyncClient) -> None:
        is_problem(await client.delete("/api/v1/jobs/nope"), 404)
