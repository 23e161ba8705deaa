"""The payloads in docs/alerts.md are those that are sent."""

import json
import re
import uuid
from datetime import datetime
from typing import Any

import pytest
from trainyard_api.alerts.causes import Cause, cause_of_retrain, cause_of_run
from trainyard_api.alerts.webhook import body_of
from trainyard_api.database.tables import Alert, RetrainLog, RetrainRun
from trainyard_devtools.repo import ROOT
from trainyard_schema import names

EXAMPLES = [
    json.loads(text)
    for text in re.findall(
        r"```json\n(.*?)```", (ROOT / "docs/alerts.md").read_text(), flags=re.DOTALL
    )
]


def of_retrain(data: dict[str, Any], time: datetime) -> Cause:
    log = RetrainLog(
        id=uuid.UUID(data["retrain_id"]),
        usuario_id=uuid.UUID(data["user_id"]),
        retrain_type=data["model"],
        full_retrain=data["mode"] == "full",
        completed_at=time,
        error_message=data["message"],
    )
    runs = [
        RetrainRun(
            model=run["model"],
            run=run["run"],
            mode=run["mode"],
            status="failed",
            error_message=run["message"],
        )
        for run in data["runs"]
    ]
    return cause_of_retrain(log, runs, {run["run"]: run["reason"] for run in data["runs"]})


def of_run(data: dict[str, Any], time: datetime) -> Cause | None:
    owner = {"apiVersion": names.API_VERSION, "kind": names.MODEL_KIND, "name": data["model"]}
    return cause_of_run(
        {
            "metadata": {"name": data["run"], "uid": "1", "ownerReferences": [owner]},
            "spec": {"mode": data["mode"]},
            "status": {
                "phase": "Failed",
                "reason": data["reason"],
                "message": data["message"],
                "completionTime": time.isoformat(),
            },
        }
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["type"] for example in EXAMPLES])
def test_an_example_is_what_is_sent(example: dict[str, Any]) -> None:
    make = {"retraining.failed": of_retrain, "run.failed": of_run}[example["type"]]
    cause = make(example["data"], datetime.fromisoformat(example["timestamp"]))
    assert cause is not None
    alert = Alert(type=cause.type, occurred_at=cause.occurred_at, data=cause.data)
    assert json.loads(body_of(alert)) == example


def test_both_types_are_shown() -> None:
    assert {example["type"] for example in EXAMPLES} == {"retraining.failed", "run.failed"}
