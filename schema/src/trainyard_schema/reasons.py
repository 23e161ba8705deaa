"""What each reason means for the run: whether it is tried again, and what a person can do."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from trainyard_schema.status import Reason


class Retried(StrEnum):
    """What becomes of a run after an attempt that failed, or could not begin, for a reason."""

    NO = "no"
    """The model type has failed: another attempt cannot mend it."""
    YES = "yes"
    """Tried again, up to `spec.backoffLimit`."""
    NOT_COUNTED = "yes, not counted"
    """Tried again as often as it takes, unless `spec.backoffLimit` is 0."""
    WAITS = "waits"
    """Goes on by itself when the cause is gone; `spec.pendingDeadlineSeconds` bounds that."""


@dataclass(frozen=True)
class Guide:
    """What follows from a reason."""

    retried: Retried
    advice: str
    """What to do: the end of each message that tells why a run failed or does not start."""


_MORE_MEMORY = "raise spec.resources.limits.memory or set spec.oomRetry, in a new TrainingJob"
_STORE = (
    "see that the object store answers and takes the credentials, then create a new TrainingJob"
)
_LET_RETRY = "create a new TrainingJob, with a spec.backoffLimit of at least 1 to have it retried"

GUIDES: Mapping[Reason, Guide] = {
    Reason.INVALID_SPEC: Guide(Retried.NO, "mend the named field in a new TrainingJob"),
    Reason.INVALID_HYPERPARAMETER: Guide(
        Retried.NO, "mend the named hyperparameter in a new TrainingJob"
    ),
    Reason.QUOTA_EXCEEDED: Guide(
        Retried.WAITS, "wait, or raise the ResourceQuota: it starts by itself when there is room"
    ),
    Reason.SERVICE_ACCOUNT_MISSING: Guide(
        Retried.WAITS, "create the named service account: it starts by itself then"
    ),
    Reason.ADMISSION_REFUSED: Guide(
        Retried.WAITS, "satisfy or change what refuses it: it is tried again by itself"
    ),
    Reason.JOB_CREATION_FAILED: Guide(
        Retried.WAITS, "remove the named obstacle: it is tried again by itself"
    ),
    Reason.UNSCHEDULABLE: Guide(
        Retried.WAITS,
        "make room on a node, or ask for less in a new TrainingJob: it starts by itself when "
        "there is room",
    ),
    Reason.IMAGE_PULL_FAILED: Guide(
        Retried.WAITS,
        "see that the image of the operator's settings is there and may be pulled: it starts by "
        "itself then",
    ),
    Reason.CONTAINER_CONFIG_ERROR: Guide(
        Retried.WAITS, "create the named Secret or key: it starts by itself then"
    ),
    Reason.PENDING_DEADLINE_EXCEEDED: Guide(
        Retried.NO,
        "remove the cause, or raise spec.pendingDeadlineSeconds, and create a new TrainingJob",
    ),
    Reason.DATA_NOT_FOUND: Guide(
        Retried.NO, "put the object there, or mend spec.data, and create a new TrainingJob"
    ),
    Reason.INVALID_DATA: Guide(
        Retried.NO, "mend the table or spec.data, and create a new TrainingJob"
    ),
    Reason.INSUFFICIENT_DATA: Guide(Retried.NO, "add rows, and create a new TrainingJob"),
    Reason.SCHEMA_MISMATCH: Guide(
        Retried.NO, "mend the table, or train with mode: full, in a new TrainingJob"
    ),
    Reason.INSUFFICIENT_MEMORY: Guide(Retried.NO, _MORE_MEMORY),
    Reason.OOM_KILLED: Guide(Retried.NO, _MORE_MEMORY),
    Reason.STORAGE_UNAVAILABLE: Guide(Retried.YES, _STORE),
    Reason.UPLOAD_FAILED: Guide(Retried.YES, _STORE),
    Reason.TRAINER_CRASHED: Guide(
        Retried.YES, "read the log (kubectl logs), and create a new TrainingJob"
    ),
    Reason.INTERRUPTED: Guide(Retried.NOT_COUNTED, _LET_RETRY),
    Reason.PREEMPTED: Guide(Retried.NOT_COUNTED, _LET_RETRY),
    Reason.DEADLINE_EXCEEDED: Guide(
        Retried.NO, "raise spec.activeDeadlineSeconds, or ask for less, in a new TrainingJob"
    ),
    Reason.JOB_DELETED: Guide(Retried.NO, "create a new TrainingJob to train again"),
    Reason.PARTIAL_SUCCESS: Guide(
        Retried.NO, "use the versions that are there, and train the others in a new TrainingJob"
    ),
}
"""Of every reason. The operator's retries, docs/trainingjob.md and this are held to each other by
tests.
"""
