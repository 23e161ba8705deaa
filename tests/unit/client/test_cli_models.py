"""Commands about Models: what they ask the API for, and what they print."""

import json
from typing import Any

import pytest
from trainyard_client import models

from .api import Answer, Api, problem
from .cli import Done, Trainyard

A, B = "20261120T100000Z-0a1b2c3d", "20261121T100000Z-0a1b2c3d"
MODELS = "/api/v1/models"
COMPARISON = {
    "model": "churn",
    "versions": [A, B],
    "holdout": {"same": False, "message": "they were measured on different rows"},
    "metrics": [
        {
            "name": "roc_auc",
            "split": "holdout",
            "values": [0.81, 0.84],
            "intervals": [[0.79, 0.83], None],
            "difference": 0.03,
            "lower_is_better": False,
            "better": B,
        },
        {"name": "brier", "split": "holdout", "values": [None, 0.1], "intervals": [None, None]},
    ],
    "verdicts": [None, None],
    "slices": [],
    "hyperparameters": [{"name": "max_depth", "values": [6, None]}],
    "data": [],
}


@pytest.fixture(autouse=True)
def address(api: Api, home: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINYARD_URL", api.url)


def transition(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "number": number,
        "time": "2026-11-20T10:00:00Z",
        "action": "Promoted",
        "version": A,
        "by": "operator",
        "why": "passed",
        "champion": A,
        "champion_metric": "roc_auc=0.84",
        **fields,
    }


def test_compare(api: Api, trainyard: Trainyard) -> None:
    api.answers(f"GET {MODELS}/churn/compare", Answer(200, COMPARISON))
    done = trainyard("models", "compare", "churn", A, B)
    assert api.requests[0].query == {"version": [A, B]}
    lines = done.out.splitlines()
    assert lines[0].split() == ["METRIC", "SPLIT", A, B, "DIFFERENCE", "BETTER"]
    assert lines[1].split()[2:6] == ["0.8100", "[0.7900,", "0.8300]", "0.8400"]
    assert "+0.0300" in lines[1]
    assert lines[2].split() == ["brier", "holdout", "-", "0.1000", "-", "-"]
    assert lines[-1].split() == ["max_depth", "6", "-"]
    assert done.err == "\nHoldout: they were measured on different rows.\n"
    document = json.loads(trainyard("models", "compare", "churn", A, B, "-o", "json").out)
    assert document["metrics"][0]["lower_is_better"] is False


def test_history(api: Api, trainyard: Trainyard) -> None:
    entries = [transition(2, action="RolledBack", by="ada", why="odd"), transition(1)]
    page = Answer(200, {"items": entries, "next_cursor": None})
    api.answers(f"GET {MODELS}/churn/history", page)
    lines = trainyard("models", "history", "churn").out.splitlines()
    assert lines[1].split() == [
        *("2026-11-20", "10:00:00", "RolledBack", A, A, "roc_auc=0.84", "ada", "odd"),
    ]
    assert len(lines) == 3


def test_the_champion_of_a_time(api: Api, trainyard: Trainyard) -> None:
    entries = [transition(2), transition(1)]
    route = f"GET {MODELS}/churn/history"
    api.answers(route, Answer(200, {"items": entries, "next_cursor": None}))
    done = trainyard("models", "history", "churn", "--at", "2026-11-21", "-o", "name")
    assert done == Done(0, f"{A}\n", "")
    assert api.requests[0].query["at"] == ["2026-11-21T00:00:00+00:00"]
    api.answers(route, Answer(200, {"items": [], "next_cursor": None}))
    assert trainyard("models", "history", "churn", "--at", "2020-01-01").code == 1
    assert "write a time as" in trainyard("models", "history", "churn", "--at", "noon").err


ACCEPTED = {"id": "req-1", "model": "churn", "decision": "promote", "version": A}
MODEL: dict[str, Any] = {
    "name": "churn",
    "model_type": "xgboost",
    "data_uri": "s3://trainyard/churn.csv",
    "target": "churned",
    "schedule": "0 3 * * *",
    "time_zone": "Europe/Lisbon",
    "champion": {"model_type": "xgboost", "version": B, "metric": "roc_auc=0.84"},
    "candidates": [{"model_type": "xgboost", "version": A, "reasons": ["by hand", "odd"]}],
    "message": None,
    "requests": [{"kind": "promote", "id": "req-1", "value": f"{A} req-1", "answered": True}],
    "surprise": 1,
}


def test_the_list_and_one(api: Api, trainyard: Trainyard) -> None:
    api.answers(f"GET {MODELS}", Answer(200, {"items": [MODEL], "next_cursor": None}))
    _, line = trainyard("models", "list").out.splitlines()
    assert line.split() == ["churn", B, "xgboost", "roc_auc=0.84", "-", "1", "-"]
    api.answers(f"GET {MODELS}/churn", Answer(200, MODEL))
    told = trainyard("models", "show", "churn").out
    assert "Trains:   xgboost on s3://trainyard/churn.csv, target churned\n" in told
    assert "Schedule: 0 3 * * * (Europe/Lisbon)\n" in told
    assert told.splitlines()[-1].split() == [A, "xgboost", "-", "-", "by", "hand;", "odd"]
    assert json.loads(trainyard("models", "show", "churn", "-o", "json").out) == MODEL


DECISIONS = [
    (("promote", "churn", A, "--reason", "better"), "promote", {"version": A, "reason": "better"}),
    (("promote", "churn", A), "promote", {"version": A}),
    (("approve", "churn", A), "approve", {"version": A}),
    (("reject", "churn", A), "reject", {"version": A}),
    (("rollback", "churn"), "rollback", {}),
]


@pytest.mark.parametrize(("words", "action", "body"), DECISIONS)
def test_decisions(
    *, api: Api, trainyard: Trainyard, words: tuple[str, ...], action: str, body: Any
) -> None:
    api.answers(f"POST {MODELS}/churn/{action}", Answer(202, ACCEPTED))
    done = trainyard(*words)
    assert (done.code, done.out) == (0, "")
    assert "\nNext:\n  trainyard models show churn\n" in done.err
    assert api.requests[0].json == body
    assert api.requests[0].headers["idempotency-key"]
    assert json.loads(trainyard(*words, "-o", "json").out) == ACCEPTED


@pytest.mark.parametrize(("words", "action", "_"), DECISIONS)
def test_waiting_for_the_operator(
    *,
    api: Api,
    trainyard: Trainyard,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    action: str,
    _: Any,
) -> None:
    monkeypatch.setattr(models, "POLL_SECONDS", 0.02)
    api.answers(f"POST {MODELS}/churn/{action}", Answer(202, ACCEPTED))
    [request] = MODEL["requests"]
    open_request = Answer(200, MODEL | {"requests": [request | {"answered": False}]})
    api.answers(f"GET {MODELS}/churn", open_request, open_request, Answer(200, MODEL))
    done = trainyard(*words, "--wait")
    assert done.code == 0
    assert f"Champion: {B} (xgboost)\n" in done.out
    refused = MODEL | {"message": "refused to roll back: there is no previous champion"}
    api.answers(f"GET {MODELS}/churn", Answer(200, refused))
    done = trainyard(*words, "--wait", "-o", "name")
    assert (done.code, done.out) == (3, "churn\n")
    assert "The operator refused to roll back" in done.err
    api.answers(f"GET {MODELS}/churn", open_request)
    assert trainyard(*words, "--wait", "--timeout", "0.1").code == 5


def test_a_decision_that_is_refused(api: Api, trainyard: Trainyard) -> None:
    api.answers(f"POST {MODELS}/churn/rollback", problem(409, "churn has no previous champion."))
    assert trainyard("rollback", "churn") == Done(1, "", "error: churn has no previous champion.\n")
