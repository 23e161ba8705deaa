"""The parts of API objects that the operator keeps in memory."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import ValidationError
from trainyard_schema import TERMINAL_PHASES, Phase, TrainingJobStatus, names

Document = dict[str, Any]
Key = tuple[str, str]
"""Namespace and name of a TrainingJob, or of a Model."""


def parse_time(text: str) -> datetime:
    """Read a timestamp of the API, which is in UTC."""
    return datetime.fromisoformat(text)


def utc_now() -> datetime:
    """The time in whole seconds, which is what the API's timestamps have."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True, kw_only=True)
class CustomObject:
    """What is known of an object of either kind."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    created: datetime
    deleting: bool
    spec: Document
    """As stored: not yet validated."""

    @property
    def key(self) -> Key:
        """What the work queue knows it by."""
        return self.namespace, self.name


def read_metadata(metadata: Document) -> dict[str, Any]:
    """The fields of a `CustomObject` that its metadata give."""
    return {
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "resource_version": metadata["resourceVersion"],
        "generation": metadata.get("generation", 0),
        "created": parse_time(metadata["creationTimestamp"]),
        "deleting": "deletionTimestamp" in metadata,
    }


@dataclass(frozen=True, kw_only=True)
class TrainingJob(CustomObject):
    """A TrainingJob as last seen."""

    kind: ClassVar[str] = names.KIND
    requester: str | None
    model_uid: str | None
    """The uid of the Model that owns it."""
    status: TrainingJobStatus

    @property
    def job_name(self) -> str:
        """The one name that its Job can have."""
        return names.job_name(self.name, self.uid)

    @property
    def finished(self) -> bool:
        """Whether its phase is final."""
        return self.status.phase in TERMINAL_PHASES

    @classmethod
    def from_document(cls, document: Document) -> "TrainingJob":
        """Read a TrainingJob; of finished ones only what is still asked for is kept."""
        metadata = document["metadata"]
        status, spec = _status(document.get("status") or {}), document.get("spec") or {}
        model_uid = owning_model(document)
        if status.phase in TERMINAL_PHASES:
            status = _housekept(status) if model_uid is None else _summed_up(status)
            ttl = "ttlSecondsAfterFinished"
            spec = {ttl: spec[ttl]} if ttl in spec else {}
        return cls(
            **read_metadata(metadata),
            requester=(metadata.get("annotations") or {}).get(names.REQUESTER_ANNOTATION),
            model_uid=model_uid,
            spec=spec,
            status=status,
        )


def _status(document: Document) -> TrainingJobStatus:
    try:
        return TrainingJobStatus.from_stored(document)
    except ValidationError:
        # Written by another version. What has finished must stay so, else it would run again.
        phase = document.get("phase")
        return TrainingJobStatus(phase=Phase(phase) if phase in set(Phase) else None)


def owning_model(document: Document) -> str | None:
    """The uid of the Model that a TrainingJob belongs to, by its ownerReference."""
    for owner in document["metadata"].get("ownerReferences") or []:
        if (owner["apiVersion"], owner["kind"]) == (names.API_VERSION, names.MODEL_KIND):
            return str(owner["uid"]) if owner.get("controller") else None
    return None


def _housekept(status: TrainingJobStatus) -> TrainingJobStatus:
    return TrainingJobStatus(
        phase=status.phase, reason=status.reason, completion_time=status.completion_time
    )


def _summed_up(status: TrainingJobStatus) -> TrainingJobStatus:
    """What the Model's status tells of a run, and what decides about its versions."""
    return TrainingJobStatus(
        phase=status.phase,
        reason=status.reason,
        message=status.message,
        completion_time=status.completion_time,
        primary_metric=status.primary_metric,
        metrics=status.metrics,
        models=status.models,
        verdicts=status.verdicts,
    )


def _slim_metadata(document: Document) -> Document:
    metadata = document["metadata"]
    kept = ("name", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp",
            "labels", "ownerReferences")  # fmt: skip
    return {name: metadata[name] for name in kept if name in metadata}


def slim_job(document: Document) -> Document:
    """A Job without its pod template and managed fields."""
    return {
        "metadata": _slim_metadata(document),
        "spec": {"suspend": document["spec"].get("suspend", False)},
        "status": document.get("status") or {},
    }


def slim_finished_job(document: Document) -> Document:
    """What is asked of the Job of a finished run: which one it is, and whether it goes."""
    metadata = document["metadata"]
    kept = ("name", "uid", "resourceVersion", "deletionTimestamp")
    labels = {names.UID_LABEL: owner_uid(document)}
    return {
        "metadata": {name: metadata[name] for name in kept if name in metadata} | {"labels": labels}
    }


def slim_pod(document: Document) -> Document:
    """A pod without its spec and managed fields."""
    metadata = _slim_metadata(document)
    index = names.COMPLETION_INDEX_ANNOTATION
    annotations = document["metadata"].get("annotations") or {}
    metadata["annotations"] = {index: annotations[index]} if index in annotations else {}
    status = document.get("status") or {}
    kept = ("phase", "reason", "message", "podIP", "conditions", "containerStatuses")
    return {
        "metadata": metadata,
        "status": {name: status[name] for name in kept if name in status},
    }


def owner_uid(document: Document) -> str | None:
    """The uid of the TrainingJob that a Job or pod belongs to, by its label."""
    uid = (document["metadata"].get("labels") or {}).get(names.UID_LABEL)
    return str(uid) if uid else None
