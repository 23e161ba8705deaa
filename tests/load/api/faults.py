"""What is lost when a part is killed in the midst of requests: nothing may be.

Every client does what a good client does: it sends a request again, under the same key, until it
is answered.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import httpx

from ...component.control_plane import Rest
from .environment import JOBS, Environment, Replica
from .retrains import retrain

RATE = 20.0
SECONDS = 20.0
AWAY_SECONDS = 3.0
_PATIENCE_SECONDS = 90.0
_AGAIN_SECONDS = 0.5


async def submissions(
    environment: Environment,
    replicas: Sequence[Replica],
    outage: Callable[[], AbstractContextManager[None]],
) -> dict[str, int]:
    """Submit at a steady rate; in the middle something is away for 3 s.

    Returns how many were asked for, how many TrainingJobs there are for them, and how many requests
    were never accepted.
    """
    before = len(environment.plane.rest.items(JOBS))
    headers = {"Authorization": f"Bearer {environment.token('submitter')}"}
    urls = itertools.cycle(replica.url for replica in replicas)
    count = int(RATE * SECONDS)
    started = time.monotonic()
    async with (
        httpx.AsyncClient(headers=headers, timeout=35) as client,
        asyncio.TaskGroup() as tasks,
    ):
        asked = [
            tasks.create_task(_until_accepted(client, urls, f"fault-{started}-{number}", number))
            for number in range(count)
        ]
        await asyncio.sleep(SECONDS / 3)
        await asyncio.to_thread(_away, outage)
    accepted = {task.result() for task in asked if task.result() is not None}
    created = len(environment.plane.rest.items(JOBS)) - before
    return {"asked": count, "accepted": len(accepted), "created": created}


def _away(outage: Callable[[], AbstractContextManager[None]]) -> None:
    with outage():
        time.sleep(AWAY_SECONDS)


async def _until_accepted(
    client: httpx.AsyncClient, urls: "itertools.cycle[str]", key: str, number: int
) -> str | None:
    """The TrainingJob's name; None if nobody accepted the request in a minute and a half."""
    await asyncio.sleep(number / RATE)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            answer = await client.post(
                f"{next(urls)}/train/xgboost", headers={"Idempotency-Key": key}
            )
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.status_code == 202:
            return str(answer.json()["job_id"])
        if answer is not None and answer.status_code < 500 and answer.status_code != 429:
            raise AssertionError(f"{answer.status_code}: {answer.text}")
        await asyncio.sleep(_AGAIN_SECONDS)
    return None


async def retrains(
    environment: Environment,
    replicas: Sequence[Replica],
    models: Sequence[str],
    outage: Callable[[], AbstractContextManager[None]],
) -> list[str]:
    """Ask for one Model after the other while something is away; the ids of those accepted."""
    accepted: list[str] = []
    urls = itertools.cycle(replica.url for replica in replicas)
    away = asyncio.create_task(asyncio.to_thread(_away, outage))
    async with httpx.AsyncClient(timeout=35) as client:

        async def one(number: int, model: str) -> None:
            await asyncio.sleep(number / RATE * 2)
            token = environment.token(f"retrainer-{number}")
            answer = await retrain(client, next(urls), token, model)
            if isinstance(answer, httpx.Response) and answer.status_code == 200:
                accepted.append(str(answer.json()["data"]["python_response"]["job_id"]))

        await asyncio.gather(*(one(number, model) for number, model in enumerate(models)))
    await away
    return accepted


async def rows_by_status(replica: Replica, token: str) -> dict[str, str]:
    """The status of every retraining, by its id, as an administrator reads it."""
    found: dict[str, str] = {}
    cursor: str | None = None
    async with httpx.AsyncClient(
        base_url=replica.url, headers={"Authorization": f"Bearer {token}"}, timeout=30
    ) as client:
        while True:
            query = {"limit": "100", **({"cursor": cursor} if cursor else {})}
            page = (await client.get("/api/v1/retrains", params=query)).raise_for_status().json()
            found |= {item["id"]: item["status"] for item in page["items"]}
            cursor = page["next_cursor"]
            if cursor is None:
                return found


async def all_ended(replica: Replica, token: str, seconds: float = 180) -> dict[str, str]:
    """The rows once none of them is open. Fails when that takes too long."""
    async with asyncio.timeout(seconds):
        while True:
            rows = await rows_by_status(replica, token)
            if not {"initiated", "processing"} & set(rows.values()):
                return rows
            await asyncio.sleep(_AGAIN_SECONDS)


def delete_models(rest: Rest, path: str) -> None:
    """What is still asked of them ends with them."""
    rest.delete(path)
