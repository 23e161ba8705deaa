"""Answers from the watch cache, whatever happens to the watch; events and logs of trainings."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from trainyard_schema import names

from ..control_plane import API, ControlPlane, Rest, wait_for
from .conftest import JOBS, NAMESPACE, Serve, Server
from .events import Event, listening
from .kubelet import Logs, with_logs

pytestmark = pytest.mark.component

DATA = {"uri": "s3://trainyard/datasets/churn.csv", "target": "churned"}


def create(rest: Rest, name: str, **spec: Any) -> dict[str, Any]:
    return rest.post(
        JOBS,
        {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {"name": name},
            "spec": {"modelType": "xgboost", "data": DATA, **spec},
        },
    )


def set_status(rest: Rest, name: str, **status: Any) -> None:
    rest.patch(f"{JOBS}/{name}/status", {"status": status})


async def until(check: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not await check():  # noqa: ASYNC110 - it asks another process
            await asyncio.sleep(0.02)


async def names_of(client: httpx.AsyncClient) -> set[str]:
    answer = await client.get("/api/v1/jobs", params={"limit": 200})
    assert answer.status_code == 200, answer.text
    return {job["job_id"] for job in answer.json()["items"]}


class TestTwoReplicas:
    @pytest.fixture
    async def both(self, serve: Serve) -> AsyncIterator[tuple[httpx.AsyncClient, ...]]:
        one, other = serve(), serve()
        async with one.client() as first, other.client() as second:
            yield first, second

    async def test_what_one_has_written_the_other_knows(
        self, both: tuple[httpx.AsyncClient, ...]
    ) -> None:
        first, second = both
        for _ in range(50):
            answer = await first.post("/api/v1/jobs", json={"spec": SPEC})
            assert answer.status_code == 202, answer.text
            shown = await second.get(answer.headers["location"])
            assert shown.status_code == 200, shown.text
            assert shown.json() == answer.json()

    async def test_they_agree(self, both: tuple[httpx.AsyncClient, ...], rest: Rest) -> None:
        for number in range(30):
            create(rest, f"job-{number}")
            set_status(rest, f"job-{number}", phase="Running")
        for number in range(0, 30, 3):
            rest.delete(f"{JOBS}/job-{number}")
        expected = {job["metadata"]["name"] for job in rest.items(JOBS)}
        for client in both:

            async def same(client: httpx.AsyncClient = client) -> bool:
                return await names_of(client) == expected

            await until(same)
        pages = [(await client.get("/api/v1/jobs?limit=7")).json() for client in both]
        assert pages[0] == pages[1]
        # A cursor of one replica holds at the other.
        path = f"/api/v1/jobs?limit=7&cursor={pages[0]['next_cursor']}"
        assert (await both[0].get(path)).json() == (await both[1].get(path)).json()
        tags = {(await client.get("/api/v1/jobs/job-1")).headers["etag"] for client in both}
        assert len(tags) == 1


SPEC = {"modelType": "xgboost", "data": DATA}


async def test_more_than_one_chunk_is_listed(serve: Serve, rest: Rest) -> None:
    for number in range(510):
        create(rest, f"job-{number:03}")
    async with serve().client() as client:
        body = (await client.get("/train/jobs?limit=1")).json()
    assert (body["total"], body["jobs"][0]["job_id"]) == (510, "job-509")


async def test_a_restarted_api_server_that_has_forgotten_everything(
    server: Server, kubernetes: ControlPlane, rest: Rest
) -> None:
    create(rest, "stays")
    create(rest, "goes")
    async with server.client() as client:
        await until(lambda: _knows(client, {"stays", "goes"}))
        server.process.send_signal(signal.SIGSTOP)
        try:
            rest.delete(f"{JOBS}/goes")
            create(rest, "comes")
            kubernetes.restart_apiserver()
            wait_for("the CRD is served", lambda: rest.serves(JOBS))
        finally:
            server.process.send_signal(signal.SIGCONT)
        await until(lambda: _knows(client, {"stays", "comes"}), seconds=20)
        # And it watches again.
        create(rest, "later")
        await until(lambda: _knows(client, {"stays", "comes", "later"}))
    assert "everything is listed anew" in server.log.read_text()


async def _knows(client: httpx.AsyncClient, expected: set[str]) -> bool:
    return await names_of(client) == expected


async def test_an_api_server_that_hangs_is_not_asked(
    server: Server, kubernetes: ControlPlane, rest: Rest
) -> None:
    create(rest, "known")
    async with server.client() as client:
        await until(lambda: _knows(client, {"known"}))
        with kubernetes.paused():
            start = time.monotonic()
            for path in ("/train/status/known", "/train/jobs", "/api/v1/jobs/known"):
                assert (await client.get(path)).status_code == 200
            assert time.monotonic() - start < 2
            # Only the cluster can say that there is none.
            assert (await client.get("/api/v1/jobs/unknown")).status_code == 503
        set_status(rest, "known", phase="Running")

        async def told() -> bool:
            return bool((await client.get("/api/v1/jobs/known")).json()["status"] == "running")

        await until(told)


class TestEvents:
    async def test_each_change_within_a_second(self, server: Server, rest: Rest) -> None:
        create(rest, "job")
        async with (
            server.client() as client,
            listening(client, "/api/v1/jobs/job/events") as events,
        ):
            assert (await anext(events)).document["status"] == "started"
            for percent in range(0, 100, 20):
                progress = {"percent": percent, "updatedAt": "2026-11-20T10:00:00Z"}
                await asyncio.to_thread(set_status, rest, "job", phase="Running", progress=progress)
                changed = time.monotonic()
                event = await anext(events)
                assert event.document["progress"]["percent"] == percent
                assert event.received - changed < 1
            set_status(rest, "job", phase="Succeeded")
            rest_of_them = [event async for event in events]
        assert [event.name for event in rest_of_them] == ["job", "end"]
        assert rest_of_them[-1].document == {"status": "completed"}

    async def test_resumed_at_the_other_replica(self, serve: Serve, rest: Rest) -> None:
        create(rest, "job")
        path = "/api/v1/jobs/job/events"
        async with serve().client() as one, serve().client() as other:
            async with listening(one, path) as events:
                first = await anext(events)
            async with listening(other, path, last=first.id) as events:
                # The state that was told already is not told again: the next one is a new one.
                set_status(rest, "job", phase="Running")
                second = await anext(events)
                assert second.document["status"] == "running"
                assert int(second.id or 0) > int(first.id or 0)
            set_status(rest, "job", phase="Failed")
            async with listening(one, path, last=second.id) as events:
                assert [event.name async for event in events] == ["job", "end"]

    async def test_a_server_that_stops_ends_its_streams(self, server: Server, rest: Rest) -> None:
        create(rest, "job")
        async with server.client() as client:
            async with listening(client, "/api/v1/jobs/job/events") as events:
                await anext(events)
                server.process.send_signal(signal.SIGTERM)
                start = time.monotonic()
                assert [event async for event in events] == []
            await asyncio.to_thread(server.process.wait, 10)
        assert time.monotonic() - start < 5
        assert "request failed" not in server.log.read_text()

    async def test_many_readers_of_one_training(self, server: Server, rest: Rest) -> None:
        create(rest, "job")
        received: list[float] = []
        ready = asyncio.Semaphore(0)

        async def read(client: httpx.AsyncClient) -> None:
            async with listening(client, "/api/v1/jobs/job/events") as events:
                async for event in events:
                    if event.name == "job" and event.document["status"] == "running":
                        received.append(event.received)
                    ready.release()

        limits = httpx.Limits(max_connections=None)
        headers = {"Authorization": f"Bearer {server.token}"}
        async with httpx.AsyncClient(
            base_url=server.url, headers=headers, limits=limits, timeout=30
        ) as client:
            tasks = [asyncio.create_task(read(client)) for _ in range(100)]
            for _ in tasks:
                await ready.acquire()
            await asyncio.to_thread(set_status, rest, "job", phase="Running")
            changed = time.monotonic()
            for _ in tasks:
                await ready.acquire()
            set_status(rest, "job", phase="Succeeded")
            await asyncio.gather(*tasks)
        assert len(received) == 100
        assert max(received) - changed < 1


class TestLogs:
    POD = "job-0"

    @pytest.fixture
    async def client(
        self, kubernetes: ControlPlane, rest: Rest, serve: Serve, tmp_path: Path, logs: Logs
    ) -> AsyncIterator[httpx.AsyncClient]:
        with with_logs(kubernetes.kubeconfigs[API], tmp_path, logs) as kubeconfig:
            server = serve(kubeconfig=kubeconfig)
            async with server.client() as client:
                yield client
            server.process.terminate()
            server.process.wait(20)

    @pytest.fixture
    def logs(self) -> Logs:
        return Logs()

    def start_pod(self, rest: Rest, job: dict[str, Any]) -> None:
        uid = job["metadata"]["uid"]
        namespace = f"/api/v1/namespaces/{NAMESPACE}"
        # No controller makes one here, and no pod is admitted without.
        rest.post(f"{namespace}/serviceaccounts", {"metadata": {"name": "default"}})
        rest.post(
            f"{namespace}/pods",
            {
                "metadata": {
                    "name": self.POD,
                    "labels": {names.UID_LABEL: uid},
                    "annotations": {names.COMPLETION_INDEX_ANNOTATION: "0"},
                },
                "spec": {
                    "automountServiceAccountToken": False,
                    "containers": [{"name": names.TRAINER_CONTAINER, "image": "trainer"}],
                },
            },
        )

    def set_container(self, rest: Rest, **state: Any) -> None:
        status = {
            "name": names.TRAINER_CONTAINER,
            "image": "trainer",
            "imageID": "",
            "ready": True,
            "restartCount": 0,
            "state": state,
        }
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{self.POD}/status"
        rest.patch(path, {"status": {"containerStatuses": [status]}})

    async def test_from_the_pod_as_it_is_printed(
        self, client: httpx.AsyncClient, rest: Rest, logs: Logs
    ) -> None:
        job = create(rest, "job")
        pod = f"/api/v1/namespaces/{NAMESPACE}/pods/{self.POD}"
        async with listening(client, "/api/v1/jobs/job/logs?follow=true") as events:
            # The pod comes after its reader.
            self.start_pod(rest, job)
            logs.append(self.POD, "one\n")
            self.set_container(rest, running={})
            set_status(rest, "job", phase="Running")
            first = await anext(events)
            assert (first.name, first.data) == ("line", "one")
            logs.append(self.POD, "two\n")
            assert (await anext(events)).data == "two"
        text = await client.get("/api/v1/jobs/job/logs")
        assert text.text == "one\ntwo\n"

        async with listening(client, "/api/v1/jobs/job/logs?follow=true", last=first.id) as events:
            assert (await anext(events)).data == "two"
            logs.append(self.POD, "three\n", ended=True)
            self.set_container(rest, terminated={"exitCode": 1})
            set_status(rest, "job", phase="Failed", message="no room")
            rest_of_them: list[Event] = [event async for event in events]
        assert [event.data for event in rest_of_them] == ["three", '{"status": "failed"}']
        rest.delete(pod, gracePeriodSeconds=0)
        gone = await client.get("/api/v1/jobs/job/logs")
        assert gone.status_code == 404
        assert "no room" in gone.json()["detail"]
