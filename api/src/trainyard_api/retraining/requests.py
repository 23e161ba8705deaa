"""What is asked for, by whom, and why it may be refused."""

import uuid
from dataclasses import dataclass
from typing import Final

ALL: Final = "all"
"""Every Model that has the label `trainyard.dev/retrainable`."""
SERVICE: Final = "service"
"""Who asks where a backend does not say for whom."""

# Of our own making, and never to change: rows refer to what follows from it.
_NAMESPACE: Final = uuid.UUID("7f0c1f9e-0d5b-5a35-9d5e-6a1c5b0c7a44")


@dataclass(frozen=True, kw_only=True)
class RetrainRequest:
    """One request. It is one operation, however many Models it means."""

    subject: str
    model_type: str
    """`all`, or the name of a Model."""
    full: bool

    @property
    def mode(self) -> str:
        """As `spec.mode` of a TrainingJob."""
        return "full" if self.full else "incremental"


class RetrainError(Exception):
    """The request was understood, and is not carried out. `status` as in HTTP."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class LimitError(Exception):
    """There have been too many requests. Nothing was written down."""

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


def user_id(subject: str) -> uuid.UUID:
    """The id of a subject in the database: itself where it is a UUID, else its UUIDv5."""
    try:
        given = uuid.UUID(subject)
    except ValueError:
        return uuid.uuid5(_NAMESPACE, subject)
    # UUID also reads braces, urn: and more, which are other subjects.
    return given if str(given) == subject.lower() else uuid.uuid5(_NAMESPACE, subject)


def request_value(log_id: uuid.UUID) -> str:
    """The value of the retrain annotation, and the `job_id` that a client is given."""
    return f"retrain-{log_id}"
