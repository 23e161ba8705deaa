"""`TrainingJob.spec`: what a person asks for."""

import re
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from trainyard_schema import names
from trainyard_schema.base import Model

MIN_ROWS = 20
"""Rows with a target that a run needs at least."""


class ModelType(StrEnum):
    """The kinds of model that Trainyard trains."""

    XGBOOST = "xgboost"
    RANDOM_FOREST = "random-forest"
    NEURAL_NET = "neural-net"


ModelTypeOrAll = Literal["xgboost", "random-forest", "neural-net", "all"]

QUANTITY_PATTERN = r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$"
_QUANTITY_SUFFIX: dict[str, int | Decimal] = {
    "": 1, "m": Decimal("0.001"),
    "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
}  # fmt: skip


def parse_quantity(text: str) -> Decimal:
    """The number that a Kubernetes quantity stands for: `500m` is 0.5, `1Gi` is 1073741824."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)", text)
    if match is None or match[2] not in _QUANTITY_SUFFIX:
        raise ValueError(f"{text!r} is no quantity; write for example 500m, 2 or 1Gi")
    return Decimal(match[1]) * _QUANTITY_SUFFIX[match[2]]


def _quantity_text(value: Any) -> Any:
    """YAML reads `cpu: 1` as a number; Kubernetes takes it as the same quantity as "1"."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Quantity = Annotated[
    str,
    BeforeValidator(_quantity_text),
    StringConstraints(pattern=QUANTITY_PATTERN, max_length=32),
    Field(json_schema_extra={"x-kubernetes-int-or-string": True}),
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=253)]
DataUri = Annotated[
    str,
    StringConstraints(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^\s]+$", max_length=1024),
]


ObjectUri = Annotated[
    str,
    StringConstraints(
        pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^\s]*[^\s/]$", max_length=1024
    ),
]


class DataSpec(Model):
    """Which table to train on, and which of its columns."""

    uri: DataUri = Field(
        description="CSV or Parquet: s3://bucket/key, or a prefix that ends in / and holds files "
        "of one kind."
    )
    target: Annotated[str, StringConstraints(min_length=1, max_length=256)] = Field(
        description="Name of the column to predict."
    )
    exclude: list[Annotated[str, StringConstraints(min_length=1, max_length=256)]] = Field(
        default_factory=list, max_length=500, description="Columns not to learn from, such as ids."
    )
    holdout_fraction: float = Field(
        default=0.2,
        ge=0.05,
        le=0.5,
        description="Share of the rows, stratified by class, kept back to measure the model on.",
    )
    holdout: ObjectUri | None = Field(
        default=None,
        description="s3://bucket/key of rows to measure the model on instead of a share, as CSV or "
        "Parquet. Rows that are in it are not learned from.",
    )

    @model_validator(mode="after")
    def _target_is_not_excluded(self) -> Self:
        if self.target in self.exclude:
            raise ValueError(f"exclude must not contain the target {self.target!r}")
        return self


class CrossValidation(Model):
    """K-fold cross-validation on the training part, beside the holdout."""

    folds: int = Field(default=5, ge=2, le=20, description="Number of folds.")


class ResourceRequests(Model):
    """What each pod is sure to get, as Kubernetes quantities."""

    cpu: Quantity = Field(default="500m", description="Cores, for example 500m or 2.")
    memory: Quantity = Field(default="512Mi", description="Bytes, for example 512Mi or 4Gi.")


class ResourceLimits(Model):
    """What each pod may use at most, as Kubernetes quantities."""

    cpu: Quantity = Field(default="1", description="Cores; the trainer starts as many threads.")
    memory: Quantity = Field(default="1Gi", description="Bytes; beyond them the pod is OOMKilled.")


class Resources(Model):
    """CPU and memory of each of the run's pods."""

    requests: ResourceRequests = Field(default_factory=ResourceRequests)
    limits: ResourceLimits = Field(default_factory=ResourceLimits)

    @model_validator(mode="after")
    def _requests_fit_limits(self) -> Self:
        for name in ("cpu", "memory"):
            request, limit = getattr(self.requests, name), getattr(self.limits, name)
            if parse_quantity(request) > parse_quantity(limit):
                raise ValueError(f"requests.{name} {request} is more than limits.{name} {limit}")
        return self


class OomRetry(Model):
    """How the memory limit is raised for another attempt when it was too small."""

    factor: float = Field(
        default=1.5, ge=1.25, le=10, description="By which the limit grows with each attempt."
    )
    max_memory: Quantity = Field(description="Greatest limit, such as 4Gi.")


class Toleration(Model):
    """A core/v1 Toleration."""

    key: str | None = Field(default=None, max_length=316)
    operator: Literal["Exists", "Equal"] = "Equal"
    value: str | None = Field(default=None, max_length=63)
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: int | None = Field(default=None, ge=0)


class SliceFloor(Model):
    """A bound on the metric for each value of a column."""

    column: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    floor: float = Field(description="As the gate's floor, for the rows of each value.")
    min_rows: int = Field(
        default=100, ge=10, le=10**6, description="Values with fewer holdout rows are left out."
    )


class Gate(Model):
    """What a version must stand up to before it may become the champion.

    That it can be loaded, has the hashes of its manifest, and predicts what it predicted in
    training, is always asked.
    """

    metric: (
        Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)] | None
    ) = Field(
        default=None,
        description="Metric of the holdout that floors and margin are about. Absent: the "
        "task's first one.",
    )
    floor: float | None = Field(
        default=None,
        description="Least value of the metric; for errors such as log_loss and rmse the greatest.",
    )
    margin: float | None = Field(
        default=None,
        ge=0,
        description="By how much the metric may be worse than the champion's on the same holdout, "
        "at the confidence. Absent: they are not compared.",
    )
    confidence: float = Field(
        default=0.95, ge=0.5, lt=1, description="Of the comparison, by paired bootstrap."
    )
    slices: list[SliceFloor] = Field(default_factory=list, max_length=16)
    max_size: Quantity | None = Field(
        default=None, description="Greatest size of the model file, such as 50Mi."
    )
    max_latency_ms: float | None = Field(
        default=None,
        gt=0,
        le=60_000,
        description="Longest time to score one row: 95th percentile, in milliseconds.",
    )


class TrainingSpec(Model):
    """What to train, on what, and with what: all of a run but its name and its course."""

    model_type: ModelTypeOrAll = Field(
        description="The kind of model; all trains the three on one identical split."
    )
    data: DataSpec
    mode: Literal["full", "incremental"] = Field(
        default="full",
        description="full trains from scratch; incremental continues from the champion, or else "
        "from the current version of the same model and type.",
    )
    skip_if_unchanged: bool = Field(
        default=False,
        description="true trains nothing where the same data, spec and image have already left a "
        "version: that one is the result.",
    )
    on_cancel: Literal["discard", "save"] = Field(
        default="discard",
        description="save: what is trained by the time of a cancel is filed as a partial version, "
        "which never becomes current.",
    )
    cross_validation: CrossValidation | None = Field(
        default=None, description="Absent or null: no cross-validation."
    )
    hyperparameters: dict[str, Any] = Field(
        default_factory=dict,
        description="Named as in the library. For modelType all: one object for each model type.",
    )
    seed: int = Field(default=42, ge=0, le=2**31 - 1, description="Seed of every random choice.")
    resources: Resources = Field(default_factory=Resources)
    backoff_limit: int = Field(
        default=2,
        ge=0,
        le=10,
        description="Retries of each model type after a failure that a retry may mend.",
    )
    oom_retry: OomRetry | None = Field(
        default=None,
        description="Try again with more memory after an OOM kill or InsufficientMemory. Absent: "
        "no.",
    )
    active_deadline_seconds: int | None = Field(
        default=None,
        ge=1,
        le=30 * 86400,
        description="Longest time that the run may take, in seconds.",
    )
    pending_deadline_seconds: int | None = Field(
        default=None,
        ge=1,
        le=30 * 86400,
        description="Longest time to wait for a trainer to start, in seconds, not counting the "
        "time in which the run is suspended or queued. Absent: for ever.",
    )
    ttl_seconds_after_finished: int | None = Field(
        default=86400,
        ge=0,
        le=365 * 86400,
        description="When the finished Job and its pods are deleted. The TrainingJob stays.",
    )
    priority_class_name: Name | None = None
    node_selector: dict[str, Annotated[str, StringConstraints(max_length=63)]] = Field(
        default_factory=dict, max_length=20
    )
    tolerations: list[Toleration] = Field(default_factory=list, max_length=20)

    @model_validator(mode="after")
    def _there_is_memory_to_raise(self) -> Self:
        limit = self.resources.limits.memory
        if self.oom_retry and parse_quantity(self.oom_retry.max_memory) <= parse_quantity(limit):
            raise ValueError(
                f"oomRetry.maxMemory {self.oom_retry.max_memory} is not more than "
                f"resources.limits.memory {limit}"
            )
        return self

    @property
    def model_types(self) -> tuple[ModelType, ...]:
        """The model types of this run in the order of the Job's completion indexes."""
        return tuple(ModelType) if self.model_type == "all" else (ModelType(self.model_type),)


class TrainingJobSpec(TrainingSpec):
    """One training run. Only suspend, cancel and ttlSecondsAfterFinished can be changed."""

    model: (
        Annotated[
            str,
            StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9_.]*[a-z0-9])?$", max_length=63),
        ]
        | None
    ) = Field(
        default=None, description="Name under which versions are filed; default metadata.name."
    )
    overwrite: bool = Field(
        default=False,
        description="true makes the new version the current one; false leaves an existing current "
        "version in place and files this one beside it. No version is ever destroyed. A version "
        "with a gate never becomes current by itself.",
    )
    gate: Gate | None = Field(
        default=None,
        description="Have the version judged as a candidate. A Model sets it on each of its runs.",
    )
    champion: (
        Annotated[
            str,
            StringConstraints(
                pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^\s]+/$", max_length=1024
            ),
        ]
        | None
    ) = Field(
        default=None,
        description="URI of the version that the gate compares with, whose holdout is used, and "
        "from which mode incremental continues. A Model sets it on each of its runs.",
    )
    managed_by: (
        Annotated[
            str,
            StringConstraints(
                pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9._~!$&'()*+,;=:@%/-]+$",
                max_length=63,
            ),
        ]
        | None
    ) = Field(
        default=None,
        description=f"Whose run it is; default {names.CONTROLLER}. With any other value this "
        "project's operator does nothing about it.",
    )
    suspend: bool = Field(default=False, description="true: no pod runs until it is false again.")
    cancel: bool = Field(
        default=False, description="true is final: the pods are deleted, the record is kept."
    )
