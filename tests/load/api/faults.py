"""What is lost when a part is killed in the midst of requests: nothing may be.

Every client does what a good client does: it sends a request again, under the same key, until it
is answered.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from .environment import JOBS, MODELS, Environment, Replica

SECONDS = 20.0
TRAININGS_RATE = 20.0
RETRAINS_RATE = 2.0
AWAY_SECONDS = 3.0
_PATIENCE_SECONDS = 90.0
_AGAIN_SECONDS = 0.5
_AGAIN = {HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}
"""What a good client comes again after, as after every 5xx."""

Outage = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A POST request."""

    path: str
    token: str
    key: str
    body: dict[str, Any] | None = None


async def trainings(
    environment: Environment, replicas: Sequence[Replica], outage: Outage
) -> dict[str, int]:
    """Submit at a steady rate; after a third of the time something is away for 3 s.

    Returns how many were asked for, and how many TrainingJobs too few or too many there are.
    """
    rest = environment.plane.rest
    before = len(rest.items(JOBS))
    token = environment.token("submitter")
    count = int(TRAININGS_RATE * SECONDS)
    asked = [
        Asked(path="/train/xgboost", token=token, key=secrets.token_hex(8)) for _ in range(count)
    ]
    answers = await _ask_all(replicas, asked, TRAININGS_RATE, outage)
    named = {answer["job_id"] for answer in answers if answer is not None}
    created = len(rest.items(JOBS)) - before
    return {"asked": count, "lost": count - len(named), "doubled": created - len(named)}


async def retrains(
    environment: Environment, replicas: Sequence[Replica], models: Sequence[str], outage: Outage
) -> dict[str, int]:
    """Ask every Model for a run in the same way, then take the Models away, which ends all of them.

    Returns how many were asked for, and how many of them were not accepted or have no row. Raises
    `TimeoutError` if a row does not end.
    """
    asked = [
        Asked(
            path="/api/retrain",
            token=environment.token(f"retrainer-{number}"),
            key=secrets.token_hex(8),
            body={"full_retrain": True, "model_type": model},
        )
        for number, model in enumerate(models)
    ]
    answers = await _ask_all(replicas, asked, RETRAINS_RATE, outage)
    environment.plane.rest.delete(MODELS)
    rows = await _all_ended(replicas[0], environment.token("admin", "admin"))
    ids = [answer["data"]["python_response"]["job_id"] for answer in answers if answer is not None]
    return {"asked": len(asked), "lost": len(asked) - len(set(ids) & set(rows))}


async def _ask_all(
    replicas: Sequence[Replica], asked: Sequence[Asked], rate: float, outage: Outage
) -> list[dict[str, Any] | None]:
    urls = itertools.cycle(replica.url for replica in replicas)
    async with httpx.AsyncClient(timeout=35) as client, asyncio.TaskGroup() as tasks:

        async def one(number: int, asked: Asked) -> dict[str, Any] | None:
            await asyncio.sleep(number / rate)
            return await _until_accepted(client, urls, asked)

        waiting = [tasks.create_task(one(*numbered)) for numbered in enumerate(asked)]
        await asyncio.sleep(SECONDS / 3)
        await asyncio.to_thread(_away, outage)
    return [task.result() for task in waiting]


def _away(outage: Outage) -> None:
    with outage():
        time.sleep(AWAY_SECONDS)


async def _until_accepted(
    client: httpx.AsyncClient, urls: Iterator[str], asked: Asked
) -> dict[str, Any] | None:
    """The answer; None if nobody accepted the request in a minute and a half."""
    headers = {"Authorization": f"Bearer {asked.token}", "Idempotency-Key": asked.key}
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            answer = await client.post(
                f"{next(urls)}{asked.path}", headers=headers, json=asked.body
            )
        except httpx.TransportError:
            pass
        else:
            if answer.is_success:
                accepted: dict[str, Any] = answer.json()
                return accepted
            if not answer.is_server_error and answer.status_code not in _AGAIN:
                raise AssertionError(f"{answer.status_code}: {answer.text}")
        await asyncio.sleep(_AGAIN_SECONDS)
    return None


async def _rows(replica: Replica, token: str) -> dict[str, str]:
    """The status of every retraining, by its job_id, as an administrator reads it."""
    found: dict[str, str] = {}
    cursor: str | None = ""
    async with httpx.AsyncClient(
        base_url=replica.url, headers={"Authorization": f"Bearer {token}"}, timeout=30
    ) as client:
        while cursor is not None:
            query = {"all": "true", "limit": "100", **({"cursor": cursor} if cursor else {})}
            page = (await client.get("/api/v1/retrains", params=query)).raise_for_status().json()
            found |= {item["job_id"]: item["status"] for item in page["items"]}
            cursor = page["next_cursor"]
    return found


async def _all_ended(replica: Replica, token: str, seconds: float = 180) -> dict[str, str]:
    """The rows once none of them is open. Raises `TimeoutError` when that takes too long."""
    async with asyncio.timeout(seconds):
        while True:
            rows = await _rows(replica, token)
            if not {"initiated", "processing"} & set(rows.values()):
                return rows
            await asyncio.sleep(_AGAIN_SECONDS)
