"""TrainingJobs as the operator keeps them in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import ValidationError
from trainyard_schema import TERMINAL_PHASES, Phase, TrainingJobStatus, names

Document = dict[str, Any]
Key = tuple[str, str]
"""Namespace and name of a TrainingJob, or of a Model."""
_STILL_ASKED = ("ttlSecondsAfterFinished", "managedBy", "modelType")
"""The fields of a finished run's spec that are kept in memory."""
_NOTHING = dict(TrainingJobStatus())
"""The fields of a status that tells nothing. All that tell little have these values in common."""
_NOT_NOTED: set[str] = set()
"""Which fields of a status were given: pydantic notes it for each, in 0.7 kB, and nobody asks."""


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
    kueue_labels: Mapping[str, str] = field(default_factory=dict)
    """Its labels that Kueue reads on the Job."""
    raises: int
    """How often its memory limit was raised: as many Jobs came before the present one."""
    status: TrainingJobStatus

    @property
    def job_name(self) -> str:
        """The one name that its present Job can have."""
        return names.job_name(self.name, self.uid, self.raises)

    @property
    def previous_job_name(self) -> str | None:
        """The name of the Job before, of which nothing may be left when the present one begins."""
        return names.job_name(self.name, self.uid, self.raises - 1) if self.raises else None

    def owns(self, document: Document) -> bool:
        """Whether it is the controller of an object."""
        owners = document["metadata"].get("ownerReferences") or []
        return any(owner["uid"] == self.uid and owner.get("controller") for owner in owners)

    @property
    def finished(self) -> bool:
        """Whether its phase is final."""
        return self.status.phase in TERMINAL_PHASES

    @property
    def ours(self) -> bool:
        """Whether it is this operator's to take care of."""
        return (self.spec.get("managedBy") or names.CONTROLLER) == names.CONTROLLER

    @property
    def model(self) -> str:
        """The name under which its versions are filed."""
        return self.status.model or self.spec.get("model") or self.name

    @property
    def model_type(self) -> str | None:
        """What it trains: a model type or `all`."""
        return self.spec.get("modelType")

    @classmethod
    def from_document(cls, document: Document) -> "TrainingJob":
        """Read a TrainingJob; of finished ones only what is still asked for is kept."""
        metadata = document["metadata"]
        status, spec = _status(document.get("status") or {}), document.get("spec") or {}
        model_uid = owning_model(document)
        if status.phase in TERMINAL_PHASES:
            status = _housekept(status) if model_uid is None else _summed_up(status)
            spec = {name: spec[name] for name in _STILL_ASKED if name in spec}
        return cls(
            **read_metadata(metadata),
            requester=(metadata.get("annotations") or {}).get(names.REQUESTER_ANNOTATION),
            model_uid=model_uid,
            kueue_labels=_kueue_labels(metadata),
            spec=spec,
            # Also of a status that this version cannot read, or of which not all is kept.
            raises=len((document.get("status") or {}).get("oomRetries") or []),
            status=status,
        )


def _status(document: Document) -> TrainingJobStatus:
    try:
        status = TrainingJobStatus.from_stored(document)
    except ValidationError as error:
        # Written by another version: the fields for whose values this one has no word are left out.
        unknown = {str(problem["loc"][0]) for problem in error.errors(include_input=False)}
        known = {name: value for name, value in document.items() if name not in unknown}
        status = TrainingJobStatus.from_stored(known)
    if status.phase is None and status.completion_time is not None:
        # What has finished must stay so, else it would run again.
        return status.model_copy(update={"phase": Phase.FAILED})
    return status


def owning_model(document: Document) -> str | None:
    """The uid of the Model that a TrainingJob belongs to, by its ownerReference."""
    for owner in document["metadata"].get("ownerReferences") or []:
        # The version is that in which the owner was read when this was written.
        group = owner["apiVersion"].rpartition("/")[0]
        if (group, owner["kind"]) == (names.GROUP, names.MODEL_KIND):
            return str(owner["uid"]) if owner.get("controller") else None
    return None


def _kueue_labels(metadata: Document) -> dict[str, str]:
    labels = metadata.get("labels") or {}
    if not labels.get(names.KUEUE_QUEUE_LABEL):
        return {}
    kept = (names.KUEUE_QUEUE_LABEL, names.KUEUE_PRIORITY_LABEL)
    return {name: labels[name] for name in kept if name in labels}


def _housekept(status: TrainingJobStatus) -> TrainingJobStatus:
    return _only(status, "model", "phase", "reason", "start_time", "completion_time")


def _summed_up(status: TrainingJobStatus) -> TrainingJobStatus:
    """What the Model's status tells of a run, and what decides about its versions."""
    return _only(
        status,
        "model",
        "phase",
        "reason",
        "message",
        "start_time",
        "completion_time",
        "primary_metric",
        "metrics",
        "models",
        "verdicts",
    )


def _only(status: TrainingJobStatus, *fields: str) -> TrainingJobStatus:
    """A status with these fields alone."""
    told = {field: getattr(status, field) for field in fields}
    # Pydantic would find the defaults one by one, in 0.3 ms.
    return TrainingJobStatus.model_construct(_NOT_NOTED, **_NOTHING | told)


def owner_uid(document: Document) -> str | None:
    """The uid of the TrainingJob that a Job or pod belongs to, by its label."""
    uid = (document["metadata"].get("labels") or {}).get(names.UID_LABEL)
    return str(uid) if uid else None
