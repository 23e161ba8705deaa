"""What the status and the Job of a run say that waits, or is Kueue's."""

from typing import Any

from trainyard_controller.job import build_job
from trainyard_controller.objects import Document, TrainingJob
from trainyard_controller.observation import Observation
from trainyard_controller.queue.places import Place
from trainyard_controller.queue.wait import NEWCOMER, for_slot
from trainyard_controller.status import desired_status
from trainyard_schema import ModelType, TrainingJobSpec, names, run_config

from ..samples import (
    JOB_NAME,
    NOW,
    SETTINGS,
    UID,
    job,
    running,
    succeeded,
    training_job,
    training_job_document,
)

RUNNING = {"phase": "Running", "jobName": JOB_NAME, "attempts": 1}
THIRD = for_slot(Place(3, 17, None).told, NOW)
LABELS = {names.KUEUE_QUEUE_LABEL: "team-a", names.KUEUE_PRIORITY_LABEL: "high", "other": "label"}


def status_of(one: TrainingJob, **seen: Any) -> dict[str, Any]:
    spec = TrainingJobSpec.from_stored(one.spec)
    seen = {"job": None, "now": NOW, **seen}
    return desired_status(Observation(training_job=one, spec=spec, **seen)).to_dict()


def of_kueue(status: dict[str, Any] | None = None, **spec: Any) -> TrainingJob:
    document = training_job_document(status, **spec)
    document["metadata"]["labels"] = LABELS
    return TrainingJob.from_document(document)


def job_of_kueue(**more: Any) -> Document:
    document = job(**more)
    document["metadata"]["labels"] |= LABELS
    return document


def conditions(status: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {one["type"]: (one["status"], one["reason"]) for one in status["conditions"]}


def test_a_run_that_waits_is_told_its_place() -> None:
    status = status_of(training_job(), wait=THIRD)
    assert (status["phase"], status["reason"]) == ("Queued", "WaitingForSlot")
    assert status["message"] == "position 3 of 17"
    assert status["queue"] == {"position": 3, "length": 17}
    assert "jobName" not in status
    assert conditions(status) == {
        "Accepted": ("True", "Accepted"),
        "PodReady": ("False", "WaitingForSlot"),
    }


def test_a_newcomer_has_no_place_yet() -> None:
    status = status_of(training_job(), wait=NEWCOMER)
    assert (status["phase"], status["message"]) == ("Queued", "waits for a free slot")
    assert "queue" not in status


def test_resumed_it_is_queued_and_no_longer_suspended() -> None:
    before = status_of(training_job(suspend=True), job=job(suspend=True))
    assert before["phase"] == "Suspended"
    status = status_of(training_job(status=before), job=job(suspend=True), wait=THIRD)
    assert status["phase"] == "Queued"
    assert conditions(status)["Suspended"] == ("False", "Resumed")


def test_its_place_goes_when_it_starts_or_is_cancelled() -> None:
    before = status_of(training_job(), wait=THIRD)
    for status in (
        status_of(training_job(status=before), job=job()),
        status_of(training_job(status=before, cancel=True)),
    ):
        assert status["phase"] in ("Starting", "Cancelled")
        assert "queue" not in status


def test_what_waits_for_kueue_says_for_which_queue() -> None:
    one = of_kueue()
    status = status_of(one, job=job_of_kueue(suspend=True))
    assert (status["phase"], status["reason"]) == ("Queued", "WaitingForKueue")
    assert status["message"].startswith("waits for Kueue's queue team-a;")
    assert status["jobName"] == JOB_NAME
    assert status_of(one, job=job_of_kueue())["phase"] == "Starting"
    assert status_of(of_kueue(cancel=True), job=job_of_kueue())["phase"] == "Cancelling"


def test_evicted_by_kueue_it_runs_until_its_pods_have_stopped() -> None:
    one, suspended = of_kueue(RUNNING), job_of_kueue(suspend=True)
    assert status_of(one, job=suspended, pods=[running(deleted=True)])["phase"] == "Running"
    status = status_of(one, job=suspended, gone_pods=[running(deleted=True)])
    assert status["phase"] == "Queued"
    assert "lastFailure" not in status


def test_suspended_by_the_user_its_job_is_no_longer_named() -> None:
    one = of_kueue(RUNNING, suspend=True)
    status = status_of(one, job=job_of_kueue(), pods=[running()])
    assert status["phase"] == "Running"
    assert "jobName" not in status
    after = status_of(of_kueue(status, suspend=True), gone_pods=[running(deleted=True)])
    assert (after["phase"], after["attempts"]) == ("Suspended", 1)
    assert conditions(after)["Suspended"] == ("True", "Suspended")


def test_a_run_that_ended_while_its_job_was_taken_back_has_succeeded() -> None:
    withdrawn = {"phase": "Running", "attempts": 1}
    one = of_kueue(withdrawn, suspend=True)
    status = status_of(one, gone_pods=[succeeded(ModelType.XGBOOST, "0.8")])
    assert status["phase"] == "Succeeded"


def test_the_job_has_kueues_labels_and_its_pods_have_not() -> None:
    one = of_kueue()
    spec = TrainingJobSpec.from_stored(one.spec)
    run = run_config(
        spec,
        namespace="lab",
        name="churn",
        uid=UID,
        storage=SETTINGS.storage,
        image=SETTINGS.trainer_image,
    )
    built = build_job(one, spec, run, SETTINGS)
    labels = built["metadata"]["labels"]
    assert labels[names.KUEUE_QUEUE_LABEL] == "team-a"
    assert labels[names.KUEUE_PRIORITY_LABEL] == "high"
    assert "other" not in labels
    assert not any("kueue" in name for name in built["spec"]["template"]["metadata"]["labels"])
    assert built["spec"]["suspend"] is True
