"""Plans, history and alerts, through the command, real replicas, Postgres and a receiver."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ...forking.forks import ForkServer
from ..api.alerting import Alerts, alerts_of, in_state, new_secret
from ..api.receiver import Answer, receiving
from ..api.replicas import Replica, token
from ..control_plane import ControlPlane
from ..postgres import Postgres
from .conftest import Done, run

pytestmark = pytest.mark.component
As = Callable[..., Done]


@pytest.fixture
def alerts(
    kubernetes: ControlPlane, apis: ForkServer, postgres: Postgres, tmp_path: Path
) -> Iterator[Alerts]:
    with alerts_of(kubernetes, apis, postgres, tmp_path) as alerts:
        yield alerts


def command(replica: Replica, home: Path, subject: str, role: str | None = None) -> As:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TRAINYARD_URL": replica.url,
        "TRAINYARD_TOKEN": token(subject, role),
    }
    program = str(Path(sys.executable).with_name("trainyard"))
    return lambda *words: run([program, *map(str, words)], environment)


async def test_history_and_plans(alerts: Alerts, tmp_path: Path) -> None:
    replica = alerts.start()
    alerts.yard.model("churn", schedule="0 3 * * *", marked=True)
    own, other = await alerts.retrain("churn"), await alerts.retrain("churn", subject="eve")
    ada = command(replica, tmp_path, "ada")
    root = command(replica, tmp_path, "root", "admin")
    assert ada("history", "-o", "name").out == f"{own}\n"
    line = ada("history").out.splitlines()[1]
    assert line.split()[2:8] == ["ada", "retrain", "churn", "in", "full", "failed"]
    assert root("history").err == "Nothing has been asked for.\n"
    assert root("history", "--user", "eve", "-o", "name").out == f"{other}\n"
    assert root("retrains", "--user", "eve", "-o", "name").out == f"{other}\n"
    assert root("history", "--all", "-o", "name").out == f"{other}\n{own}\n"
    for words in (("--all",), ("--user", "eve")):
        refused = ada("history", *words)
        assert (refused.code, "role admin" in refused.err) == (1, True)
    assert ada("whoami").out.splitlines()[:2] == ["Subject: ada", "Role:    trainer"]

    [plan] = ada("plans", "-o", "json").json["items"]
    assert (plan["name"], plan["schedule"], plan["retrainable"]) == ("churn", "0 3 * * *", True)
    line = ada("plans").out.splitlines()[1]
    assert line.split() == ["churn", "xgboost", *"03***", "(UTC)", *"----", "yes", *"--"]


async def test_what_nobody_has_taken_is_delivered_again(alerts: Alerts, tmp_path: Path) -> None:
    with receiving(new_secret()) as receiver:
        receiver.answer = lambda _: Answer(500, body=b"no more")
        replica = alerts.start(receiver, WEBHOOK_ATTEMPTS="1")
        root = command(replica, tmp_path, "root", "admin")
        assert root("alerts").err == "No alerts.\n"
        alerts.yard.model("churn")
        alerts.fail_run("churn", "churn-1")
        (dead,) = in_state(replica, "dead")
        line = root("alerts", "--state", "dead").out.splitlines()[1]
        assert line.split()[:4] == [dead["id"], "run.failed", "churn", "churn-1"]
        assert line.endswith("answered 500: no more")

        receiver.answer = lambda _: Answer(200)
        done = root("redeliver", dead["id"])
        assert (done.code, done.out) == (0, "")
        in_state(replica, "delivered")
        assert len(receiver.deliveries) == 2
        assert root("alerts", "--state", "dead", "-o", "json").json == {"items": []}
        assert root("redeliver", "0d9e3b1c-51a5-4f0c-9f7a-3f5d0a1c2b3e").code == 1
        odd = root("alerts", "--state", "odd")
        assert (odd.code, "state" in odd.err) == (1, True)
        assert command(replica, tmp_path, "ada")("alerts").code == 1
