"""Who sees what of the history, and what it says: a real Postgres, a real API server."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from trainyard_api.retraining.requests import user_id

from ...forking.forks import ForkServer
from ..control_plane import ControlPlane
from ..postgres import Postgres
from .alerting import Alerts, alerts_of
from .replicas import Replica

pytestmark = pytest.mark.component


@pytest.fixture
def alerts(
    kubernetes: ControlPlane, apis: ForkServer, postgres: Postgres, tmp_path: Path
) -> Iterator[Alerts]:
    with alerts_of(kubernetes, apis, postgres, tmp_path) as alerts:
        yield alerts


async def history(
    replica: Replica, subject: str = "ada", role: str | None = None, **query: Any
) -> httpx.Response:
    async with replica.client(subject, role) as client:
        return await client.get("/api/history", params=query)


async def entries(replica: Replica, subject: str = "ada", **query: Any) -> list[dict[str, Any]]:
    answer = await history(replica, subject, **query)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["success"] is True
    found: list[dict[str, Any]] = body["data"]
    return found


async def test_everybody_sees_their_own(alerts: Alerts) -> None:
    replica = alerts.start()
    own, other = await alerts.retrain("churn"), await alerts.retrain("churn", subject="eve")
    (entry,) = await entries(replica)
    assert entry["id"] == str(own)
    assert (entry["user"], entry["user_id"]) == ("ada", str(user_id("ada")))
    assert await entries(replica, "nobody") == []
    # A token may have any subject: also what is somebody's id.
    assert await entries(replica, str(user_id("ada"))) == []

    for query in ({"user": "eve"}, {"user": "ada"}, {"all": "true"}):
        answer = await history(replica, "ada", "trainer", **query)
        assert answer.status_code == 403
        assert answer.json()["success"] is False
    for name in ("eve", str(user_id("eve")), str(user_id("eve")).upper()):
        (entry,) = await entries(replica, "root", role="admin", user=name)
        assert entry["id"] == str(other)
    assert await entries(replica, "root", role="admin") == []
    both = await entries(replica, "root", role="admin", all="true")
    assert {entry["id"] for entry in both} == {str(own), str(other)}
    answer = await history(replica, "root", "admin", all="true", user="eve")
    assert answer.status_code == 422


async def test_pages_stay_whole_while_rows_come(alerts: Alerts) -> None:
    replica = alerts.start()
    moment = datetime.now(UTC) - timedelta(hours=1)
    user = await alerts.user("ada")
    made = []
    for number in range(7):
        # Three by three in one moment: the id decides.
        created = moment + timedelta(seconds=number // 3)
        made.append((created, await alerts.retrain("churn", created=created)))
        made.append((created, uuid.uuid4()))
        await alerts.run(
            "INSERT INTO analises (id, usuario_id, tipo, data_criacao, detalhes)"
            " VALUES ($1, $2, 'comparison', $3, $4)",
            made[-1][1], user, created, '{"rows": 10}',
        )  # fmt: skip
    await alerts.run(
        "INSERT INTO analises (usuario_id, tipo, detalhes) VALUES ($1, 'retrain_initiated', $2)",
        user, f'{{"retrain_id": "{made[0][1]}"}}',
    )  # fmt: skip

    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"cursor": cursor} if cursor else {}
        body = (await history(replica, limit=4, **query)).json()
        seen += [entry["id"] for entry in body["data"]]
        await alerts.retrain("churn")
        cursor = body["next_cursor"]
        if cursor is None:
            break
    assert seen == [str(identifier) for _, identifier in sorted(made, reverse=True)]
    kinds = {entry["type"] for entry in await entries(replica, limit=200)}
    assert kinds == {"retrain", "comparison"}
    for bad in ("x", "WzFd", "WyIyMDI2IiwgIngiXQ"):
        assert (await history(replica, cursor=bad)).status_code == 422
    assert (await history(replica, limit=0)).status_code == 422


async def test_an_entry_tells_of_runs_metrics_and_verdicts(alerts: Alerts) -> None:
    yard = alerts.yard
    for model in ("churn", "risk"):
        yard.model(model)
    replica = alerts.start()
    identifier = await alerts.retrain("churn", "gone", "risk", status="completed", error=None)
    runs = {model: f"{model}-{identifier.hex[:10]}" for model in ("churn", "risk")}
    alerts.fail_run("risk", runs["risk"], primaryMetric="rmse=0.5")
    yard.set_status(
        f"{yard.models}/churn",
        lastVerdict={
            "run": runs["churn"],
            "modelType": "xgboost",
            "version": "20261123T141920Z-03fcd70a",
            "outcome": "Promoted",
            "metric": "roc_auc=0.84",
            "reasons": [],
            "time": "2026-11-23T14:20:00Z",
        },
    )

    async with replica.client() as client:
        answer = await client.get("/api/history")
    (entry,) = answer.json()["data"]
    assert entry["type"] == "retrain"
    assert (entry["status"], entry["error"]) == ("completed", None)
    assert (entry["model_type"], entry["full_retrain"]) == ("all", True)
    assert datetime.fromisoformat(entry["completed_at"]).tzinfo is not None
    churn, gone, risk = entry["models"]
    assert churn["run"] == runs["churn"]
    assert churn["metric"] == {"name": "roc_auc", "value": 0.84}
    assert churn["verdict"] == {"outcome": "Promoted", "reasons": []}
    assert (gone["metric"], gone["verdict"]) == (None, None)
    assert (risk["metric"], risk["verdict"]) == ({"name": "rmse", "value": 0.5}, None)


async def test_without_postgres_it_says_so(alerts: Alerts, postgres: Postgres) -> None:
    replica = alerts.start()
    await alerts.retrain("churn")
    with postgres.killed():
        answer = await history(replica)
        assert answer.status_code == 503
        assert answer.json()["success"] is False
        assert int(answer.headers["retry-after"]) > 0
    assert len(await entries(replica)) == 1
