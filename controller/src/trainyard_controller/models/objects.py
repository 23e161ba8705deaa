"""The parts of a Model that the operator keeps in memory."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import ValidationError
from trainyard_schema import ModelStatus, names

from trainyard_controller.objects import CustomObject, Document, read_metadata


@dataclass(frozen=True, kw_only=True)
class Request:
    """What an annotation asks for."""

    value: str
    by: str


@dataclass(frozen=True, kw_only=True)
class RetrainRequest:
    """The run that the retrain annotation asks for."""

    value: str
    mode: str | None = None
    """As it is written; None: as the template says."""
    by: str | None = None


@dataclass(frozen=True, kw_only=True)
class Model(CustomObject):
    """A Model as last seen."""

    kind: ClassVar[str] = names.MODEL_KIND
    retrain: RetrainRequest | None = None
    rollback: Request | None = None
    promote: Request | None = None
    reject: Request | None = None
    status: ModelStatus

    @classmethod
    def from_document(cls, document: Document) -> "Model":
        """Read a Model."""
        metadata = document["metadata"]
        return cls(
            **read_metadata(metadata),
            retrain=_retrain_request(metadata.get("annotations") or {}),
            rollback=_request(metadata, names.ROLLBACK_ANNOTATION),
            promote=_request(metadata, names.PROMOTE_ANNOTATION),
            reject=_request(metadata, names.REJECT_ANNOTATION),
            spec=document.get("spec") or {},
            status=_status(document.get("status") or {}),
        )


def _retrain_request(annotations: Document) -> RetrainRequest | None:
    value = annotations.get(names.RETRAIN_ANNOTATION)
    if not value:
        return None
    return RetrainRequest(
        value=value,
        mode=_going_with(value, annotations.get(names.RETRAIN_MODE_ANNOTATION)),
        by=_going_with(value, annotations.get(names.RETRAIN_REQUESTER_ANNOTATION)),
    )


def _going_with(request: str, text: str | None) -> str | None:
    """What an annotation says of this request, unless it goes with another one."""
    if not text:
        return None
    what, _, goes_with = text.rpartition(" ")
    if not what:
        return text
    return what if goes_with == request else None


def _request(metadata: Document, annotation: str) -> Request | None:
    annotations = metadata.get("annotations") or {}
    value = annotations.get(annotation)
    if not value:
        return None
    by = annotations.get(names.REQUESTER_ANNOTATION) or _manager(metadata, annotation) or "unknown"
    return Request(value=value, by=by[:256])


def _manager(metadata: Document, annotation: str) -> str | None:
    """Who wrote an annotation last, as the API server notes it."""
    written = [
        entry
        for entry in metadata.get("managedFields") or []
        if f"f:{annotation}"
        in entry.get("fieldsV1", {}).get("f:metadata", {}).get("f:annotations", {})
    ]
    last = max(written, key=lambda entry: entry.get("time", ""), default=None)
    return None if last is None else last.get("manager")


def _status(document: Document) -> ModelStatus:
    try:
        return ModelStatus.from_stored(document)
    except ValidationError:
        # Written by another version. What was asked for and answered must not be done again.
        # The champion is found again in the object store.
        kept = ("observedGeneration", "lastScheduleTime", "nextScheduleTime", "judged",
                "lastHandledRetrain", "lastHandledRollback", "lastHandledPromote",
                "lastHandledReject")  # fmt: skip
        return ModelStatus.from_stored({name: document[name] for name in kept if name in document})
