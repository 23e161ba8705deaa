"""What the tests of alerts and history need: failed runs, failed retrainings, passing time."""

import base64
import os
import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from trainyard_api.retraining.requests import user_id
from trainyard_schema import names

from ...forking.forks import ForkServer
from ..control_plane import ControlPlane, wait_for
from ..postgres import Postgres
from .receiver import Receiver
from .replicas import NOBODY, Replica, Yard, token, yard_of

_GROUP = "rbac.authorization.k8s.io"


def new_secret() -> str:
    return f"whsec_{base64.b64encode(os.urandom(32)).decode()}"


@dataclass
class Alerts:
    """A yard with a database of its own, which the test may write into."""

    yard: Yard

    async def run(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.yard.database_url)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(statement, *values)
        finally:
            await connection.close()
        return rows

    async def pass_time(self) -> None:
        """Until all pauses are over."""
        await self.run("UPDATE alerts SET next_attempt_at = now() WHERE state = 'pending'")

    def start(self, receiver: Receiver | None = None, **settings: str) -> Replica:
        if receiver is not None:
            settings |= {"WEBHOOK_URL": receiver.url, "WEBHOOK_SECRET": receiver.secret}
        return self.yard.start(**settings)

    def fail_run(
        self, model: str | None, name: str, *, ended: datetime | None = None, **status: Any
    ) -> str:
        """A run of a Model, or of none, that ended Failed. Returns its uid."""
        metadata: dict[str, Any] = {"name": name}
        if model is not None:
            owner = self.yard.get(model)["metadata"]
            metadata["ownerReferences"] = [
                {
                    "apiVersion": names.API_VERSION,
                    "kind": names.MODEL_KIND,
                    "name": model,
                    "uid": owner["uid"],
                    "controller": True,
                }
            ]
        data = {"uri": "s3://elsewhere/churn.csv", "target": "churned"}
        created = self.yard.rest.post(
            self.yard.jobs,
            {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "metadata": metadata,
                "spec": {"modelType": "xgboost", "data": data},
            },
        )
        moment = (ended or datetime.now(UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        failed = {"phase": "Failed", "reason": "DataNotFound", "message": "no such table"}
        self.yard.set_status(f"{self.yard.jobs}/{name}", **failed, completionTime=moment, **status)
        uid: str = created["metadata"]["uid"]
        return uid

    async def user(self, subject: str) -> uuid.UUID:
        identifier = user_id(subject)
        await self.run(
            "INSERT INTO usuarios (id, subject) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            identifier, subject,
        )  # fmt: skip
        return identifier

    async def retrain(
        self,
        *models: str,
        subject: str = "ada",
        status: str = "failed",
        error: str | None = "the run failed: DataNotFound: no such table",
        created: datetime | None = None,
        asked: str | None = None,
    ) -> uuid.UUID:
        """The rows of a retraining as they are once it has ended."""
        user, identifier = await self.user(subject), uuid.uuid4()
        asked = asked or (models[0] if len(models) == 1 else "all")
        connection = await asyncpg.connect(self.yard.database_url)
        try:
            # At once: the replicas look at any moment.
            async with connection.transaction():
                await connection.execute(
                    "INSERT INTO retrain_logs (id, usuario_id, retrain_type, full_retrain, status,"
                    " created_at, completed_at, error_message)"
                    " VALUES ($1, $2, $3, true, $4, $5, now(), $6)",
                    identifier, user, asked, status, created or datetime.now(UTC), error,
                )  # fmt: skip
                await connection.executemany(
                    "INSERT INTO retrain_runs (retrain_id, model, run, mode, status, error_message,"
                    " completed_at) VALUES ($1, $2, $3, 'full', $4, $5, now())",
                    [
                        (identifier, model, f"{model}-{identifier.hex[:10]}", status, error)
                        for model in models
                    ],
                )
        finally:
            await connection.close()
        return identifier


@contextmanager
def alerts_of(
    kubernetes: ControlPlane, apis: ForkServer, postgres: Postgres, folder: Path
) -> Iterator[Alerts]:
    database = f"alerts_{secrets.token_hex(4)}"
    url = postgres.create(database)
    # An S3 server is not asked for anything here.
    with yard_of(kubernetes, apis, url, NOBODY, folder) as yard:
        yield Alerts(yard)
    postgres.drop(database)


def listed(replica: Replica, **query: str) -> list[dict[str, Any]]:
    """What GET /api/v1/alerts says to an admin."""
    headers = {"Authorization": f"Bearer {token('root', 'admin')}"}
    answer = httpx.get(f"{replica.url}/api/v1/alerts", headers=headers, params=query, timeout=30)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def redeliver(replica: Replica, alert: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token('root', 'admin')}"}
    return httpx.post(f"{replica.url}/api/v1/alerts/{alert}/redeliver", headers=headers, timeout=30)


def in_state(replica: Replica, state: str, count: int = 1) -> list[dict[str, Any]]:
    """The alerts in a state, once there are as many as expected."""

    def look() -> list[dict[str, Any]] | None:
        found = listed(replica, state=state, limit="200")
        return found if len(found) == count else None

    return wait_for(f"{count} alerts are {state}", look)
