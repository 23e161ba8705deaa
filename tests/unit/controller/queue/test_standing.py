"""How runs stand to the queue."""

from typing import Any

import pytest
from trainyard_controller.objects import Document, TrainingJob
from trainyard_controller.queue.standing import Standing, kueue_queue, standing
from trainyard_schema import names

from ..samples import JOB_NAME, job, running, terminated, training_job, training_job_document

NONE, WAITS, HOLDS = Standing


@pytest.mark.parametrize(
    ("status", "spec", "its_job", "pods", "expected"),
    [
        (None, {}, None, [], WAITS),
        ({"phase": "Queued"}, {}, None, [], WAITS),
        ({"phase": "Queued"}, {}, job(suspend=True), [], WAITS),
        ({"phase": "Queued"}, {}, job(), [], HOLDS),
        ({"phase": "Pending", "reason": "QuotaExceeded"}, {}, None, [], WAITS),
        ({"phase": "Running", "jobName": JOB_NAME}, {}, job(), [running()], HOLDS),
        ({"phase": "Starting"}, {}, None, [], HOLDS),
        ({"phase": "Running", "jobName": JOB_NAME}, {}, None, [running()], HOLDS),
        ({"phase": "Succeeded"}, {}, job(), [], NONE),
        (None, {"suspend": True}, None, [], NONE),
        ({"phase": "Running"}, {"suspend": True}, job(), [running()], HOLDS),
        ({"phase": "Running"}, {"suspend": True}, job(suspend=True), [running()], HOLDS),
        ({"phase": "Running"}, {"suspend": True}, job(suspend=True), [terminated(143)], NONE),
        ({"phase": "Suspended"}, {}, job(suspend=True), [], WAITS),
        ({"phase": "Queued"}, {"cancel": True}, None, [], NONE),
        ({"phase": "Cancelling"}, {"cancel": True}, None, [running()], HOLDS),
        ({"phase": "Cancelling"}, {"cancel": True}, None, [terminated(143)], NONE),
        (None, {"managedBy": "kueue.x-k8s.io/multikueue"}, job(), [running()], NONE),
        (None, {"managedBy": names.CONTROLLER}, None, [], WAITS),
    ],
)
def test_what_holds_a_slot_and_what_waits_for_one(
    status: dict[str, Any] | None,
    spec: dict[str, Any],
    its_job: Document | None,
    pods: list[Document],
    expected: Standing,
) -> None:
    assert standing(training_job(status=status, **spec), its_job, pods) is expected


def labelled(**labels: str) -> TrainingJob:
    document = training_job_document()
    document["metadata"]["labels"] = labels
    return TrainingJob.from_document(document)


def test_what_kueue_decides_about_is_not_counted() -> None:
    one = labelled(**{names.KUEUE_QUEUE_LABEL: "team-a"})
    assert kueue_queue(one, None) == "team-a"
    assert standing(one, None, []) is NONE
    assert kueue_queue(labelled(**{names.KUEUE_PRIORITY_LABEL: "high"}), None) is None
    assert kueue_queue(labelled(**{names.KUEUE_QUEUE_LABEL: ""}), None) is None


def test_once_there_is_a_job_its_own_label_decides() -> None:
    one = labelled(**{names.KUEUE_QUEUE_LABEL: "team-a"})
    assert kueue_queue(one, job()) is None
    other = job()
    other["metadata"]["labels"][names.KUEUE_QUEUE_LABEL] = "team-b"
    assert kueue_queue(labelled(), other) == "team-b"


def test_a_run_that_is_being_deleted_has_nothing_to_wait_for() -> None:
    document = training_job_document()
    document["metadata"]["deletionTimestamp"] = "2026-11-23T09:00:00Z"
    assert standing(TrainingJob.from_document(document), job(), [running()]) is NONE
