from typing import Any

import pytest
from trainyard_controller.announce import Announcement, announcement, build_event
from trainyard_schema import TrainingJobStatus

from .samples import NOW, UID, training_job


def status(phase: str, reason: str | None = None, **more: Any) -> TrainingJobStatus:
    return TrainingJobStatus.model_validate({"phase": phase, "reason": reason, **more})


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (status("Pending"), status("Starting"), None),
        (status("Starting"), status("Running"), None),
        (
            status("Running"),
            status("Succeeded", message="uploaded xgboost", primaryMetric="roc_auc=0.8"),
            None,
        ),
        (
            status("Running"),
            status("Failed", "OOMKilled", message="raise it"),
            ("Warning", "Failed", "OOMKilled: raise it"),
        ),
        (
            status("Cancelling"),
            status("Cancelled", message="cancelled by spec.cancel"),
            ("Normal", "Cancelled", "cancelled by spec.cancel"),
        ),
        (
            status("Starting"),
            status("Starting", "ImagePullFailed", message="no such image"),
            ("Warning", "ImagePullFailed", "no such image"),
        ),
        (
            status("Starting", "ImagePullFailed", message="one"),
            status("Starting", "ImagePullFailed", message="two"),
            None,
        ),
        (status("Running"), status("Suspended"), ("Normal", "Suspended", "no pod runs")),
        (status("Suspended"), status("Suspended"), None),
        (status("Suspended"), status("Starting"), ("Normal", "Resumed", "pods are started again")),
        (status("Suspended"), status("Cancelling"), None),
        (status("Suspended"), status("Queued", "WaitingForSlot", message="position 1 of 1"), None),
        (status("Pending"), status("Queued", "WaitingForSlot", message="position 1 of 1"), None),
        (status("Running"), status("Queued", "WaitingForKueue", message="waits"), None),
        (status("Queued", "WaitingForSlot"), status("Starting"), None),
    ],
)
def test_what_is_told(
    before: TrainingJobStatus, after: TrainingJobStatus, expected: tuple[str, str, str] | None
) -> None:
    said = announcement(before, after)
    assert (said and (said.type, said.reason, said.message)) == expected


def test_the_same_thing_said_twice_is_one_event() -> None:
    said = Announcement(type="Warning", reason="Failed", message="x" * 2000)
    event = build_event(training_job(), said, NOW, instance="operator-0")
    assert event == build_event(training_job(), said, NOW, instance="operator-0")
    assert event["metadata"]["name"].startswith("churn.")
    assert event["involvedObject"]["uid"] == UID
    assert len(event["message"]) == 1024
    other = Announcement(type="Warning", reason="Failed", message="y")
    assert build_event(training_job(), other, NOW, instance="")["metadata"] != event["metadata"]
