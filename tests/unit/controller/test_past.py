"""What finished runs took, as a measure for those to come."""

from typing import Any

import pytest
from trainyard_controller.cache import Cache
from trainyard_controller.past import RUNS, PastRuns, Work
from trainyard_schema import ModelType

from .samples import training_job_document, version_of

XGBOOST, FOREST, NET = ModelType
SECONDS = {"Downloading": 1.0, "Validating": 2, "Training": 30.5, "Uploading": 0.5}
CHURN = Work("lab", "churn", XGBOOST, "full", 0, gated=False)


def ended(
    number: int = 0,
    *,
    phase: str = "Succeeded",
    version: dict[str, Any] | None = None,
    kind: ModelType = XGBOOST,
    **spec: Any,
) -> dict[str, Any]:
    told = version_of(kind) | {"stageSeconds": SECONDS, "units": 100 + number} | (version or {})
    status = {
        "phase": phase,
        "completionTime": f"2026-11-23T{number // 60:02d}:{number % 60:02d}:00Z",
        "models": [told],
    }
    document = training_job_document(status, **spec)
    document["metadata"] |= {"uid": f"uid-{number}", "name": f"run-{number}"}
    return document


def noted(*documents: dict[str, Any], works: int = 100) -> PastRuns:
    past = PastRuns(works=works)
    for document in documents:
        past.note(document)
    return past


def units(past: PastRuns, work: Work = CHURN) -> list[int]:
    return [run.units for run in past.of(work)]


def test_a_run_is_known_by_the_work_that_it_did() -> None:
    past = noted(ended(model="churn"))
    (run,) = past.of(CHURN)
    assert run.seconds == (1.0, 2.0, 30.5, 0.0, 0.5, 0.0)
    assert sum(run.seconds) == 34.0
    other = [
        CHURN._replace(namespace="prod"),
        CHURN._replace(model="run-0"),
        CHURN._replace(model_type=FOREST),
        CHURN._replace(mode="incremental"),
        CHURN._replace(folds=5),
        CHURN._replace(gated=True),
    ]
    assert not any(past.of(work) for work in other)


def test_the_work_follows_from_the_spec() -> None:
    spec = {"mode": "incremental", "crossValidation": {"folds": 5}, "gate": {"floor": 0.5}}
    work = Work.of("lab", "run-1", spec, NET)
    assert work == ("lab", "run-1", NET, "incremental", 5, True)


def test_the_latest_runs_are_kept_in_whatever_order_they_come() -> None:
    documents = [ended(number, model="churn") for number in range(RUNS + 5)]
    documents = documents[7:] + documents[:7]
    assert units(noted(*documents)) == [100 + number for number in range(5, RUNS + 5)]


def test_a_run_counts_once() -> None:
    assert units(noted(ended(model="churn"), ended(model="churn"))) == [100]


@pytest.mark.parametrize(
    "document",
    [
        ended(phase="Running", model="churn"),
        ended(version={"stageSeconds": None}, model="churn"),
        ended(version={"units": None}, model="churn"),
        ended(phase="Cancelled", version={"partial": True}, model="churn"),
    ],
    ids=["goes on", "of an older version", "trained nothing", "is partial"],
)
def test_no_measure_is_a_run_that(document: dict[str, Any]) -> None:
    assert units(noted(document)) == []


def test_what_was_trained_is_a_measure_though_the_run_failed() -> None:
    assert units(noted(ended(phase="Failed", model="churn"))) == [100]


def test_memory_is_bounded_by_forgetting_what_ended_first() -> None:
    documents = [ended(number, model=f"model-{number}") for number in range(30)]
    past = noted(*documents, works=20)
    kept = [number for number in range(30) if past.of(CHURN._replace(model=f"model-{number}"))]
    assert len(kept) <= 20
    assert kept == list(range(30 - len(kept), 30))


def test_the_cache_takes_note_of_what_has_ended() -> None:
    cache = Cache()
    cache.put_training_job(ended(model="churn"))
    assert units(cache.past) == [100]
    cache.drop_training_job(("lab", "run-0"), "uid-0")
    assert units(cache.past) == [100]
