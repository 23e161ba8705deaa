"""Failures alert: real replicas, Postgres and API server, and a receiver that verifies."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from trainyard_devtools.repo import ROOT
from trainyard_schema import names

from ...forking.forks import ForkServer
from ..control_plane import ControlPlane, free_ports, program, wait_for
from ..postgres import Postgres
from .alerting import Alerts, alerts_of, in_state, listed, new_secret, redeliver
from .receiver import Answer, Delivery, Receiver, receiving
from .replicas import Replica

pytestmark = pytest.mark.component


@pytest.fixture
def alerts(
    kubernetes: ControlPlane, apis: ForkServer, postgres: Postgres, tmp_path: Path
) -> Iterator[Alerts]:
    with alerts_of(kubernetes, apis, postgres, tmp_path) as alerts:
        yield alerts


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(new_secret()) as receiver:
        yield receiver
        assert receiver.forged == []


def arrived(receiver: Receiver, count: int) -> list[Delivery]:
    wait_for(f"{count} deliveries", lambda: len(receiver.deliveries) >= count)
    return receiver.deliveries


async def test_a_failed_run_of_a_model_alerts_once(alerts: Alerts, receiver: Receiver) -> None:
    alerts.yard.model("churn")
    old = datetime.now(UTC) - timedelta(days=1)
    alerts.fail_run("churn", "churn-old", ended=old)
    first, second = alerts.start(receiver), alerts.start(receiver)
    alerts.fail_run(None, "of-nobody")
    alerts.fail_run("churn", "churn-1")

    (delivery,) = arrived(receiver, 1)
    assert delivery.payload["type"] == "run.failed"
    assert delivery.payload["data"] == {
        "model": "churn",
        "run": "churn-1",
        "mode": "full",
        "reason": "DataNotFound",
        "message": "no such table",
    }
    assert datetime.fromisoformat(delivery.payload["timestamp"]).tzinfo is not None

    # Neither what comes later, nor a new replica, says it again.
    alerts.yard.set_status(f"{alerts.yard.jobs}/churn-1", attempts=3)
    third = alerts.start(receiver)
    alerts.fail_run("churn", "churn-2")
    in_state(third, "delivered", 2)
    runs = [delivery.payload["data"]["run"] for delivery in receiver.deliveries]
    assert sorted(runs) == ["churn-1", "churn-2"]
    for replica in (first, second, third):
        text = replica.log.read_text()
        assert "token-of-the-receiver" not in text
        assert receiver.secret not in text


async def test_a_failed_retraining_alerts_once_and_shows_at_its_model(
    alerts: Alerts, receiver: Receiver
) -> None:
    model = alerts.yard.get(alerts.yard.model("churn"))
    alerts.yard.model("risk")
    for _ in range(2):
        alerts.start(receiver)
    retrain = await alerts.retrain("churn")
    run = f"churn-{retrain.hex[:10]}"

    (delivery,) = arrived(receiver, 1)
    # The run's own end is told by that alert already.
    alerts.fail_run("churn", run)
    both = await alerts.retrain("churn", "risk", "gone", error="the Model was deleted")
    _, second = arrived(receiver, 2)

    data = delivery.payload["data"]
    assert delivery.payload["type"] == "retraining.failed"
    assert data["message"] == "the run failed: DataNotFound: no such table"
    assert (data["model"], data["run"], data["mode"]) == ("churn", run, "full")
    assert (data["retrain_id"], data["user_id"]) == (str(retrain), str(await alerts.user("ada")))
    assert (second.payload["data"]["model"], second.payload["data"]["run"]) == ("all", None)
    assert [one["model"] for one in second.payload["data"]["runs"]] == ["churn", "gone", "risk"]

    path = f"/api/v1/namespaces/{alerts.yard.namespace}/events"
    events = wait_for("Events", lambda: _all(alerts, path, 3))
    assert sorted(event["involvedObject"]["name"] for event in events) == ["churn", "churn", "risk"]
    (event,) = [one for one in events if str(retrain) in one["message"]]
    assert (event["type"], event["reason"]) == ("Warning", "RetrainFailed")
    assert event["involvedObject"]["uid"] == model["metadata"]["uid"]
    assert "no such table" in event["message"]
    assert len([one for one in events if str(both) in one["message"]]) == 2
    assert len(receiver.deliveries) == 2


def _all(alerts: Alerts, path: str, count: int) -> list[dict[str, Any]] | None:
    found = alerts.yard.rest.items(path)
    return found if len(found) == count else None


async def test_a_run_that_was_asked_for_alerts_as_a_retraining(
    alerts: Alerts, receiver: Receiver
) -> None:
    replica = alerts.start(receiver)
    alerts.yard.model("churn")
    answer = replica.post({"model_type": "churn", "full_retrain": True})
    assert answer.status_code == 200, answer.text
    reason = {"reason": "OOMKilled", "message": "needs more than 1Gi"}
    run = alerts.yard.start_run("churn")
    owner = alerts.yard.get("churn")["metadata"]
    reference = {
        "apiVersion": names.API_VERSION,
        "kind": names.MODEL_KIND,
        "name": "churn",
        "uid": owner["uid"],
    }
    alerts.yard.rest.patch(
        f"{alerts.yard.jobs}/{run}", {"metadata": {"ownerReferences": [reference]}}
    )
    alerts.yard.end_run(run, "Failed", **reason)

    (delivery,) = arrived(receiver, 1)
    data = delivery.payload["data"]
    assert (delivery.payload["type"], data["model"], data["run"]) == (
        "retraining.failed",
        "churn",
        run,
    )
    assert (data["mode"], data["reason"]) == ("full", "OOMKilled")
    assert "needs more than 1Gi" in data["message"]
    assert answer.json()["data"]["python_response"]["job_id"] == f"retrain-{data['retrain_id']}"
    assert answer.json()["data"]["user_id"] == data["user_id"]
    # What comes later comes alone: the run has no alert beside it.
    alerts.fail_run("churn", "churn-1")
    arrived(receiver, 2)
    in_state(replica, "delivered", 2)
    wait_for(
        "the metric",
        lambda: 'trainyard_api_retrains{status="failed"} 1.0' in metrics(replica.url),
    )


async def test_a_refused_retraining_was_told_to_who_asked(alerts: Alerts) -> None:
    replica = alerts.start()
    await alerts.retrain(asked="churn", error="Insufficient training data available")
    alerts.yard.model("churn")
    await alerts.retrain("churn")
    (alert,) = in_state(replica, "pending")
    assert alert["data"]["message"] == "the run failed: DataNotFound: no such table"


async def test_a_failing_receiver_gets_it_again(alerts: Alerts, receiver: Receiver) -> None:
    answers = [
        Answer(500, body=b"<html>\x00\nsorry</html>" + b"x" * 5000),
        Answer(302, {"Location": f"{receiver.url}/elsewhere"}),
        Answer(503, {"Retry-After": "600"}),
        Answer(204),
    ]
    receiver.answer = lambda _: answers.pop(0)
    replica = alerts.start(receiver)
    alerts.yard.model("churn")
    alerts.fail_run("churn", "churn-1")

    expected = ["answered 500: <html> sorry</html>xxx", "answered 302; redirects", "answered 503"]
    for attempt, error in enumerate(expected, 1):
        alert = wait_for("a failed attempt", partial(_attempted, replica, attempt))
        assert alert["state"] == "pending"
        assert alert["last_error"].startswith(error)
        assert len(alert["last_error"]) <= 1024
        pause = datetime.fromisoformat(alert["next_attempt_at"]) - datetime.now(UTC)
        if attempt == 3:
            assert pause > timedelta(minutes=9)
        await alerts.pass_time()
    (alert,) = in_state(replica, "delivered")
    assert (alert["attempts"], alert["last_error"], alert["next_attempt_at"]) == (4, None, None)
    assert len(set(receiver.ids)) == 1
    assert len({delivery.body for delivery in receiver.deliveries}) == 1
    assert {delivery.path for delivery in receiver.deliveries} == {"/hooks/token-of-the-receiver"}
    assert "trainyard_api_alert_delivery_failures_total 3.0" in metrics(replica.url)


def _attempted(replica: Replica, attempts: int) -> dict[str, Any] | None:
    return next((one for one in listed(replica) if one["attempts"] == attempts), None)


def metrics(url: str) -> str:
    return httpx.get(f"{url}/metrics").text


@pytest.mark.parametrize(("status", "attempts"), [(410, "15"), (500, "1")])
async def test_dead_letters_are_seen_and_delivered_on_demand(
    alerts: Alerts, receiver: Receiver, status: int, attempts: str
) -> None:
    receiver.answer = lambda _: Answer(status, body=b"no more")
    replica = alerts.start(receiver, WEBHOOK_ATTEMPTS=attempts)
    alerts.yard.model("churn")
    alerts.fail_run("churn", "churn-1")
    (alert,) = in_state(replica, "dead")
    assert (alert["attempts"], alert["last_error"]) == (1, f"answered {status}: no more")
    wait_for("the metric", lambda: 'trainyard_api_alerts{state="dead"} 1.0' in metrics(replica.url))

    receiver.answer = lambda _: Answer(200)
    answer = redeliver(replica, alert["id"])
    assert answer.status_code == 202, answer.text
    assert (answer.json()["state"], answer.json()["attempts"]) == ("pending", 0)
    (delivered,) = in_state(replica, "delivered")
    assert delivered["id"] == alert["id"]
    assert receiver.ids == [f"msg_{alert['id'].replace('-', '')}"] * 2
    assert listed(replica, state="dead") == []
    assert redeliver(replica, "0d9e3b1c-51a5-4f0c-9f7a-3f5d0a1c2b3e").status_code == 404
    assert redeliver(replica, "one").status_code == 422


async def test_who_may_see_alerts(alerts: Alerts) -> None:
    replica = alerts.start()
    for subject, role, status in (("ada", None, 403), ("root", "admin", 200)):
        async with replica.client(subject, role) as client:
            assert (await client.get("/api/v1/alerts")).status_code == status


async def test_a_replica_that_is_killed_in_the_middle_has_it_delivered_again(
    alerts: Alerts, receiver: Receiver
) -> None:
    taken, over = threading.Event(), threading.Event()

    def hold(_: Delivery) -> Answer:
        taken.set()
        over.wait(60)
        return Answer()

    receiver.answer = hold
    killed = alerts.start(receiver)
    alerts.yard.model("churn")
    alerts.fail_run("churn", "churn-1")
    assert taken.wait(30)
    # The receiver has it. That it has is written down nowhere yet.
    (alert,) = listed(killed)
    assert redeliver(killed, alert["id"]).status_code == 409
    killed.process.send_signal(signal.SIGKILL)
    killed.process.wait()
    receiver.answer = lambda _: Answer()
    over.set()

    other = alerts.start(receiver)
    (delivered,) = in_state(other, "delivered")
    first, second = receiver.deliveries
    assert (first.id, first.body) == (second.id, second.body)
    assert delivered["attempts"] == 1


async def test_replicas_share_the_deliveries(alerts: Alerts, receiver: Receiver) -> None:
    alerts.yard.model("churn")
    replicas = [alerts.start() for _ in range(2)]
    for number in range(30):
        alerts.fail_run("churn", f"churn-{number}")
    in_state(replicas[0], "pending", 30)
    assert redeliver(replicas[0], listed(replicas[0])[0]["id"]).status_code == 409
    both = [alerts.start(receiver) for _ in range(2)]
    in_state(both[0], "delivered", 30)
    assert len(receiver.ids) == len(set(receiver.ids)) == 30
    pages = listed(both[1], limit="7")
    assert len(pages) == 7


async def test_postgres_may_be_away_when_a_run_fails(
    alerts: Alerts, receiver: Receiver, postgres: Postgres
) -> None:
    alerts.yard.model("churn")
    replica = alerts.start(receiver)
    with postgres.killed():
        alerts.fail_run("churn", "churn-1")
        wait_for("it was noticed", lambda: "cannot be reached" in replica.log.read_text())
        alerts.yard.rest.delete(f"{alerts.yard.jobs}/churn-1")
    (delivery,) = arrived(receiver, 1)
    assert delivery.payload["data"]["run"] == "churn-1"


def test_the_example_of_a_receiver_works(alerts: Alerts, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    secret = new_secret()
    log = tmp_path / "receiver.log"
    command = [sys.executable, str(ROOT / "examples/webhook/receiver.py"), str(port)]
    environment = {"PATH": os.environ["PATH"], "WEBHOOK_SECRET": secret}
    url = f"http://127.0.0.1:{port}"
    with program(command, log, env=environment) as process:
        wait_for("it listens", lambda: _listens(process, url))
        forged = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(datetime.now(UTC).timestamp())),
            "webhook-signature": "v1,AAAA",
        }
        assert httpx.post(url, content=b"{}", headers=forged).status_code == 401
        replica = alerts.yard.start(WEBHOOK_URL=url, WEBHOOK_SECRET=secret)
        alerts.yard.model("churn")
        alerts.fail_run("churn", "churn-1")
        (alert,) = in_state(replica, "delivered")
        assert redeliver(replica, alert["id"]).status_code == 202
        in_state(replica, "delivered")
    assert log.read_text() == "run.failed churn DataNotFound no such table\n"


def _listens(process: "subprocess.Popen[bytes]", url: str) -> bool:
    assert process.poll() is None
    try:
        return httpx.post(url, content=b"{}").status_code == 401
    except httpx.TransportError:
        return False
