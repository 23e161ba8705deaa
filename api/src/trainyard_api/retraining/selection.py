"""Which Models a request means, and whether each can be asked. Nothing here does I/O."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from trainyard_schema import names

from trainyard_api.retraining.requests import RetrainError

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Target:
    """A Model that is to be asked, as it was last seen."""

    document: Document

    @property
    def name(self) -> str:
        """Of the Model."""
        name: str = self.document["metadata"]["name"]
        return name

    @property
    def uid(self) -> str:
        """Of the Model."""
        uid: str = self.document["metadata"]["uid"]
        return uid

    @property
    def resource_version(self) -> str:
        """Up to which the Model is known."""
        version: str = self.document["metadata"]["resourceVersion"]
        return version

    def run(self, value: str) -> str:
        """The name of the TrainingJob that will answer a request of this value."""
        return names.requested_run_name(self.name, self.uid, value)

    @property
    def waiting(self) -> str | None:
        """The value of a request that was not answered yet."""
        value = requested(self.document)
        return value if value != handled(self.document) else None

    @property
    def suspended(self) -> bool:
        """Whether it starts no runs."""
        return bool(self.document["spec"].get("suspend"))

    def check(self) -> None:
        """Raises `RetrainError` (409) where a request would wait for another one, or for ever."""
        if self.suspended:
            raise RetrainError(
                f"Model {self.name} is suspended; set spec.suspend to false", status=409
            )
        if self.waiting is None:
            return
        message = (self.document.get("status") or {}).get("message") or ""
        why = f" ({message})" if message.startswith("waiting to retrain: ") else ""
        raise RetrainError(
            f"Model {self.name} has yet to answer the request {self.waiting}{why}", status=409
        )


def requested(model: Document) -> str | None:
    """The latest request to a Model."""
    return (model["metadata"].get("annotations") or {}).get(names.RETRAIN_ANNOTATION) or None


def handled(model: Document) -> str | None:
    """The latest request that led to a run."""
    return (model.get("status") or {}).get("lastHandledRetrain")


def marked(models: Collection[Document]) -> list[Target]:
    """The Models that `all` means, by name. Those that are suspended are not meant.

    Raises `RetrainError` (404) where there are none.
    """
    labelled = [
        Target(model)
        for model in models
        if (model["metadata"].get("labels") or {}).get(names.RETRAINABLE_LABEL) == "true"
    ]
    if not labelled:
        raise RetrainError(
            f"no Model is marked for retraining: label those that are meant with "
            f'{names.RETRAINABLE_LABEL}="true"',
            status=404,
        )
    awake = [target for target in labelled if not target.suspended]
    if not awake:
        raise RetrainError("all Models that are marked for retraining are suspended", status=409)
    return sorted(awake, key=lambda target: target.name)
