"""Requests to retrain."""

import json
from typing import Any

import pytest
from trainyard_client import retrains

from .api import Answer, Api, problem
from .cli import Trainyard

ID = "0b1c2d3e-4f5a-4b6c-8d7e-9f0a1b2c3d4e"
START = "POST /api/v1/models/churn/retrain"
ONE = f"GET /api/v1/retrains/{ID}"


@pytest.fixture(autouse=True)
def address(api: Api, home: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINYARD_URL", api.url)
    monkeypatch.setattr(retrains, "POLL_SECONDS", 0.02)


def retrain(status: str = "processing", **fields: Any) -> dict[str, Any]:
    run = {"model": "churn", "run": "churn-1f2e", "mode": "full", "status": status}
    ended = {"completed_at": "2026-11-20T10:01:00Z"} if status in ("completed", "failed") else {}
    return {
        "id": ID,
        "model_type": "churn",
        "full_retrain": True,
        "status": status,
        "requester": "ada",
        "created_at": "2026-11-20T10:00:00Z",
        "runs": [run],
        **ended,
        **fields,
    }


def test_one_model(api: Api, trainyard: Trainyard) -> None:
    api.answers(START, Answer(202, retrain()))
    done = trainyard("retrain", "churn", "--full")
    assert (done.code, done.out) == (0, "")
    assert "  trainyard watch churn-1f2e\n" in done.err
    assert api.requests[0].json == {"full": True}
    assert api.requests[0].headers["idempotency-key"]
    assert json.loads(trainyard("retrain", "churn", "-o", "json").out) == retrain()


def test_every_model(api: Api, trainyard: Trainyard) -> None:
    job_id = f"retrain-{ID}"
    answer = {"success": True, "data": {"python_response": {"job_id": job_id}}}
    api.answers("POST /api/retrain", Answer(200, answer))
    api.answers(f"GET /api/v1/retrains/{job_id}", Answer(200, retrain(model_type="all")))
    assert trainyard("retrain", "--all", "-o", "name").out == f"{ID}\n"
    assert api.requests[0].json == {"model_type": "all", "full_retrain": False}


@pytest.mark.parametrize("words", [(), ("churn", "--all")])
def test_either_one_or_all(trainyard: Trainyard, words: tuple[str, ...]) -> None:
    done = trainyard("retrain", *words)
    assert (done.code, done.err) == (2, "error: Give the name of a Model, or --all\n")


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        (retrain("completed"), 0, "churn  completed  churn-1f2e completed\n"),
        (retrain("failed", error_message="no rows"), 3, "Retraining failed: no rows"),
    ],
)
def test_waiting(
    *, api: Api, trainyard: Trainyard, end: dict[str, Any], code: int, said: str
) -> None:
    api.answers(START, Answer(202, retrain()))
    api.answers(ONE, Answer(200, retrain()), Answer(200, retrain()), Answer(200, end))
    done = trainyard("retrain", "churn", "--wait")
    assert done.code == code
    assert done.out.startswith("churn  processing  churn-1f2e processing\n")
    assert said in done.out + done.err


def test_waiting_in_vain(api: Api, trainyard: Trainyard) -> None:
    api.answers(START, Answer(202, retrain()))
    api.answers(ONE, Answer(200, retrain()))
    assert trainyard("retrain", "churn", "--wait", "--timeout", "0.1").code == 5


def test_a_limit(api: Api, trainyard: Trainyard) -> None:
    api.answers(START, problem(429, "One a minute.", Retry_After="60"))
    assert trainyard("retrain", "churn").err == "error: One a minute.\nTry again in 60 s.\n"


def test_the_list(api: Api, trainyard: Trainyard) -> None:
    api.answers("GET /api/v1/retrains", Answer(200, {"items": [retrain()], "next_cursor": None}))
    _, line = trainyard("retrains", "--all").out.splitlines()
    assert line.split()[:6] == [ID, "churn", "full", "processing", "ada", "churn-1f2e"]
    assert api.requests[0].query["all"] == ["true"]
