import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from trainyard_api.retraining.estimate import PastRun, estimate_seconds, merged, present_runs
from trainyard_api.retraining.requests import RetrainError, user_id
from trainyard_api.retraining.selection import Target, marked
from trainyard_schema import names

GIVEN = "5f0c6a1b-9d8e-4f7a-8b6c-5d4e3f2a1b0c"
START = datetime(2026, 11, 23, tzinfo=UTC)


def test_a_subject_that_is_a_uuid_is_its_own_id() -> None:
    assert str(user_id(GIVEN)) == GIVEN
    assert user_id(GIVEN.upper()) == user_id(GIVEN)


@pytest.mark.parametrize(
    "subject", ["ada", "", f"{{{GIVEN}}}", f"urn:uuid:{GIVEN}", GIVEN.replace("-", ""), "ünï"]
)
def test_any_other_subject_is_always_mapped_to_the_same_one(subject: str) -> None:
    assert user_id(subject).version == 5
    assert user_id(subject) == user_id(subject) != user_id(f"{subject}x")


def test_the_mapping_is_that_of_every_version() -> None:
    assert user_id("ada") == uuid.UUID("924ce7ae-6b60-5882-9f84-99ebcf17c385")


def model(name: str, label: str | None = "true", **spec: Any) -> dict[str, Any]:
    labels = {} if label is None else {names.RETRAINABLE_LABEL: label}
    return {"metadata": {"name": name, "uid": f"uid-{name}", "labels": labels}, "spec": spec}


def test_all_are_those_that_are_marked_and_not_suspended() -> None:
    found = marked(
        [
            model("b"),
            model("a"),
            model("asleep", suspend=True),
            model("unmarked", None),
            model("no", "false"),
        ]
    )
    assert [target.name for target in found] == ["a", "b"]


@pytest.mark.parametrize(
    ("models", "status"), [([], 404), ([model("a", None)], 404), ([model("a", suspend=True)], 409)]
)
def test_all_that_are_none(models: list[dict[str, Any]], status: int) -> None:
    with pytest.raises(RetrainError) as caught:
        marked(models)
    assert caught.value.status == status


def asked(value: str | None, handled: str | None) -> Target:
    document = model("churn")
    document["metadata"]["annotations"] = {names.RETRAIN_ANNOTATION: value} if value else {}
    document["status"] = {"lastHandledRetrain": handled, "message": "waiting to retrain: cooldown"}
    return Target(document)


def test_a_model_with_a_request_that_waits_is_not_asked() -> None:
    for target in (asked(None, None), asked(None, "1"), asked("1", "1")):
        target.check()
    for handled in (None, "1"):
        with pytest.raises(RetrainError, match=r"the request 2 \(waiting to retrain: cooldown\)"):
            asked("2", handled).check()


def past(*seconds: float, mode: str = "full", name: str = "run") -> list[PastRun]:
    """Runs that took so long, the last one the newest."""
    return [
        PastRun(f"{name}-{number}", mode, ended - timedelta(seconds=took), ended)
        for number, took in enumerate(seconds)
        for ended in [START + timedelta(hours=number)]
    ]


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ({}, 120),
        ({"a": []}, 120),
        ({"a": past(30, 50, 40)}, 40),
        ({"a": past(10, 20.5)}, 16),
        ({"a": past(0.1)}, 1),
        # Of the last ten only.
        ({"a": past(*[900] * 20, *[60] * 10)}, 60),
        # In this mode, if there is any.
        ({"a": [*past(900, mode="incremental"), *past(60)]}, 60),
        ({"a": past(900, mode="incremental")}, 900),
        # The slowest Model counts, also where nothing is known of it.
        ({"a": past(30), "b": past(300)}, 300),
        ({"a": past(30), "b": []}, 120),
    ],
)
def test_estimates(runs: dict[str, list[PastRun]], expected: int) -> None:
    assert estimate_seconds(runs, "full") == expected


def test_a_run_that_two_sources_know_counts_once() -> None:
    assert merged(past(30), past(30), past(50, name="other")) == [
        *past(30),
        *past(50, name="other"),
    ]


def test_the_runs_of_a_model_that_are_there() -> None:
    def job(name: str, uid: str, phase: str) -> dict[str, Any]:
        return {
            "metadata": {
                "name": name,
                "creationTimestamp": "2026-11-23T10:00:00Z",
                "labels": {names.MODEL_UID_LABEL: uid},
            },
            "spec": {"mode": "incremental"},
            "status": {"phase": phase, "completionTime": "2026-11-23T10:02:00Z"},
        }

    jobs = [
        job("mine", "uid-churn", "Succeeded"),
        job("failed", "uid-churn", "Failed"),
        job("another's", "uid-other", "Succeeded"),
    ]
    [run] = present_runs(jobs, Target(model("churn")))
    assert (run.name, run.mode) == ("mine", "incremental")
    assert run.completed_at - run.started_at == timedelta(minutes=2)
