"""`TrainingJob.status`: what the operator found out. Phase, stage and reason are closed enums."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import Field, StringConstraints

from trainyard_schema.base import Model
from trainyard_schema.spec import ModelType


class Phase(StrEnum):
    """Where a TrainingJob stands as a whole."""

    PENDING = "Pending"
    """Accepted or not yet seen; its Job is not there yet, or cannot be created for now."""
    QUEUED = "Queued"
    """Waits for its turn, in the operator's own queue or in Kueue's."""
    STARTING = "Starting"
    """The Job exists; no trainer runs yet."""
    RUNNING = "Running"
    CANCELLING = "Cancelling"
    """spec.cancel is true; a pod is still there."""
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


TERMINAL_PHASES = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED})


class Stage(StrEnum):
    """What a running trainer is doing."""

    DOWNLOADING = "Downloading"
    VALIDATING = "Validating"
    TRAINING = "Training"
    EVALUATING = "Evaluating"
    UPLOADING = "Uploading"
    JUDGING = "Judging"


class Reason(StrEnum):
    """Why a TrainingJob does not run, or failed."""

    INVALID_SPEC = "InvalidSpec"
    """The stored spec is not one that this version understands."""
    INVALID_HYPERPARAMETER = "InvalidHyperparameter"
    QUOTA_EXCEEDED = "QuotaExceeded"
    SERVICE_ACCOUNT_MISSING = "ServiceAccountMissing"
    """The service account of the trainer pods is not there."""
    ADMISSION_REFUSED = "AdmissionRefused"
    """A webhook, a policy or a limit of the namespace refused the Job or its pods."""
    JOB_CREATION_FAILED = "JobCreationFailed"
    """The API server refused the Job, or its pods, for another reason."""
    WAITING_FOR_SLOT = "WaitingForSlot"
    """As many runs go as the operator's queue lets go at a time."""
    WAITING_FOR_KUEUE = "WaitingForKueue"
    """Kueue has yet to admit the Job."""
    UNSCHEDULABLE = "Unschedulable"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    CONTAINER_CONFIG_ERROR = "ContainerConfigError"
    """The container cannot be created, for example because a Secret is missing."""
    PENDING_DEADLINE_EXCEEDED = "PendingDeadlineExceeded"
    """No trainer started within spec.pendingDeadlineSeconds."""
    DATA_NOT_FOUND = "DataNotFound"
    INVALID_DATA = "InvalidData"
    INSUFFICIENT_DATA = "InsufficientData"
    """There are too few rows, or too few of a class; the message has the counts."""
    SCHEMA_MISMATCH = "SchemaMismatch"
    """The data do not have the columns or classes of the version to continue from."""
    INSUFFICIENT_MEMORY = "InsufficientMemory"
    """The table cannot be trained on within the memory limit; nothing was trained."""
    STORAGE_UNAVAILABLE = "StorageUnavailable"
    """The object store did not answer, or refused the credentials, while the data were read."""
    UPLOAD_FAILED = "UploadFailed"
    OOM_KILLED = "OOMKilled"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    TRAINER_CRASHED = "TrainerCrashed"
    INTERRUPTED = "Interrupted"
    """The trainer was asked to stop (SIGTERM) by something else than cancel."""
    PREEMPTED = "Preempted"
    """Kubernetes took the pod away: eviction, drain, preemption. Retried, not counted."""
    JOB_DELETED = "JobDeleted"
    """The Job was deleted by someone else before it finished. It is not run again."""
    PARTIAL_SUCCESS = "PartialSuccess"
    """Some of the model types have a version, others failed; `modelTypes` has why."""


class ConditionType(StrEnum):
    """The conditions that a TrainingJob can have."""

    ACCEPTED = "Accepted"
    POD_READY = "PodReady"
    MODEL_UPLOADED = "ModelUploaded"
    COMPLETE = "Complete"
    FAILED = "Failed"
    SUSPENDED = "Suspended"


ConditionName = TypeVar("ConditionName", bound=StrEnum)


class BaseCondition(Model, Generic[ConditionName]):
    """A condition in the shape of KEP-1623 (metav1.Condition)."""

    type: ConditionName
    status: Literal["True", "False", "Unknown"]
    reason: Annotated[
        str,
        StringConstraints(
            min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_]*[A-Za-z0-9])?$"
        ),
    ]
    message: Annotated[str, StringConstraints(max_length=32768)] = ""
    last_transition_time: datetime
    observed_generation: int = Field(ge=0)


class Condition(BaseCondition[ConditionType]):
    """A condition of a TrainingJob."""


class ProgressUnit(StrEnum):
    """What `done` and `total` count."""

    ROUNDS = "rounds"
    TREES = "trees"
    EPOCHS = "epochs"


UNITS: Mapping[ModelType, ProgressUnit] = {
    ModelType.XGBOOST: ProgressUnit.ROUNDS,
    ModelType.RANDOM_FOREST: ProgressUnit.TREES,
    ModelType.NEURAL_NET: ProgressUnit.EPOCHS,
}


class Progress(Model):
    """How far a run is. For several model types: the mean percent, and the units of the one that is
    behind.
    """

    percent: int = Field(ge=0, le=100, description="Of the run's time. It never falls.")
    unit: ProgressUnit | None = None
    done: int | None = Field(default=None, ge=0)
    total: int | None = Field(
        default=None, ge=0, description="At most: early stopping may make it less."
    )
    eta_seconds: int | None = Field(
        default=None,
        ge=0,
        description="From updatedAt to the end of the run. Absent while unknown.",
    )
    stale: bool | None = Field(
        default=None, description="true: a trainer that runs has not been heard for 30 s."
    )
    updated_at: datetime = Field(description="When the trainer was heard that said this.")


Seconds = Annotated[float, Field(ge=0)]
LOWER_IS_BETTER = frozenset({"log_loss", "brier", "rmse", "mae"})
"""Metrics that measure an error; of all others more is better."""


class Metric(Model):
    """One number about a model, on one part of the data."""

    model_type: ModelType
    name: str = Field(max_length=64, description="For example roc_auc, log_loss, rmse.")
    value: str = Field(
        max_length=32, description="A decimal number as text, as Kubernetes asks of APIs."
    )
    split: Literal["holdout", "cross-validation"]


class ModelVersion(Model):
    """A model version that is visible in the object store."""

    model_type: ModelType
    version: str = Field(max_length=64)
    uri: str = Field(max_length=2048, description="s3:// prefix of the version's files; ends in /.")
    sha256: str = Field(max_length=64, description="Of the model file.")
    size_bytes: int = Field(ge=0, description="Of the model file.")
    current: bool = Field(description="Whether this run made it the current version of its model.")
    unchanged: bool | None = Field(
        default=None,
        description="true: trained by an earlier run from the same data, spec and image.",
    )
    partial: bool | None = Field(
        default=None, description="true: saved when the run was cancelled. It is never promoted."
    )
    duration_seconds: float = Field(ge=0, description="From the trainer's start to the manifest.")
    stage_seconds: dict[Stage, Seconds] | None = Field(
        default=None,
        description="How long each stage took. Absent where nothing was trained, or where the "
        "attempt went on from a checkpoint.",
    )
    units: int | None = Field(
        default=None,
        ge=0,
        description="Rounds, trees or epochs that were trained, those of all folds included.",
    )


class Verdict(Model):
    """What the gate found out about a version. Numbers are decimals as text."""

    model_type: ModelType
    version: str = Field(max_length=64)
    passed: bool
    undecided: bool | None = Field(
        default=None,
        description="true: not passed only because the comparison with the champion, or the gate "
        "itself, did not come to an end; a person has to decide.",
    )
    reasons: list[Annotated[str, StringConstraints(max_length=256)]] = Field(
        default_factory=list,
        max_length=8,
        description="What it failed, or what a person should know.",
    )
    metric: str | None = Field(default=None, max_length=64)
    value: str | None = Field(default=None, max_length=32, description="Of the metric.")
    champion: str | None = Field(
        default=None, max_length=1024, description="URI of the version it was compared with."
    )
    champion_value: str | None = Field(
        default=None, max_length=32, description="Of the metric, on the same rows."
    )
    lower_bound: str | None = Field(
        default=None,
        max_length=32,
        description="Of how much better than the champion's the value is; negative is worse.",
    )


class LastFailure(Model):
    """The last attempt that failed, kept also when a later one succeeds."""

    attempt: int = Field(ge=1)
    model_type: ModelType | None = None
    reason: Reason
    exit_code: int | None = None
    message: str = Field(default="", max_length=4096)
    time: datetime


class QueuePlace(Model):
    """The place of a run in the operator's queue, when it was last told."""

    position: int = Field(ge=1, description="1 is the next.")
    length: int = Field(ge=1, description="Runs that wait in the same line.")
    estimated_start_time: datetime | None = Field(
        default=None, description="Absent: it is unknown how long a run ahead will take."
    )


MOST_MEMORY_RAISES = 20


class MemoryRaise(Model):
    """Another Job of the run, with more memory, for the model types whose limit was too small."""

    model_types: list[ModelType] = Field(min_length=1, max_length=8)
    memory: str = Field(max_length=32, description="The limit from then on.")
    attempts: int = Field(ge=0, description="Pods started before.")
    active_deadline_seconds: int | None = Field(
        default=None, ge=1, description="What is left of the run's."
    )
    time: datetime


class ModelTypeStatus(Model):
    """Where one of several model types stands."""

    model_type: ModelType
    phase: Literal[
        Phase.PENDING,
        Phase.STARTING,
        Phase.RUNNING,
        Phase.SUCCEEDED,
        Phase.FAILED,
        Phase.CANCELLED,
    ]
    stage: Stage | None = None
    reason: Reason | None = None
    message: str | None = Field(default=None, max_length=1024)
    attempts: int | None = Field(
        default=None, ge=0, description="Pods that its present Job has started for it."
    )
    percent: int | None = Field(default=None, ge=0, le=100)


class TrainingJobStatus(Model):
    """The whole status. Every field is absent until it is known."""

    observed_generation: int | None = None
    model: str | None = Field(default=None, description="Name under which versions are filed.")
    phase: Phase | None = None
    stage: Stage | None = None
    reason: Reason | None = None
    message: str | None = Field(default=None, max_length=4096, description="One line to act on.")
    job_name: str | None = None
    pending_since: datetime | None = Field(
        default=None,
        description="Since when it waits for a trainer to start; absent where one runs, and in a "
        "queue, suspended or at the end.",
    )
    start_time: datetime | None = None
    completion_time: datetime | None = None
    attempts: int | None = Field(default=None, ge=0, description="Pods started so far.")
    last_start_time: datetime | None = Field(
        default=None, description="When the last of them started."
    )
    last_failure: LastFailure | None = None
    oom_retries: list[MemoryRaise] | None = Field(
        default=None,
        max_length=MOST_MEMORY_RAISES,
        description="How the memory limit was raised. As many Jobs came before the present one.",
    )
    model_types: list[ModelTypeStatus] | None = Field(
        default=None, max_length=8, description="Each of them, with modelType all."
    )
    conditions: list[Condition] = Field(default_factory=list, max_length=16)
    queue: QueuePlace | None = Field(default=None, description="While it waits for a slot.")
    progress: Progress | None = None
    primary_metric: str | None = Field(
        default=None,
        max_length=64,
        description="The best model's first metric as name=value, for tables.",
    )
    metrics: list[Metric] = Field(default_factory=list, max_length=32)
    models: list[ModelVersion] = Field(default_factory=list, max_length=8)
    verdicts: list[Verdict] | None = Field(
        default=None, max_length=8, description="Absent: there is no gate, or no verdict yet."
    )
