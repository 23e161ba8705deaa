"""Plans, history, alerts, and who one is."""

import json
from typing import Any

import pytest

from .api import Answer, Api, problem
from .cli import Done, Trainyard

ID = "8a4f0c9e-6f0e-4f0e-9a55-0d3a4f6f7c11"
PLAN = {
    "name": "churn",
    "model_type": "xgboost",
    "schedule": "0 3 * * *",
    "time_zone": "Europe/Lisbon",
    "suspended": True,
    "retrainable": True,
    "next_run": None,
    "last_run": None,
    "last_run_status": "Succeeded",
    "champion": "20261120T100000Z-0a1b2c3d",
    "champion_metric": "roc_auc=0.84",
    "typical_seconds": 150.0,
}
RUN = {
    "model": "churn",
    "run": "churn-1f2e",
    "mode": "full",
    "status": "completed",
    "metric": {"name": "roc_auc", "value": 0.84},
    "verdict": {"outcome": "Promoted", "reasons": []},
}
RETRAINING = {
    "id": ID,
    "type": "retrain",
    "user_id": ID,
    "user": "ada",
    "created_at": "2026-11-20T10:00:00Z",
    "status": "completed",
    "model_type": "churn",
    "full_retrain": True,
    "models": [RUN, RUN | {"run": "risk-1", "metric": None, "verdict": None}],
    "details": None,
}
FEEDBACK = {
    "id": ID,
    "type": "feedback",
    "user_id": ID,
    "user": "ada",
    "created_at": "2026-11-20T09:00:00Z",
    "models": [],
    "details": {"model": "churn", "rows": 3},
}
ALERT = {
    "id": ID,
    "type": "run.failed",
    "occurred_at": "2026-11-20T10:00:00Z",
    "data": {"model": "churn", "run": "churn-1", "message": "no\x1b such table"},
    "created_at": "2026-11-20T10:00:01Z",
    "state": "dead",
    "attempts": 5,
    "last_error": "answered 503",
}


@pytest.fixture(autouse=True)
def address(api: Api, home: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINYARD_URL", api.url)


def test_plans(api: Api, trainyard: Trainyard) -> None:
    on_request = {"name": "risk", "model_type": "random-forest", "schedule": None}
    api.answers("GET /api/plans", Answer(200, {"success": True, "data": [PLAN, on_request]}))
    _, first, second = trainyard("plans").out.splitlines()
    schedule = "0 3 * * * (Europe/Lisbon), suspended"
    assert schedule in first
    assert first.split("suspended")[1].split() == [
        *("-", "-", "Succeeded", "2m", "yes", PLAN["champion"], "roc_auc=0.84"),
    ]
    assert second.split() == ["risk", "random-forest", "on", "request", *"---", "-", "no", *"--"]
    assert trainyard("plans", "-o", "name").out == "churn\nrisk\n"
    assert json.loads(trainyard("plans", "-o", "json").out) == {"items": [PLAN, on_request]}


def test_history(api: Api, trainyard: Trainyard) -> None:
    pages = [
        Answer(200, {"success": True, "data": [one], "next_cursor": cursor})
        for one, cursor in ((RETRAINING, "c"), (FEEDBACK, None))
    ]
    api.answers("GET /api/history", *pages)
    _, first, second = trainyard("history").out.splitlines()
    assert [request.query.get("cursor") for request in api.requests] == [None, ["c"]]
    assert first.split() == [
        *("2026-11-20", "10:00:00", "ada", "retrain", "churn", "in", "full", "completed"),
        *("churn-1f2e", "roc_auc=0.8400", "Promoted,", "risk-1", "-"),
    ]
    assert second.split()[2:] == ["ada", "feedback", "model=churn,", "rows=3", "-", "-", "-"]
    api.answers("GET /api/history", pages[0])
    done = trainyard("history", "--limit", "1", "-o", "json")
    assert json.loads(done.out) == {"items": [RETRAINING]}


@pytest.mark.parametrize("command", ["history", "retrains"])
def test_whose(api: Api, trainyard: Trainyard, command: str) -> None:
    empty: dict[str, Any] = {"items": [], "data": [], "next_cursor": None}
    api.answers("GET /api/history", Answer(200, empty))
    api.answers("GET /api/v1/retrains", Answer(200, empty))
    for words in ((), ("--all",), ("--user", "bob")):
        assert trainyard(command, *words).code == 0
    asked = [(one.query.get("all"), one.query.get("user")) for one in api.requests]
    assert asked == [(None, None), (["true"], None), (None, ["bob"])]
    done = trainyard(command, "--all", "--user", "bob")
    assert done == Done(2, "", "error: Give --user or --all, not both\n")


def test_alerts(api: Api, trainyard: Trainyard) -> None:
    api.answers("GET /api/v1/alerts", Answer(200, {"items": [ALERT], "next_cursor": None}))
    _, line = trainyard("alerts", "--state", "dead").out.splitlines()
    assert api.requests[0].query["state"] == ["dead"]
    assert line.split()[:4] == [ID, "run.failed", "churn", "churn-1"]
    assert line.split()[5:] == ["no\ufffd", "such", "table", "dead", "5", "answered", "503"]
    assert trainyard("alerts", "-o", "name").out == f"{ID}\n"


def test_redelivery(api: Api, trainyard: Trainyard) -> None:
    route = f"POST /api/v1/alerts/{ID}/redeliver"
    api.answers(route, Answer(202, ALERT | {"state": "pending"}))
    done = trainyard("redeliver", ID, ID)
    assert (done.code, done.out) == (0, "")
    assert done.err == f"{ID}: to be delivered again\n" * 2 + "\nNext:\n  trainyard alerts\n"
    assert all(one.headers["idempotency-key"] for one in api.requests)
    assert trainyard("redeliver", ID, "-o", "name").out == f"{ID}\n"
    [item] = json.loads(trainyard("redeliver", ID, "-o", "json").out)["items"]
    assert item["state"] == "pending"
    api.answers(route, problem(409, "No webhook is configured."))
    assert trainyard("redeliver", ID) == Done(1, "", "error: No webhook is configured.\n")


def test_who_one_is(api: Api, trainyard: Trainyard) -> None:
    api.answers("GET /api/v1/me", Answer(200, {"subject": "ada", "role": "viewer"}))
    told = trainyard("whoami").out
    assert told == f"Subject: ada\nRole:    viewer\nAPI:     {api.url}\n"
    assert trainyard("whoami", "-o", "name").out == "ada\n"
    assert json.loads(trainyard("whoami", "-o", "json").out) == {"subject": "ada", "role": "viewer"}
    api.answers("GET /api/v1/alerts", problem(403, "This needs the role admin."))
    assert "Your role is shown by: trainyard token" in trainyard("alerts").err
