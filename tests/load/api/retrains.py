"""Requests to retrain from many users at once, to two replicas."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence

import httpx
from trainyard_schema import names

from ...component.control_plane import Rest
from .environment import MODELS, NAMESPACE, Environment, Replica

USERS = 50
KILLED = 40
"""Models that are asked while something is killed."""


def create_models(rest: Rest, count: int) -> list[str]:
    """So many Models that can be retrained."""
    created = [f"bench-model-{number:03}" for number in range(count)]
    training = {
        "modelType": "xgboost",
        "data": {"uri": "s3://trainyard/datasets/churn.csv", "target": "churned"},
    }
    for name in created:
        rest.post(
            MODELS,
            {
                "apiVersion": names.API_VERSION,
                "kind": names.MODEL_KIND,
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": {"template": {"spec": training}},
            },
        )
    return created


async def retrain(
    client: httpx.AsyncClient, url: str, token: str, model: str
) -> httpx.Response | httpx.TransportError:
    """POST /api/retrain of one Model; a connection that breaks is an answer as well."""
    try:
        return await client.post(
            f"{url}/api/retrain",
            headers={"Authorization": f"Bearer {token}"},
            json={"full_retrain": True, "model_type": model},
        )
    except httpx.TransportError as error:
        return error


async def admitted_at_once(
    environment: Environment, replicas: Sequence[Replica], models: Sequence[str]
) -> Counter[str]:
    """How many of 50 users are answered what, when all ask in the same moment."""
    urls = itertools.cycle(replica.url for replica in replicas)
    async with httpx.AsyncClient(timeout=60) as client:
        answers = await asyncio.gather(
            *(
                retrain(client, next(urls), environment.token(f"user-{number}"), model)
                for number, model in zip(range(USERS), models, strict=True)
            )
        )
    return Counter(
        str(answer.status_code) if isinstance(answer, httpx.Response) else "broken"
        for answer in answers
    )
