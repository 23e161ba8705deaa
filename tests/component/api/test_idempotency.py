"""Idempotency-Key on a real Postgres: two applications, as two replicas have them."""

import asyncio
import secrets
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from http import HTTPStatus

import httpx
import jwt
import pytest
from fastapi import APIRouter, FastAPI, Response
from sqlalchemy import func, select, update
from trainyard_api.auth import Authenticator, TrainerDep
from trainyard_api.database import Database, DatabaseUnavailableError
from trainyard_api.database.tables import IdempotencyKey
from trainyard_api.http import problems
from trainyard_api.http.problems import Problem, problem_response
from trainyard_api.idempotency import IdempotentRoute, pruning
from trainyard_api.idempotency.keys import Claim, keep, prune, release, take
from trainyard_api.settings import Settings

from ..postgres import Postgres

pytestmark = pytest.mark.component

_SECRET = secrets.token_hex(32)


class Work:
    """What the requests have done, and when they may end."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()


def application(database: Database, work: Work) -> FastAPI:
    app = FastAPI()
    app.state.settings = settings = Settings.model_validate(
        {
            "namespace": "trainyard",
            "bucket": "trainyard",
            "jwt_secret": _SECRET,
            "database_url": "postgresql://127.0.0.1:1/none",
        }
    )
    app.state.authenticator = Authenticator(settings)
    app.state.database = database
    router = APIRouter(prefix="/api/v1/models", route_class=IdempotentRoute)

    @router.post("/{model}/promote", status_code=202)
    async def promote(
        model: str, response: Response, identity: TrainerDep, body: dict[str, str]
    ) -> dict[str, str]:
        work.begun.set()
        await work.may_end.wait()
        if "refuse" in body:
            raise Problem(HTTPStatus.CONFLICT, "there is no previous champion")
        if "fail" in body:
            raise ZeroDivisionError
        work.done[model] += 1
        request = str(uuid.uuid4())
        response.headers["Location"] = f"/api/v1/requests/{request}"
        return {"request": request, "by": identity.subject, "é": "ü"}

    @router.get("/{model}")
    async def get(model: str, _: TrainerDep) -> str:
        work.done[model] += 1
        return model

    app.include_router(router)
    problems.install(app)

    @app.exception_handler(DatabaseUnavailableError)
    async def _away(*_: object) -> Response:
        return problem_response(503, "away")

    return app


@pytest.fixture
def work() -> Work:
    return Work()


@asynccontextmanager
async def client_of(url: str, work: Work) -> AsyncIterator[httpx.AsyncClient]:
    async with Database(url) as database:
        transport = httpx.ASGITransport(application(database, work), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            client.headers["Authorization"] = f"Bearer {token('ada')}"
            yield client


def token(subject: str, role: str = "trainer") -> str:
    now = int(time.time())
    claims = {"sub": subject, "role": role, "iss": "trainyard", "aud": "trainyard", "iat": now}
    return jwt.encode({**claims, "exp": now + 600}, _SECRET, algorithm="HS256")


@pytest.fixture
async def replicas(database_url: str, work: Work) -> AsyncIterator[list[httpx.AsyncClient]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(client_of(database_url, work)) for _ in range(2)]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as database:
        yield database


@pytest.fixture
def key() -> str:
    return secrets.token_hex(8)


PATH = "/api/v1/models/churn/promote"


async def test_the_same_answer_from_every_replica(
    replicas: list[httpx.AsyncClient], work: Work, key: str
) -> None:
    headers = {"Idempotency-Key": key}
    answers = [
        await replica.post(PATH, json={"version": "1"}, headers=headers)
        for replica in (*replicas, *replicas)
    ]
    first = answers[0]
    assert first.status_code == 202
    assert work.done["churn"] == 1
    for answer in answers[1:]:
        assert answer.status_code == first.status_code
        assert answer.headers == first.headers
        assert answer.content == first.content


async def test_however_many_ask_at_once_one_does_it(
    replicas: list[httpx.AsyncClient], work: Work, key: str
) -> None:
    headers = {"Idempotency-Key": key}
    answers = await asyncio.gather(
        *(replicas[n % 2].post(PATH, json={}, headers=headers) for n in range(50))
    )
    assert work.done["churn"] == 1
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.content for answer in answers if answer.status_code == 202}) == 1


async def test_in_flight(replicas: list[httpx.AsyncClient], work: Work, key: str) -> None:
    headers = {"Idempotency-Key": key}
    work.may_end.clear()
    first = asyncio.create_task(replicas[0].post(PATH, json={}, headers=headers))
    await work.begun.wait()
    answer = await replicas[1].post(PATH, json={}, headers=headers)
    assert answer.status_code == 409
    assert answer.headers["retry-after"] == "2"
    other = await replicas[1].post(PATH, json={"version": "2"}, headers=headers)
    assert other.status_code == 422
    work.may_end.set()
    assert (await replicas[1].post(PATH, json={}, headers=headers)).status_code in (202, 409)
    done = await first
    assert (await replicas[1].post(PATH, json={}, headers=headers)).content == done.content


@pytest.mark.parametrize(
    "other",
    [
        {"json": {"version": "2"}},
        {"json": {"version": "1"}, "params": {"dry": "1"}},
        {"content": b'{"version": "1" }', "headers": {"Content-Type": "application/json"}},
    ],
)
async def test_another_request_under_the_same_key(
    replicas: list[httpx.AsyncClient], work: Work, key: str, other: dict[str, object]
) -> None:
    replicas[0].headers["Idempotency-Key"] = replicas[1].headers["Idempotency-Key"] = key
    assert (await replicas[0].post(PATH, json={"version": "1"})).status_code == 202
    answer = await replicas[1].post(PATH, **other)  # type: ignore[arg-type]
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    assert work.done["churn"] == 1


async def test_a_key_is_of_one_subject_and_path(
    replicas: list[httpx.AsyncClient], work: Work, key: str
) -> None:
    headers = {"Idempotency-Key": key}
    others = {**headers, "Authorization": f"Bearer {token('grace')}"}
    bodies = [
        (await replicas[0].post(PATH, json={}, headers=headers)).json(),
        (await replicas[0].post(PATH, json={}, headers=others)).json(),
        (await replicas[0].post("/api/v1/models/b/promote", json={}, headers=headers)).json(),
    ]
    assert len({body["request"] for body in bodies}) == 3
    assert [body["by"] for body in bodies] == ["ada", "grace", "ada"]


async def test_without_a_key_and_for_reading_nothing_is_kept(
    replicas: list[httpx.AsyncClient], work: Work, key: str
) -> None:
    for _ in range(2):
        await replicas[0].post(PATH, json={})
        await replicas[0].get("/api/v1/models/read", headers={"Idempotency-Key": key})
    assert work.done == {"churn": 2, "read": 2}


@pytest.mark.parametrize(("body", "status"), [({"refuse": ""}, 409), ({"fail": ""}, 500)])
async def test_an_error_leaves_the_key_free(
    replicas: list[httpx.AsyncClient], key: str, body: dict[str, str], status: int
) -> None:
    headers = {"Idempotency-Key": key}
    assert (await replicas[0].post(PATH, json=body, headers=headers)).status_code == status
    assert (await replicas[1].post(PATH, json=body, headers=headers)).status_code == status
    assert (await replicas[1].post(PATH, json={}, headers=headers)).status_code == 202


async def test_what_is_refused_before_it_begins(
    replicas: list[httpx.AsyncClient], work: Work, key: str
) -> None:
    async def status(**headers: str) -> int:
        headers = {"Idempotency-Key": key, **headers}
        return (await replicas[0].post(PATH, json={}, headers=headers)).status_code

    assert await status(Authorization="Bearer nonsense") == 401
    assert await status(Authorization=f"Bearer {token('ada', 'viewer')}") == 403
    for wrong in ("", "a b", "a" * 256, "ä".encode().decode("latin-1")):
        answer = await replicas[0].post(
            PATH, json={}, headers=[(b"Idempotency-Key", wrong.encode("latin-1"))]
        )
        assert answer.status_code == 422, wrong
    assert not work.done
    assert await status() == 202


async def test_a_cancelled_request_holds_its_key_for_a_time(
    replicas: list[httpx.AsyncClient], work: Work, database: Database, key: str
) -> None:
    """As the time limit does it, or the end of the process: nobody knows what was done."""
    headers = {"Idempotency-Key": key}
    work.may_end.clear()
    dying = asyncio.create_task(replicas[0].post(PATH, json={}, headers=headers))
    await work.begun.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    work.may_end.set()
    assert (await replicas[1].post(PATH, json={}, headers=headers)).status_code == 409
    async with database.begin() as session:
        await session.execute(
            update(IdempotencyKey)
            .where(IdempotencyKey.status.is_(None))
            .values(locked_until=func.now() - timedelta(seconds=1))
        )
    assert (await replicas[1].post(PATH, json={}, headers=headers)).status_code == 202
    assert work.done["churn"] == 1


def claim() -> Claim:
    return Claim(id=secrets.token_bytes(32), fingerprint=b"asked", owner=uuid.uuid4())


async def test_who_comes_back_too_late_changes_nothing(database: Database) -> None:
    late = claim()
    assert await take(database, late, timedelta()) is None
    early = Claim(late.id, late.fingerprint, uuid.uuid4())
    assert await take(database, early, timedelta(seconds=60)) is None
    await keep(database, late, Response("late", 202))
    await release(database, late)
    with pytest.raises(Problem, match="still at work"):
        await take(database, claim_like(early), timedelta(seconds=60))
    await keep(database, early, Response("early", 202))
    replay = await take(database, claim_like(early), timedelta(seconds=60))
    assert replay is not None
    assert replay.body == b"early"


def claim_like(one: Claim) -> Claim:
    return Claim(one.id, one.fingerprint, uuid.uuid4())


async def test_kept_for_a_day_and_then_deleted(database: Database) -> None:
    old, young = claim(), claim()
    for one in (old, young):
        await take(database, one, timedelta(seconds=60))
        await keep(database, one, Response("done", 202))
    async with database.begin() as session:
        for one, hours in ((old, 24.01), (young, 23.9)):
            await session.execute(
                update(IdempotencyKey)
                .where(IdempotencyKey.id == one.id)
                .values(created_at=func.now() - timedelta(hours=hours))
            )
    # Over already, also before it is deleted.
    assert await take(database, claim_like(old), timedelta(seconds=60)) is None
    assert await take(database, claim_like(young), timedelta(seconds=60)) is not None
    async with database.begin() as session:
        await session.execute(
            update(IdempotencyKey)
            .where(IdempotencyKey.id == old.id)
            .values(created_at=func.now() - timedelta(hours=25))
        )
    async with pruning(database), asyncio.timeout(10):
        while await exists(database, old):  # noqa: ASYNC110 - it happens in the database
            await asyncio.sleep(0.05)
    await prune(database)
    assert await exists(database, young)


async def exists(database: Database, one: Claim) -> bool:
    async with database.begin() as session:
        found = select(func.count()).where(IdempotencyKey.id == one.id)
        return bool(await session.scalar(found))


async def test_an_outage_of_the_database(
    replicas: list[httpx.AsyncClient], work: Work, postgres: Postgres, key: str
) -> None:
    headers = {"Idempotency-Key": key}
    work.may_end.clear()
    waiting = asyncio.create_task(replicas[0].post(PATH, json={}, headers=headers))
    await work.begun.wait()
    with postgres.killed():
        answer = await replicas[1].post(PATH, json={}, headers={"Idempotency-Key": "new"})
        assert answer.status_code == 503
        # Without a key, it is no matter.
        work.may_end.set()
        assert (await replicas[1].post(PATH, json={})).status_code == 202
        # What was done is answered, even though it cannot be kept.
        assert (await waiting).status_code == 202
    assert (await replicas[1].post(PATH, json={}, headers=headers)).status_code == 409


async def test_the_document_describes_the_header(database: Database, work: Work) -> None:
    paths = application(database, work).openapi()["paths"]
    named = {
        method: [parameter["name"] for parameter in operation["parameters"]]
        for path in paths.values()
        for method, operation in path.items()
    }
    assert named == {"post": ["model", "idempotency-key"], "get": ["model"]}
    answers = paths["/api/v1/models/{model}/promote"]["post"]["responses"]
    assert {"409", "422", "503"} <= answers.keys()
