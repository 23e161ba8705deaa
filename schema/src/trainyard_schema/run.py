"""What the operator hands to a trainer pod, and what the pod hands back."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from trainyard_schema import names
from trainyard_schema.base import Model
from trainyard_schema.hyperparameters import validate_hyperparameters
from trainyard_schema.spec import CrossValidation, DataSpec, Gate, ModelType, TrainingJobSpec
from trainyard_schema.status import Metric, ModelVersion, Reason, Seconds, Stage, Verdict

EXIT_CODES: Mapping[Reason, int] = {
    Reason.INVALID_SPEC: 64,
    Reason.INVALID_HYPERPARAMETER: 65,
    Reason.DATA_NOT_FOUND: 66,
    Reason.INVALID_DATA: 67,
    Reason.INSUFFICIENT_DATA: 68,
    Reason.INSUFFICIENT_MEMORY: 69,
    Reason.SCHEMA_MISMATCH: 71,
    Reason.STORAGE_UNAVAILABLE: 74,
    Reason.UPLOAD_FAILED: 75,
    Reason.TRAINER_CRASHED: 70,
    Reason.INTERRUPTED: 143,
}
"""How the trainer ends: in the spirit of sysexits(3), away from the codes of shells."""

NOT_RETRIED = (
    Reason.INVALID_SPEC,
    Reason.INVALID_HYPERPARAMETER,
    Reason.DATA_NOT_FOUND,
    Reason.INVALID_DATA,
    Reason.INSUFFICIENT_DATA,
    Reason.INSUFFICIENT_MEMORY,
    Reason.SCHEMA_MISMATCH,
)
"""Failures that another attempt cannot mend."""

SAVE_SECONDS = 110
"""How long an interrupted run with `onCancel: save` may take to file what it has."""

OOM_EXIT_CODE = 137
"""SIGKILL: what the kernel's OOM killer leaves."""


class StorageConfig(Model):
    """Where model versions go. No credentials: the pod has them in its environment."""

    bucket: str
    endpoint_url: str | None = Field(default=None, description="None: AWS itself.")
    region: str = "us-east-1"


class RunConfig(Model):
    """Everything about a run, as one JSON document in an environment variable."""

    training_job: str = Field(description="namespace/name")
    training_job_uid: str
    model: str
    model_types: list[ModelType] = Field(min_length=1, description="By completion index.")
    data: DataSpec
    mode: Literal["full", "incremental"] = "full"
    skip_if_unchanged: bool = False
    on_cancel: Literal["discard", "save"] = "discard"
    overwrite: bool
    gate: Gate | None = None
    champion: str | None = None
    cross_validation: CrossValidation | None = None
    hyperparameters: dict[ModelType, dict[str, Any]] = Field(description="Complete, by model type.")
    seed: int
    storage: StorageConfig
    image: str
    requester: str | None = None

    @property
    def folds(self) -> int:
        """Fits of the cross-validation; 0 without one."""
        return self.cross_validation.folds if self.cross_validation else 0


class RunProgress(Model):
    """What the pod serves on `/progress`."""

    model_type: ModelType
    stage: Stage
    stage_seconds: dict[Stage, Seconds] = Field(
        description="How long each stage took; the present one, so far."
    )
    share: float = Field(
        ge=0, le=1, description="Of the present stage; 0 where it cannot be told until it is over."
    )
    total: int = Field(ge=0, description="Rounds, trees or epochs of all fits, at most.")
    stops_early: bool = Field(description="Whether less than `total` may do.")
    done: int | None = Field(default=None, ge=0, description="Absent until training begins.")
    rate: float | None = Field(
        default=None, gt=0, description="Units a second, smoothed. Absent while unknown."
    )


class RunResult(Model):
    """The pod's termination message, at most 4096 bytes: a version, or why there is none."""

    model_type: ModelType | None = None
    version: ModelVersion | None = None
    metrics: list[Metric] = Field(default_factory=list, max_length=10)
    verdict: Verdict | None = None
    reason: Reason | None = None
    message: str = Field(default="", max_length=2000)


def model_type_of_pod(
    annotations: Mapping[str, str], model_types: Sequence[ModelType]
) -> ModelType | None:
    """Which model type a pod trains; None for one that is no trainer of the run.

    `model_types` are those of the run, for the pods of Jobs that do not name theirs.
    """
    named = annotations.get(names.MODEL_TYPES_ANNOTATION)
    kinds = named.split(",") if named else list(model_types)
    index = annotations.get(names.COMPLETION_INDEX_ANNOTATION, "")
    if not index.isdigit() or int(index) >= len(kinds):
        return None
    return next((kind for kind in model_types if kind == kinds[int(index)]), None)


def run_config(
    spec: TrainingJobSpec,
    *,
    namespace: str,
    name: str,
    uid: str,
    storage: StorageConfig,
    image: str,
    requester: str | None = None,
) -> RunConfig:
    """The run that a TrainingJob asks for. Raises `HyperparameterError` if it cannot be."""
    hyperparameters = validate_hyperparameters(
        spec.model_types, spec.hyperparameters, prefix="spec.hyperparameters"
    )
    return RunConfig(
        training_job=f"{namespace}/{name}",
        training_job_uid=uid,
        model=spec.model or name,
        model_types=list(spec.model_types),
        data=spec.data,
        mode=spec.mode,
        skip_if_unchanged=spec.skip_if_unchanged,
        on_cancel=spec.on_cancel,
        overwrite=spec.overwrite,
        gate=spec.gate,
        champion=spec.champion,
        cross_validation=spec.cross_validation,
        hyperparameters={
            key: value.model_dump(mode="json") for key, value in hyperparameters.items()
        },
        seed=spec.seed,
        storage=storage,
        image=image,
        requester=requester,
    )
