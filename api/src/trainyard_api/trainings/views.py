"""What the Train API answers: TrainingJobs and model versions in its own words."""

import math
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from trainyard_schema import Metric as StoredMetric
from trainyard_schema import (
    ModelType,
    Phase,
    ProgressUnit,
    Reason,
    Stage,
    TrainingJobStatus,
)
from trainyard_schema.artifacts import MODEL_FILES

from trainyard_api.store import StoredVersion


class Status(StrEnum):
    """The Train API's words for where a training stands."""

    STARTED = "started"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


STATUS_OF_PHASE = {
    Phase.PENDING: Status.STARTED,
    Phase.QUEUED: Status.STARTED,
    Phase.STARTING: Status.STARTED,
    Phase.SUSPENDED: Status.STARTED,
    Phase.RUNNING: Status.RUNNING,
    # Not yet `cancelled`: a pod is left, and a run that is just ending may still complete.
    Phase.CANCELLING: Status.RUNNING,
    Phase.SUCCEEDED: Status.COMPLETED,
    Phase.FAILED: Status.FAILED,
    Phase.CANCELLED: Status.CANCELLED,
}


_PHASES = frozenset(Phase)


def status_of(phase: Phase | None) -> Status:
    """The word for a phase; a TrainingJob that the operator has not seen yet has none."""
    return Status.STARTED if phase is None else STATUS_OF_PHASE[phase]


class View(BaseModel):
    """An answer. snake_case, as the Train API's document has it."""

    model_config = ConfigDict(from_attributes=True, frozen=True, protected_namespaces=())


class TrainingResponse(View):
    """A training that was started or cancelled."""

    job_id: str = Field(description="Unique identifier of the job: the TrainingJob's name.")
    status: Status
    message: str = Field(description="Where the training stands, in one line.")
    model_type: str = Field(description="Type of model being trained.")


class Progress(View):
    """How far a run is."""

    percent: int
    unit: ProgressUnit | None
    done: int | None
    total: int | None
    eta_seconds: int | None = Field(
        description="From `updated_at` to the end of the run. Null while unknown."
    )
    stale: Annotated[bool, BeforeValidator(bool)] = Field(
        description="The trainer runs, but has not been heard for 30 s."
    )
    updated_at: datetime


class QueuePlace(View):
    """The place of a training that waits for its turn, when it was last told."""

    position: int = Field(description="1 is the next.")
    length: int = Field(description="Trainings that wait in the same line.")
    estimated_start_time: datetime | None = Field(
        description="By how long past trainings took; null while unknown."
    )


class Metric(View):
    """One number about a model, on one part of the data."""

    model_type: ModelType
    name: str = Field(description="For example roc_auc, log_loss, rmse.")
    value: float | None = Field(description="Null where it is not a finite number.")
    split: str = Field(description="holdout or cross-validation.")

    @classmethod
    def of(cls, metric: StoredMetric) -> Self:
        """A metric with its number as a number; Kubernetes keeps it as text."""
        try:
            value = float(metric.value)
        except ValueError:
            value = math.nan
        return cls(
            model_type=metric.model_type,
            name=metric.name,
            value=value if math.isfinite(value) else None,
            split=metric.split,
        )


class TrainedModel(View):
    """A model version that a training left in the object store."""

    model_type: ModelType
    version: str
    uri: str = Field(description="s3:// prefix of the version's files; ends in /.")
    sha256: str = Field(description="Of the model file.")
    size_bytes: int = Field(description="Of the model file.")
    current: bool = Field(description="Whether this run made it the current version.")
    duration_seconds: float


class ModelTypeView(View):
    """Where one of several model types stands."""

    model_type: ModelType
    phase: Phase
    stage: Stage | None
    reason: Reason | None
    message: str | None = Field(description="Why it waits or failed.")
    attempts: int | None
    percent: int | None


class MemoryRaiseView(View):
    """A further attempt with more memory."""

    model_types: list[ModelType]
    memory: str = Field(description="The limit from then on, such as 1536Mi.")
    time: datetime


class JobView(TrainingResponse):
    """All that is known about a training."""

    model: str = Field(description="Name under which versions are filed.")
    phase: Phase | None = Field(description="Null until the operator has seen it.")
    stage: Stage | None
    reason: Reason | None = Field(description="Why it does not run, or failed.")
    queue: QueuePlace | None = Field(description="Null unless it waits for its turn.")
    progress: Progress | None
    attempts: int | None = Field(description="Pods started so far.")
    model_types: list[ModelTypeView] = Field(description="Each of them, where all are trained.")
    oom_retries: list[MemoryRaiseView] = Field(
        description="How the memory limit was raised after it had been too small."
    )
    metrics: list[Metric]
    models: list[TrainedModel]
    created_at: datetime
    start_time: datetime | None
    completion_time: datetime | None

    @classmethod
    def of(cls, job: dict[str, Any]) -> Self:
        """The view of a TrainingJob as the API server gives it."""
        metadata, spec = job["metadata"], job["spec"]
        status = _stored_status(job)
        return cls(
            job_id=metadata["name"],
            status=status_of(status.phase),
            message=_message(spec, status),
            model_type=spec["modelType"],
            model=model_name(job),
            phase=status.phase,
            stage=status.stage,
            reason=status.reason,
            queue=QueuePlace.model_validate(status.queue) if status.queue else None,
            progress=Progress.model_validate(status.progress) if status.progress else None,
            attempts=status.attempts,
            model_types=[ModelTypeView.model_validate(one) for one in status.model_types or []],
            oom_retries=[MemoryRaiseView.model_validate(one) for one in status.oom_retries or []],
            metrics=[Metric.of(metric) for metric in status.metrics],
            models=[TrainedModel.model_validate(model) for model in status.models],
            created_at=metadata["creationTimestamp"],
            start_time=status.start_time,
            completion_time=status.completion_time,
        )


class JobList(View):
    """Trainings, the most recent first."""

    jobs: list[JobView]
    total: int = Field(description="How many there are with these filters, limit aside.")


class AvailableModel(View):
    """A trained model that can be loaded."""

    model: str
    model_type: ModelType
    version: str = Field(description="Sorts by time.")
    current: bool = Field(
        description="Whether it is the champion of its Model, or the current version of its type: "
        "what consumers should load."
    )
    uri: str = Field(description="s3:// prefix of the version's files; ends in /.")
    file: str = Field(description="Name of the model file under the prefix.")
    created_at: datetime | None
    target: str | None
    rows: int | None = Field(description="Rows of the table it learned from.")
    size_bytes: int | None = Field(description="Of the model file.")
    sha256: str | None = Field(description="Of the model file.")
    metrics: list[Metric]

    @classmethod
    def of(cls, stored: StoredVersion) -> Self:
        """The view of a version; what its manifest tells is null where that cannot be read."""
        manifest = stored.manifest
        file_name = MODEL_FILES[stored.key.model_type]
        files = {file.name: file for file in manifest.files} if manifest else {}
        file = files.get(file_name)
        return cls(
            model=stored.key.model,
            model_type=stored.key.model_type,
            version=stored.key.version,
            current=stored.current,
            uri=stored.uri,
            file=file_name,
            created_at=manifest.created_at if manifest else None,
            target=manifest.target if manifest else None,
            rows=manifest.rows if manifest else None,
            size_bytes=file.size_bytes if file else None,
            sha256=file.sha256 if file else None,
            metrics=[Metric.of(metric) for metric in manifest.metrics] if manifest else [],
        )


class AvailableModels(View):
    """Trained models, the newest first."""

    models: list[AvailableModel]
    total: int = Field(description="How many there are with these filters, limit aside.")


def model_name(job: dict[str, Any]) -> str:
    """The name under which a TrainingJob files its versions."""
    name: str = job["spec"].get("model") or job["metadata"]["name"]
    return name


def job_status(job: dict[str, Any]) -> Status:
    """The word for where a TrainingJob stands."""
    return status_of(job_phase(job))


def job_phase(job: dict[str, Any]) -> Phase | None:
    """The phase, even of a status that another version of Trainyard has written."""
    phase = (job.get("status") or {}).get("phase")
    return Phase(phase) if phase in _PHASES else None


def _stored_status(job: dict[str, Any]) -> TrainingJobStatus:
    try:
        return TrainingJobStatus.from_stored(job.get("status") or {})
    except ValidationError:
        # A list of jobs must not fail for one of them.
        return TrainingJobStatus(
            phase=job_phase(job),
            message="the status was written by another version of Trainyard; see kubectl describe",
        )


def _message(spec: dict[str, Any], status: TrainingJobStatus) -> str:
    if status.message:
        return status.message
    match status.phase:
        case None | Phase.PENDING if spec.get("cancel"):
            return "Cancellation has been asked for"
        case None:
            return "Waits for the operator"
        case Phase.RUNNING if status.stage:
            return str(status.stage)
        case phase:
            return str(phase)
