"""How long a run is expected to take."""

from typing import Any

import pytest
from trainyard_controller.objects import TrainingJob
from trainyard_controller.queue.durations import Durations

from ..samples import NOW, training_job_document


def run(uid: str, *, model: str = "churn", model_type: str = "xgboost") -> dict[str, Any]:
    document = training_job_document(model=model, modelType=model_type)
    document["metadata"]["uid"] = uid
    return document


def finished(uid: str, minutes: int, phase: str = "Succeeded", **names: str) -> TrainingJob:
    document = run(uid, **names)
    document["status"] = {
        "model": names.get("model", "churn"),
        "phase": phase,
        "startTime": "2026-11-23T09:00:00Z",
        "completionTime": f"2026-11-23T09:{minutes:02}:00Z",
    }
    return TrainingJob.from_document(document)


def waiting(**names: str) -> TrainingJob:
    return TrainingJob.from_document(run("new", **names))


def test_nothing_is_known_without_a_past_run() -> None:
    durations = Durations()
    durations.note(finished("1", 10, model_type="neural-net"))
    assert durations.expected(waiting()) is None


def test_the_median_of_the_same_model_goes_before_that_of_the_type() -> None:
    durations = Durations()
    for uid, minutes in enumerate([1, 2, 30]):
        durations.note(finished(str(uid), minutes))
    durations.note(finished("other", 50, model="sales"))
    assert durations.expected(waiting()) == 120
    assert durations.expected(waiting(model="sales")) == 3000
    assert durations.expected(waiting(model="unheard-of")) == (2 + 30) * 60 / 2


def test_only_runs_that_succeeded_tell_and_each_counts_once() -> None:
    durations = Durations()
    for _ in range(3):
        durations.note(finished("1", 10))
    durations.note(finished("2", 20))
    durations.note(finished("3", 1, "Failed"))
    durations.note(finished("4", 1, "Cancelled"))
    assert durations.expected(waiting()) == 900


def test_the_last_ten_count_whatever_the_order_in_which_they_are_seen() -> None:
    durations = Durations()
    for minutes in [*range(20, 40, 2), *range(1, 20), *range(21, 40, 2)]:
        durations.note(finished(str(minutes), minutes))
    assert durations.expected(waiting()) == (34 + 35) * 60 / 2


def test_a_run_that_takes_longer_than_usual_is_compared_with_longer_ones() -> None:
    durations = Durations()
    for uid, minutes in enumerate([1, 2, 30]):
        durations.note(finished(str(uid), minutes))
    assert durations.expected(waiting(), elapsed=60) == (2 + 30) * 60 / 2
    assert durations.expected(waiting(), elapsed=600) == 1800
    assert durations.expected(waiting(), elapsed=1800) is None


def running(**progress: Any) -> TrainingJob:
    """Since five minutes."""
    document = run("running")
    document["status"] = {"phase": "Running", "startTime": "2026-11-23T09:00:00Z"}
    if progress:
        document["status"]["progress"] = {"percent": 50, **progress}
    return TrainingJob.from_document(document)


@pytest.mark.parametrize(
    ("progress", "left"),
    [
        ({}, 300),
        ({"etaSeconds": 90, "updatedAt": "2026-11-23T09:04:50Z"}, 80),
        ({"etaSeconds": 5, "updatedAt": "2026-11-23T09:04:50Z"}, 0),
        ({"etaSeconds": 90, "updatedAt": "2026-11-23T09:01:00Z", "stale": True}, 300),
        ({"updatedAt": "2026-11-23T09:04:50Z"}, 300),
    ],
)
def test_what_is_left_of_a_run_is_its_own_estimate_or_that_of_past_runs(
    progress: dict[str, Any], left: float
) -> None:
    durations = Durations()
    durations.note(finished("1", 10))
    assert durations.left(running(**progress), NOW) == left


def test_what_is_left_is_unknown_without_either() -> None:
    assert Durations().left(running(), NOW) is None


def test_a_run_that_has_yet_to_start_takes_its_whole_time() -> None:
    durations = Durations()
    durations.note(finished("1", 10))
    assert durations.left(waiting(), NOW) == 600
