"""The parts of a Model that the operator keeps in memory."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from pydantic import ValidationError
from trainyard_schema import ModelStatus, names

from trainyard_controller.objects import Document, Key, parse_time


@dataclass(frozen=True, kw_only=True)
class Model:
    """A Model as last seen."""

    kind: ClassVar[str] = names.MODEL_KIND
    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    created: datetime
    deleting: bool
    retrain: str | None
    """The value of its retrain annotation."""
    spec: Document
    """As stored: not yet validated."""
    status: ModelStatus

    @property
    def key(self) -> Key:
        """What the work queue knows it by."""
        return self.namespace, self.name

    @classmethod
    def from_document(cls, document: Document) -> "Model":
        """Read a Model."""
        metadata = document["metadata"]
        return cls(
            namespace=metadata["namespace"],
            name=metadata["name"],
            uid=metadata["uid"],
            resource_version=metadata["resourceVersion"],
            generation=metadata.get("generation", 0),
            created=parse_time(metadata["creationTimestamp"]),
            deleting="deletionTimestamp" in metadata,
            retrain=(metadata.get("annotations") or {}).get(names.RETRAIN_ANNOTATION) or None,
            spec=document.get("spec") or {},
            status=_status(document.get("status") or {}),
        )


def _status(document: Document) -> ModelStatus:
    try:
        return ModelStatus.from_stored(document)
    except ValidationError:
        # Written by another version. What was asked for and answered must not be done again.
        kept = ("observedGeneration", "lastScheduleTime", "nextScheduleTime", "lastHandledRetrain")
        return ModelStatus.from_stored({name: document[name] for name in kept if name in document})
