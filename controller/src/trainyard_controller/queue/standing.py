"""How a run stands to the queue: a pure function of what is known of it, its Job and its pods."""

from collections.abc import Sequence
from enum import Enum, auto

from trainyard_schema import Phase, names

from trainyard_controller import pods
from trainyard_controller.objects import Document, TrainingJob


class Standing(Enum):
    """What a run has, or wants, of the queue."""

    NONE = auto()
    """It neither runs nor is to run, or the queue is not asked."""
    WAITS = auto()
    HOLDS = auto()
    """It holds a slot, for it runs or its pods are still there."""


def kueue_queue(training_job: TrainingJob, job: Document | None) -> str | None:
    """The queue of Kueue that decides about the run; None if Kueue does not.

    Labels decide when the Job is created, and from then on the Job's.
    """
    labels = training_job.kueue_labels if job is None else job["metadata"].get("labels", {})
    return labels.get(names.KUEUE_QUEUE_LABEL) or None


def standing(
    training_job: TrainingJob, job: Document | None, its_pods: Sequence[Document]
) -> Standing:
    """How a run stands to the queue, by what the cluster shows.

    That the operator has just admitted it is not in the cluster yet: the caller knows.
    """
    if not _is_in_question(training_job, job):
        return Standing.NONE
    runs = job is not None and not job["spec"]["suspend"]
    if runs or any(pods.is_active(pod) for pod in its_pods):
        return Standing.HOLDS
    spec = training_job.spec
    if spec.get("cancel") or spec.get("suspend"):
        return Standing.NONE
    if job is None and training_job.status.phase in (Phase.STARTING, Phase.RUNNING):
        # Between two Jobs, or its Job was deleted and its end has yet to be written down.
        return Standing.HOLDS
    return Standing.WAITS


def _is_in_question(training_job: TrainingJob, job: Document | None) -> bool:
    if training_job.finished or training_job.deleting or not training_job.ours:
        return False
    return kueue_queue(training_job, job) is None
