"""How wrong predicted ends were."""

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY
from trainyard_controller.eta_error import EtaErrors, Prediction, errors
from trainyard_schema import ModelType, ModelVersion, Phase, Progress, TrainingJobStatus

from .samples import version_of

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
KEY = ("lab", "churn")


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def predictions(*said: tuple[float, float | None]) -> list[Prediction]:
    return [Prediction(at(since), None if end is None else at(end)) for since, end in said]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ([], {}),
        ([(10, 150)], {0.25: 0.5, 0.5: 0.5, 0.75: 0.5}),
        ([(10, 150), (60, 95)], {0.25: 0.5, 0.5: 0.5, 0.75: 0.05}),
        ([(30, 120)], {0.5: 0.2, 0.75: 0.2}),
        ([(10, 150), (40, None)], {0.25: 0.5}),
        ([(-5, 150)], {}),
    ],
)
def test_the_prediction_that_stood_at_a_share_is_compared(
    said: list[tuple[float, float | None]], found: dict[float, float]
) -> None:
    assert dict(errors(predictions(*said), START, at(100))) == pytest.approx(found)


def test_a_run_without_a_duration_has_no_error() -> None:
    assert list(errors(predictions((0, 10)), START, START)) == []


def observed(share: str) -> tuple[float, float]:
    def sample(name: str) -> float:
        found = REGISTRY.get_sample_value(f"trainyard_eta_error_ratio_{name}", {"share": share})
        return found or 0.0

    return sample("count"), sample("sum")


def status(phase: Phase, *, eta: int | None = None, attempts: int = 1) -> TrainingJobStatus:
    return TrainingJobStatus(
        phase=phase,
        start_time=START,
        completion_time=at(100) if phase is not Phase.RUNNING else None,
        attempts=attempts,
        models=[ModelVersion.model_validate(version_of(ModelType.XGBOOST))],
        progress=Progress(percent=1, eta_seconds=eta, updated_at=at(20)),
    )


@pytest.mark.parametrize(
    ("end", "counted"),
    [
        (status(Phase.SUCCEEDED), 1),
        (status(Phase.SUCCEEDED, attempts=2), 0),
        (status(Phase.FAILED), 0),
    ],
    ids=["success", "success in two attempts", "failure"],
)
def test_the_error_is_counted_of(end: TrainingJobStatus, counted: int) -> None:
    before = observed("0.5")
    known = EtaErrors()
    known.note(KEY, status(Phase.RUNNING, eta=120), at(20))
    known.note(KEY, end, at(101))
    after = observed("0.5")
    assert (after[0] - before[0], after[1] - before[1]) == pytest.approx((counted, counted * 0.4))
    known.note(KEY, status(Phase.SUCCEEDED), at(101))
    assert observed("0.5") == after


def test_a_long_run_keeps_few_predictions_and_the_share_is_still_found() -> None:
    before = observed("0.5")
    known = EtaErrors()
    for tenth in range(1000):
        one = status(Phase.RUNNING, eta=80 + (tenth >= 450) * 20)
        known.note(KEY, one, at(tenth / 10))
    known.note(KEY, status(Phase.SUCCEEDED), at(101))
    after = observed("0.5")
    assert after[1] - before[1] == pytest.approx(0.2)
