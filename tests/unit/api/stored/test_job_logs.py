"""Logs of trainings: in the pod, in the store, in neither."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from trainyard_api.trainings import logs as job_logs
from trainyard_api.trainings.log_lines import Position
from trainyard_schema import ModelType

from ..fake import FakeApi, settled
from ..trainings.test_jobs import is_problem
from .objects import BUCKET, V1, put_version

XGBOOST = ModelType.XGBOOST


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_logs, "_PAUSE_SECONDS", 0.01)


def uid(pod: str) -> str:
    return hashlib.sha256(pod.encode()).hexdigest()


@pytest.fixture
def job(cluster: FakeApi) -> str:
    cluster.put({"metadata": {"name": "job"}, "spec": {"modelType": "xgboost", "model": "churn"}})
    return "job"


def finish(cluster: FakeApi, s3: Any, *, pod: str, text: bytes | None, **model: Any) -> None:
    key = put_version(s3, V1, pod_uid=uid(pod))
    if text is not None:
        s3.put_object(Bucket=BUCKET, Key=key.prefix + "log.txt", Body=text)
    s3.put_object(
        Bucket=BUCKET, Key=key.prefix + "history.jsonl", Body=b'{"round": 1, "loss": NaN}\n'
    )
    version = {"modelType": "xgboost", "version": V1, **model}
    cluster.set_status("job", phase="Succeeded", models=[version])


async def asked(cluster: FakeApi, verb: str, times: int = 1) -> None:
    """Until the cluster was asked that so often."""
    async with asyncio.timeout(5):
        while cluster.calls.count(verb) < times:  # noqa: ASYNC110 - the fake tells nobody
            await asyncio.sleep(0)


async def texts(events: AsyncIterator[bytes]) -> list[str]:
    """The lines, and the data of `end`."""
    async with asyncio.timeout(5):
        parts = b"".join([event async for event in events]).decode()
    return [line.removeprefix("data: ") for line in parts.splitlines() if line.startswith("data")]


class TestText:
    async def test_of_a_pod(self, client: httpx.AsyncClient, cluster: FakeApi, job: str) -> None:
        cluster.put_pod("old", job, lines=1, state="terminated")
        cluster.put_pod("new", job, lines=3)
        cluster.put_pod("waiting", job, state="waiting")
        cluster.put_pod("other-type", job, index=1, lines=1)
        answer = await client.get("/api/v1/jobs/job/logs")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.text == "new line 1\nnew line 2\nnew line 3\n"

    async def test_of_the_version_once_the_pod_is_gone(
        self, client: httpx.AsyncClient, cluster: FakeApi, job: str, s3: Any
    ) -> None:
        finish(cluster, s3, pod="gone", text=b"kept\n")
        assert (await client.get("/api/v1/jobs/job/logs")).text == "kept\n"

    @pytest.mark.parametrize("follow", ["true", "false"])
    async def test_of_a_failed_run_whose_pod_is_gone(
        self, client: httpx.AsyncClient, cluster: FakeApi, job: str, follow: str
    ) -> None:
        cluster.set_status(job, phase="Failed", reason="OOMKilled", message="needs more memory")
        answer = await client.get(f"/api/v1/jobs/job/logs?follow={follow}")
        detail = is_problem(answer, 404)["detail"]
        assert "in the pod only" in detail
        assert "needs more memory" in detail

    async def test_of_a_version_that_was_only_found(
        self, client: httpx.AsyncClient, cluster: FakeApi, job: str, s3: Any
    ) -> None:
        finish(cluster, s3, pod="gone", text=b"of another training\n", unchanged=True)
        is_problem(await client.get("/api/v1/jobs/job/logs"), 404)

    async def test_of_a_version_that_was_deleted(
        self, client: httpx.AsyncClient, cluster: FakeApi, job: str, s3: Any
    ) -> None:
        finish(cluster, s3, pod="gone", text=None)
        detail = is_problem(await client.get("/api/v1/jobs/job/logs"), 404)["detail"]
        assert "has been deleted" in detail

    async def test_of_one_that_has_not_started(
        self, client: httpx.AsyncClient, cluster: FakeApi, job: str
    ) -> None:
        cluster.put_pod("waiting", job, state="waiting")
        cluster.set_status(job, phase="Starting", message="the image is being pulled")
        detail = is_problem(await client.get("/api/v1/jobs/job/logs"), 404)["detail"]
        assert "no log yet" in detail
        assert "the image is being pulled" in detail

    async def test_of_all_types_one_is_chosen(
        self, client: httpx.AsyncClient, cluster: FakeApi
    ) -> None:
        cluster.put({"metadata": {"name": "job"}, "spec": {"modelType": "all"}})
        cluster.put_pod("forest", "job", index=1, lines=1)
        problem = is_problem(await client.get("/api/v1/jobs/job/logs"), 422)
        assert [error["field"] for error in problem["errors"]] == ["model_type"]
        answer = await client.get("/api/v1/jobs/job/logs?model_type=random-forest")
        assert answer.text == "forest line 1\n"

    async def test_a_job_may_train_some_of_them_only(
        self, client: httpx.AsyncClient, cluster: FakeApi
    ) -> None:
        cluster.put({"metadata": {"name": "job"}, "spec": {"modelType": "all"}})
        cluster.put_pod("net", "job", lines=1, types="neural-net")
        answer = await client.get("/api/v1/jobs/job/logs?model_type=neural-net")
        assert answer.text == "net line 1\n"
        is_problem(await client.get("/api/v1/jobs/job/logs?model_type=xgboost"), 404)

    async def test_of_a_type_that_is_not_trained(self, client: httpx.AsyncClient, job: str) -> None:
        is_problem(await client.get("/api/v1/jobs/job/logs?model_type=neural-net"), 422)


class TestFollow:
    @pytest.fixture
    async def follow(
        self, app: FastAPI, client: httpx.AsyncClient, cluster: FakeApi, job: str
    ) -> Any:
        await settled(cluster, app.state.jobs)

        def follow(seen: Position | None = None) -> AsyncIterator[bytes]:
            events: AsyncIterator[bytes] = app.state.job_logs.follow("job", XGBOOST, seen)
            return events

        return follow

    async def test_from_before_the_pod_to_the_end(self, follow: Any, cluster: FakeApi) -> None:
        task = asyncio.create_task(texts(follow()))
        await asked(cluster, "list pods")
        cluster.put_pod("one", "job", lines=2)
        await asked(cluster, "log", 2)
        cluster.printed["one"].append(b"one line 3\n")
        cluster.put_pod("two", "job", lines=1, state="terminated")
        cluster.set_status("job", phase="Failed", message="x")
        assert await task == [
            "one line 1",
            "one line 2",
            "two line 1",
            '{"status": "failed"}',
        ]

    async def test_a_pod_that_goes_on(self, follow: Any, cluster: FakeApi) -> None:
        cluster.put_pod("one", "job", lines=2)
        task = asyncio.create_task(texts(follow(Position(uid("one")[:8], 1))))
        await asked(cluster, "log", 2)
        printed = [*cluster.printed["one"], b"last"]
        cluster.put_pod("one", "job", state="terminated")
        cluster.printed["one"] = printed
        cluster.set_status("job", phase="Cancelled")
        assert await task == ["one line 2", "last", '{"status": "cancelled"}']

    async def test_a_pod_that_goes_while_it_is_read(
        self, follow: Any, cluster: FakeApi, s3: Any
    ) -> None:
        """The version has the lines that were not read in time, under the same numbers."""
        cluster.put_pod("one", "job", lines=2)
        task = asyncio.create_task(texts(follow()))
        await asked(cluster, "log", 2)
        del cluster.pods["one"]
        finish(cluster, s3, pod="one", text=b"one line 1\none line 2\none line 3\n")
        assert await task == [
            "one line 1",
            "one line 2",
            "one line 3",
            '{"status": "completed"}',
        ]

    async def test_resumed_from_the_store(
        self, app: FastAPI, follow: Any, cluster: FakeApi, s3: Any
    ) -> None:
        finish(cluster, s3, pod="one", text=b"a\nb\nc\n")
        await settled(cluster, app.state.jobs)
        assert await texts(follow(Position(uid("one")[:8], 2))) == [
            "c",
            '{"status": "completed"}',
        ]

    async def test_an_api_server_that_fails_ends_the_stream_without_end(
        self, follow: Any, cluster: FakeApi
    ) -> None:
        cluster.put_pod("one", "job", lines=1)

        def fault(verb: str) -> None:
            if cluster.calls.count("list pods") == 2:
                raise TimeoutError

        cluster.fault = fault
        assert await texts(follow()) == ["one line 1"]


async def test_the_history_of_the_metrics(
    client: httpx.AsyncClient, cluster: FakeApi, job: str, s3: Any
) -> None:
    assert (await client.get("/api/v1/jobs/job/metrics")).json() == {}
    finish(cluster, s3, pod="gone", text=None)
    body = (await client.get("/api/v1/jobs/job/metrics")).json()
    assert body == {"xgboost": [{"round": 1, "loss": None}]}
