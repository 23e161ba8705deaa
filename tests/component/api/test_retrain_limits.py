"""Limits hold among replicas: they are decided in the transaction that writes a request down."""

import asyncio

import asyncpg
import httpx
import pytest

from ..control_plane import wait_for
from .replicas import OpenYard, Replica, Yard, ended, listed, retrain

pytestmark = [pytest.mark.component, pytest.mark.timeout(180)]

MODELS = [f"model-{number:02}" for number in range(50)]


@pytest.fixture(scope="module")
def yard(open_yard: OpenYard) -> Yard:
    yard = open_yard()
    for name in MODELS:
        yard.model(name)
    return yard


@pytest.fixture(scope="module")
def replicas(yard: Yard) -> list[Replica]:
    return [yard.start(), yard.start()]


async def ask(replica: Replica, model: str, user: str) -> httpx.Response:
    async with replica.client(user) as client:
        return await client.post("/api/retrain", json={"model_type": model})


async def test_fifty_at_once_on_two_replicas_admit_exactly_ten(
    yard: Yard, replicas: list[Replica], database_url: str
) -> None:
    answers = await asyncio.gather(
        *(ask(replicas[number % 2], name, f"user-{number}") for number, name in enumerate(MODELS))
    )
    admitted = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert (len(admitted), len(refused)) == (10, 40)
    for answer in refused:
        body = answer.json()
        assert (body["success"], body["error"]) == (False, "Too Many Requests")
        assert "10 may at a time" in body["details"]
        assert int(answer.headers["retry-after"]) > 0
    # Nothing is written down of the others, and nobody but those ten was asked.
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM retrain_logs") == 10
        kinds = await connection.fetch("SELECT tipo, detalhes FROM analises")
        assert [row["tipo"] for row in kinds] == ["retrain_initiated"] * 10
    finally:
        await connection.close()
    asked = [name for name in MODELS if yard.requested(name)]
    assert len(asked) == 10

    # A slot is free as soon as one has ended.
    late = await asyncio.to_thread(replicas[0].post, {"model_type": "model-00"}, "late")
    assert late.status_code == 429
    await asyncio.to_thread(yard.finish, asked[0])
    row = next(row for row in listed(replicas[0]) if row["runs"][0]["model"] == asked[0])
    assert (await asyncio.to_thread(ended, replicas[1], row["job_id"]))["status"] == "completed"
    answers = await asyncio.gather(
        *(ask(replicas[number % 2], asked[0], f"later-{number}") for number in range(10))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [429] * 9
    await asyncio.to_thread(yard.finish, *asked)
    wait_for("all end", lambda: all(row["completed_at"] for row in listed(replicas[0])))


async def test_one_user_once_a_minute_whichever_replica_is_asked(
    yard: Yard, replicas: list[Replica]
) -> None:
    answers = await asyncio.gather(
        *(ask(replicas[number % 2], MODELS[number], "ada") for number in range(20))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [429] * 19
    [admitted] = [answer for answer in answers if answer.status_code == 200]
    row = retrain(replicas[0], admitted.json()["data"]["python_response"]["job_id"])
    await asyncio.to_thread(yard.finish, row["runs"][0]["model"])
    for answer in answers:
        if answer.status_code == 429:
            assert "one request in 60 s for each user" in answer.json()["details"]
            assert 50 <= int(answer.headers["retry-after"]) <= 60


async def test_two_users_who_mean_the_same_model(yard: Yard, replicas: list[Replica]) -> None:
    # It may be one of the ten of another test.
    before = [row["id"] for row in listed(replicas[0])]
    answers = await asyncio.gather(
        *(ask(replicas[number % 2], "model-49", f"pair-{number}") for number in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 503, 503, 503]
    refused = [answer.json() for answer in answers if answer.status_code == 503]
    assert {body["status"] for body in refused} == {409}
    [admitted] = [answer for answer in answers if answer.status_code == 200]
    job_id = admitted.json()["data"]["python_response"]["job_id"]
    assert yard.requested("model-49") == job_id
    assert all(job_id in body["details"] for body in refused)
    rows = [row for row in listed(replicas[0]) if row["id"] not in before]
    assert sorted(row["status"] for row in rows) == ["failed"] * 3 + ["processing"]
    await asyncio.to_thread(yard.finish, "model-49")
    assert (await asyncio.to_thread(ended, replicas[0], job_id))["status"] == "completed"
