import asyncio
from typing import Any

import httpx
import pytest
from trainyard_api.trainings.views import TrainingResponse
from trainyard_schema import TrainingJobSpec, names

from ..fake import FakeApi, api_error


def is_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["x-request-id"]
    return problem


async def start(client: httpx.AsyncClient, **body: Any) -> str:
    answer = await client.post("/train", json={"model_type": "xgboost", **body})
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["job_id"]
    return job_id


@pytest.mark.parametrize("model_type", ["xgboost", "random-forest", "neural-net", "all"])
async def test_start_one_type_without_a_body(
    client: httpx.AsyncClient, cluster: FakeApi, model_type: str
) -> None:
    answer = await client.post(f"/train/{model_type}")
    assert answer.status_code == 202
    body = answer.json()
    job_id = body["job_id"]
    assert body == {
        "job_id": job_id,
        "status": "started",
        "message": f"Training of {model_type} has started; follow it at /train/status/{job_id}",
        "model_type": model_type,
    }
    assert answer.headers["location"] == f"/train/status/{job_id}"
    job = cluster.stored[job_id]
    assert TrainingJobSpec.model_validate(job["spec"]).model_type == model_type
    assert job["metadata"]["annotations"][names.REQUESTER_ANNOTATION] == "ada"


async def test_start_with_a_configuration(client: httpx.AsyncClient, cluster: FakeApi) -> None:
    job_id = await start(client, retrain=True, use_cv=False, hyperparameters={"max_depth": 6})
    spec = cluster.stored[job_id]["spec"]
    assert (spec["overwrite"], spec["hyperparameters"]) == (True, {"max_depth": 6})
    assert "crossValidation" not in spec


async def test_both_doors_lead_to_the_same(client: httpx.AsyncClient, cluster: FakeApi) -> None:
    options = {"use_cv": False, "hyperparameters": {"max_depth": 6}, "seed": 1}
    await client.post("/train/xgboost", json=options)
    await start(client, **options)
    first, second = cluster.stored.values()
    assert first["spec"] == second["spec"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/train/lightgbm", None, "model_type"),
        ("/train", {}, "model_type"),
        ("/train", {"model_type": "svm"}, "model_type"),
        ("/train", {"model_type": "all", "use_cv": "perhaps"}, "use_cv"),
        ("/train", {"model_type": "all", "colour": "red"}, "colour"),
        ("/train", {"model_type": "all", "model": "../x"}, "model"),
        ("/train", {"model_type": "all", "seed": -1}, "seed"),
        ("/train", {"model_type": "all", "hyperparameters": {"max_depth": 3}},
         "hyperparameters.max_depth"),
        ("/train", {"model_type": "all", "dataset": {"uri": "/etc/passwd", "target": "y"}},
         "dataset.uri"),
        ("/train", {"model_type": "all", "dataset": {"uri": "s3://bkt/x.csv"}}, "dataset.target"),
        ("/train", {"model_type": "all", "dataset": {"uri": "s3://bkt/x", "target": "y",
                                                     "exclude": ["y"]}}, "dataset"),
        ("/train/xgboost", {"hyperparameters": {"n_estimators": 0}},
         "hyperparameters.n_estimators"),
    ],
)  # fmt: skip
async def test_a_bad_request_names_the_field(
    client: httpx.AsyncClient, cluster: FakeApi, path: str, body: Any, field: str
) -> None:
    problem = is_problem(await client.post(path, json=body), 422)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert field in problem["detail"]
    assert cluster.calls == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 422),
        (b"[]", 422),
        (b"null", 422),
        (b'"x"', 422),
        (b"\xff", 400),
        (b"[" * 60_000, 400),
    ],
)
async def test_a_body_that_is_no_request(
    client: httpx.AsyncClient, body: bytes, status: int
) -> None:
    headers = {"Content-Type": "application/json"}
    is_problem(await client.post("/train", content=body, headers=headers), status)


async def test_a_body_that_is_too_large(client: httpx.AsyncClient) -> None:
    async def chunks() -> Any:
        for _ in range(100):
            yield b" " * 1024

    headers = {"Content-Type": "application/json"}
    is_problem(await client.post("/train", content=b" " * 100_000, headers=headers), 413)
    is_problem(await client.post("/train", content=chunks(), headers=headers), 413)


async def test_a_name_that_is_taken_is_not_taken_twice(
    client: httpx.AsyncClient, cluster: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    suffixes = iter(["aaaaaaaa", "aaaaaaaa", "bbbbbbbb"])
    monkeypatch.setattr("secrets.token_hex", lambda _: next(suffixes))
    assert await start(client) == "train-xgboost-aaaaaaaa"
    assert await start(client) == "train-xgboost-bbbbbbbb"
    assert len(cluster.stored) == 2


async def test_what_admission_refuses_is_passed_on(
    client: httpx.AsyncClient, cluster: FakeApi
) -> None:
    def refuse(verb: str) -> None:
        raise api_error(403, 'admission webhook "cost" denied the request: over budget')

    cluster.fault = refuse
    problem = is_problem(await client.post("/train/xgboost"), 422)
    assert "over budget" in problem["detail"]


class TestIdempotencyKey:
    async def test_the_same_request_gets_the_same_answer(
        self, client: httpx.AsyncClient, cluster: FakeApi
    ) -> None:
        headers = {"Idempotency-Key": "k1"}
        first = await client.post("/train/xgboost", headers=headers)
        cluster.set_status(first.json()["job_id"], phase="Succeeded")
        second = await client.post("/train", json={"model_type": "xgboost"}, headers=headers)
        assert (first.status_code, first.json()) == (second.status_code, second.json())
        assert first.headers["location"] == second.headers["location"]
        assert len(cluster.stored) == 1

    async def test_many_at_once_start_one(
        self, client: httpx.AsyncClient, cluster: FakeApi
    ) -> None:
        headers = {"Idempotency-Key": "k1"}
        answers = await asyncio.gather(
            *(client.post("/train/xgboost", headers=headers) for _ in range(10))
        )
        assert {answer.status_code for answer in answers} == {202}
        assert len(cluster.stored) == 1

    async def test_another_request_is_refused(
        self, client: httpx.AsyncClient, cluster: FakeApi
    ) -> None:
        headers = {"Idempotency-Key": "k1"}
        await client.post("/train/xgboost", headers=headers)
        problem = is_problem(await client.post("/train/all", headers=headers), 422)
        assert problem["errors"][0]["field"] == "Idempotency-Key"
        assert len(cluster.stored) == 1

    async def test_another_key_is_another_training(
        self, client: httpx.AsyncClient, cluster: FakeApi
    ) -> None:
        for key in ("k1", "k2"):
            await client.post("/train/xgboost", headers={"Idempotency-Key": key})
        assert len(cluster.stored) == 2

    async def test_the_key_is_free_once_the_job_is_deleted(
        self, client: httpx.AsyncClient, cluster: FakeApi
    ) -> None:
        headers = {"Idempotency-Key": "k1"}
        await client.post("/train/xgboost", headers=headers)

        def delete_meanwhile(verb: str) -> None:
            if verb == "get":
                for name in list(cluster.stored):
                    cluster.delete(name)

        cluster.fault = delete_meanwhile
        answer = await client.post("/train/all", headers=headers)
        assert answer.status_code == 202
        assert len(cluster.stored) == 1

    @pytest.mark.parametrize("key", ["", "two words", "x" * 256])
    async def test_a_key_that_is_none(self, client: httpx.AsyncClient, key: str) -> None:
        is_problem(await client.post("/train/xgboost", headers={"Idempotency-Key": key}), 422)


class TestStatus:
    async def test_it_is_the_training_jobs(
        self, client: httpx.AsyncClient, cluster: FakeApi
    ) -> None:
        job_id = await start(client)
        cluster.set_status(job_id, phase="Running", stage="Training")
        body = (await client.get(f"/train/status/{job_id}")).json()
        assert (body["job_id"], body["status"], body["stage"]) == (job_id, "running", "Training")

    @pytest.mark.parametrize("job_id", ["nope", "NOPE", "%2e%2e", "a%2fb", "x" * 300])
    async def test_there_is_none(self, client: httpx.AsyncClient, job_id: str) -> None:
        is_problem(await client.get(f"/train/status/{job_id}"), 404)

    async def test_no_name_leads_out_of_the_namespace(
        self, client: httpx.AsyncClient, cluster: FakeApi
    ) -> None:
        await client.get("/train/status/%2e%2e")
        assert cluster.calls == []


class TestList:
    @pytest.fixture
    async def started(self, client: httpx.AsyncClient, cluster: FakeApi) -> list[str]:
        """Five trainings, the oldest first, the third of them made with kubectl."""
        ids = [await start(client), await start(client, model="houses")]
        cluster.put(
            {
                "metadata": {"name": "by-hand"},
                "spec": {"modelType": "neural-net"},
                "status": {"phase": "Succeeded"},
            }
        )
        ids += ["by-hand", await start(client, model_type="all"), await start(client)]
        cluster.set_status(ids[0], phase="Failed")
        cluster.set_status(ids[3], phase="Running")
        return ids

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({}, [4, 3, 2, 1, 0]),
            ({"limit": 2}, [4, 3]),
            ({"status": "started"}, [4, 1]),
            ({"status": "completed"}, [2]),
            ({"status": "cancelled"}, []),
            ({"model_type": "xgboost"}, [4, 1, 0]),
            ({"model_type": "all"}, [3]),
            ({"model": "houses"}, [1]),
            ({"model": "by-hand"}, [2]),
            ({"model": "churn", "status": "failed"}, [0]),
        ],
    )
    async def test_recent_first_and_filtered(
        self,
        client: httpx.AsyncClient,
        started: list[str],
        query: dict[str, Any],
        expected: list[int],
    ) -> None:
        body = (await client.get("/train/jobs", params=query)).json()
        assert [job["job_id"] for job in body["jobs"]] == [started[i] for i in expected]

    async def test_the_total_does_not_depend_on_the_limit(
        self, client: httpx.AsyncClient, started: list[str]
    ) -> None:
        body = (await client.get("/train/jobs", params={"limit": 1})).json()
        assert (len(body["jobs"]), body["total"]) == (1, 5)

    @pytest.mark.parametrize("query", [{"status": "done"}, {"limit": 0}, {"limit": 501}])
    async def test_a_bad_filter(self, client: httpx.AsyncClient, query: dict[str, Any]) -> None:
        problem = is_problem(await client.get("/train/jobs", params=query), 422)
        assert [error["field"] for error in problem["errors"]] == list(query)


class TestCancel:
    async def test_it_is_asked_of_the_operator(
        self, client: httpx.AsyncClient, cluster: FakeApi
    ) -> None:
        job_id = await start(client)
        cluster.set_status(job_id, phase="Running")
        answer = await client.delete(f"/train/job/{job_id}")
        assert answer.status_code == 202
        assert set(answer.json()) == set(TrainingResponse.model_fields)
        assert (answer.json()["job_id"], answer.json()["status"]) == (job_id, "running")
        assert cluster.stored[job_id]["spec"]["cancel"] is True

    async def test_asking_again_writes_nothing(
        self, client: httpx.AsyncClient, cluster: FakeApi
    ) -> None:
        job_id = await start(client)
        first = await client.delete(f"/train/job/{job_id}")
        second = await client.delete(f"/train/job/{job_id}")
        assert (first.status_code, first.json()) == (second.status_code, second.json())
        cluster.set_status(job_id, phase="Cancelled")
        third = await client.delete(f"/train/job/{job_id}")
        assert (third.status_code, third.json()["status"]) == (202, "cancelled")
        assert cluster.calls.count("patch") == 1

    @pytest.mark.parametrize(("phase", "word"), [("Succeeded", "completed"), ("Failed", "failed")])
    async def test_what_has_ended_stays_as_it_is(
        self, client: httpx.AsyncClient, cluster: FakeApi, phase: str, word: str
    ) -> None:
        job_id = await start(client)
        cluster.set_status(job_id, phase=phase)
        problem = is_problem(await client.delete(f"/train/job/{job_id}"), 409)
        assert word in problem["detail"]
        assert "patch" not in cluster.calls

    async def test_a_training_that_ends_meanwhile_is_not_said_to_be_cancelled(
        self, client: httpx.AsyncClient, cluster: FakeApi
    ) -> None:
        job_id = await start(client)

        def complete(verb: str) -> None:
            if verb == "patch":
                cluster.set_status(job_id, phase="Succeeded")

        cluster.fault = complete
        is_problem(await client.delete(f"/train/job/{job_id}"), 409)

    async def test_there_is_none(self, client: httpx.AsyncClient) -> None:
        is_problem(await client.delete("/train/job/nope"), 404)
