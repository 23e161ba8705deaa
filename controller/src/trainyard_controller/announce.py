"""The few Events that `kubectl describe` shows of a TrainingJob."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from trainyard_schema import TERMINAL_PHASES, Phase, TrainingJobStatus, names

from trainyard_controller.objects import Document

COMPONENT = "trainyard-controller"
_MESSAGE_LENGTH = 1024
_STILL = (Phase.SUSPENDED, Phase.QUEUED, Phase.CANCELLING)
"""Phases in which nothing is resumed."""


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """What one Event says."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


def announcement(before: TrainingJobStatus, after: TrainingJobStatus) -> Announcement | None:
    """What a change of status has to tell: a suspension, a new trouble, an end without success.

    A success tells nothing that is not in the status, and an Event would be a write for every run.
    """
    message = after.message or ""
    if after.phase in TERMINAL_PHASES:
        return _end(after)
    if len(after.oom_retries or []) > len(before.oom_retries or []):
        return Announcement(type="Warning", reason="MemoryRaised", message=message)
    waits = after.phase is Phase.QUEUED
    if after.reason is not None and after.reason != before.reason and not waits:
        return Announcement(type="Warning", reason=str(after.reason), message=message)
    if after.phase is Phase.SUSPENDED and before.phase is not Phase.SUSPENDED:
        return Announcement(type="Normal", reason="Suspended", message="no pod runs")
    if before.phase is Phase.SUSPENDED and after.phase not in _STILL:
        return Announcement(type="Normal", reason="Resumed", message="pods are started again")
    return None


def _end(status: TrainingJobStatus) -> Announcement | None:
    message = status.message or ""
    if status.phase is Phase.SUCCEEDED:
        return None
    if status.phase is Phase.FAILED:
        return Announcement(type="Warning", reason="Failed", message=f"{status.reason}: {message}")
    return Announcement(type="Normal", reason=str(status.phase), message=message)


class Subject(Protocol):
    """What an Event is about."""

    @property
    def kind(self) -> str:
        """Its kind."""

    @property
    def namespace(self) -> str:
        """Its namespace."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def uid(self) -> str:
        """Its uid."""

    @property
    def generation(self) -> int:
        """The generation of its spec."""


def build_event(
    subject: Subject, announced: Announcement, now: datetime, *, instance: str
) -> Document:
    """The core/v1 Event of an announcement. Its name follows from what it says: it shows once."""
    said = "\0".join((subject.uid, str(subject.generation), announced.reason, announced.message))
    digest = hashlib.sha256(said.encode()).hexdigest()[:16]
    time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{names.slug(subject.name, 200)}.{digest}",
            "namespace": subject.namespace,
        },
        "involvedObject": {
            "apiVersion": names.API_VERSION,
            "kind": subject.kind,
            "namespace": subject.namespace,
            "name": subject.name,
            "uid": subject.uid,
        },
        "type": announced.type,
        "reason": announced.reason,
        "message": announced.message[:_MESSAGE_LENGTH],
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": instance,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }
