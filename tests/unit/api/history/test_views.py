"""What the cluster adds to the history of a retraining."""

from typing import Any

import pytest
from trainyard_api.database.tables import RetrainRun
from trainyard_api.history.views import HistoryRun

RUN = RetrainRun(model="churn", run="churn-1", mode="full", status="completed")


def view(job: dict[str, Any] | None = None, model: dict[str, Any] | None = None) -> HistoryRun:
    return HistoryRun.of(
        RUN,
        job=None if job is None else {"status": job},
        model=None if model is None else {"status": model},
    )


@pytest.mark.parametrize(
    ("job", "model", "metric"),
    [
        (None, None, None),
        ({}, {}, None),
        ({"primaryMetric": "roc_auc=0.84"}, None, ("roc_auc", 0.84)),
        ({"primaryMetric": "roc_auc"}, None, None),
        (None, {"lastRun": {"name": "churn-1", "primaryMetric": "rmse=1.5"}}, ("rmse", 1.5)),
        (None, {"lastRun": {"name": "churn-2", "primaryMetric": "rmse=1.5"}}, None),
        (None, {"champion": {"run": "churn-1", "metric": "f1=0.5"}}, ("f1", 0.5)),
        (None, {"candidates": [{"run": "churn-1", "metric": "f1=0.5"}]}, ("f1", 0.5)),
    ],
)
def test_the_metric(
    job: dict[str, Any] | None, model: dict[str, Any] | None, metric: tuple[str, float] | None
) -> None:
    found = view(job, model).metric
    assert (None if found is None else (found.name, found.value)) == metric


@pytest.mark.parametrize(
    ("job", "model", "outcome"),
    [
        (None, None, None),
        ({"verdicts": [{"passed": False}, {"passed": True}]}, None, "Passed"),
        ({"verdicts": [{"passed": False, "undecided": True}]}, None, "Undecided"),
        ({"verdicts": [{"passed": False}]}, {"history": []}, "NotPassed"),
        (None, {"lastVerdict": {"run": "churn-1", "outcome": "Rejected"}}, "Rejected"),
        (None, {"lastVerdict": {"run": "churn-2", "outcome": "Rejected"}}, None),
        (None, {"candidates": [{"run": "churn-1"}]}, "AwaitingApproval"),
        (None, {"history": [{"to": None}, {"to": {"run": "churn-1"}}]}, "Promoted"),
        (
            {"verdicts": [{"passed": True}]},
            {"lastVerdict": {"run": "churn-1", "outcome": "Unchanged"}},
            "Unchanged",
        ),
    ],
)
def test_the_verdict(
    job: dict[str, Any] | None, model: dict[str, Any] | None, outcome: str | None
) -> None:
    found = view(job, model).verdict
    assert (found and found.outcome) == outcome
