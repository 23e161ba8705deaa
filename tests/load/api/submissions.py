"""Trainings submitted at a steady rate, whatever the answers take (open loop)."""

import asyncio
import time

import httpx

RATE = 20.0
COUNT = 600


async def submit_steadily(
    client: httpx.AsyncClient, *, count: int = COUNT, rate: float = RATE
) -> tuple[list[float], list[httpx.Response | httpx.TransportError]]:
    """Seconds of each POST /train/xgboost from when it was due to its answer, and the answers.

    A request that had to wait for its turn was due all the same.
    """
    started = time.monotonic()
    seconds = [0.0] * count
    answers: list[httpx.Response | httpx.TransportError] = []

    async def one(number: int) -> None:
        due = started + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        key = {"Idempotency-Key": f"load-{started:.0f}-{number}"}
        try:
            answers.append(await client.post("/train/xgboost", headers=key))
        except httpx.TransportError as error:
            answers.append(error)
        seconds[number] = time.monotonic() - due

    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            tasks.create_task(one(number))
    return seconds, answers
