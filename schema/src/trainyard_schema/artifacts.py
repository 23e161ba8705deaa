"""The files of a model version in the object store: readable for ever without any database."""

import re
from datetime import datetime
from typing import Any, Literal, NamedTuple, Self

from pydantic import Field

from trainyard_schema.base import Model
from trainyard_schema.names import VERSION_PATTERN
from trainyard_schema.run import RunConfig
from trainyard_schema.spec import ModelType
from trainyard_schema.status import Metric

MANIFEST = "manifest.json"
CURRENT = "current.json"
MODELS_PREFIX = "models"
MODEL_FILES = {
    ModelType.XGBOOST: "model.ubj",
    ModelType.RANDOM_FOREST: "model.skops",
    ModelType.NEURAL_NET: "model.safetensors",
}
PREPROCESSING = "preprocessing.json"
SCHEMA = "schema.json"
METRICS = "metrics.json"
HISTORY = "history.jsonl"
LOG = "log.txt"
FEATURE_IMPORTANCE = "feature-importance.json"
CONFUSION_MATRIX = "confusion-matrix.json"
MODEL_CARD = "model-card.md"
HOLDOUT = "holdout.parquet"
GOLDEN_ROWS = "golden-rows.parquet"
VERDICT = "verdict.json"
"""Written after the manifest, so not among its files; no model is loaded from it."""
CHECKPOINTS_PREFIX = "checkpoints"
FINGERPRINTS = "fingerprints"


def champion_key(model: str) -> str:
    """Key of the pointer to the champion of a Model, whatever its type."""
    return f"{MODELS_PREFIX}/{model}/{CURRENT}"


def history_prefix(model: str) -> str:
    """Key prefix of a Model's transitions; ends in `/`."""
    return f"{MODELS_PREFIX}/{model}/history/"


def transition_key(model: str, number: int) -> str:
    """Key of one transition. Keys sort as numbers do."""
    return f"{history_prefix(model)}{number:08}.json"


class VersionKey(NamedTuple):
    """Where a version lives: `models/<model>/<modelType>/<version>/`."""

    model: str
    model_type: ModelType
    version: str

    @property
    def prefix(self) -> str:
        """Key prefix of the version's files; ends in `/`."""
        return f"{MODELS_PREFIX}/{self.model}/{self.model_type}/{self.version}/"

    @property
    def manifest(self) -> str:
        """Key of the manifest: the version exists if and only if this object does."""
        return self.prefix + MANIFEST

    @property
    def current(self) -> str:
        """Key of the pointer to the current version of this model and type."""
        return f"{MODELS_PREFIX}/{self.model}/{self.model_type}/{CURRENT}"

    @property
    def champion(self) -> str:
        """Key of the pointer to the champion of this model, whatever its type."""
        return champion_key(self.model)

    @classmethod
    def from_key(cls, key: str) -> Self | None:
        """The version that a file belongs to; None for a key that is no version's."""
        parts = key.split("/")
        if len(parts) < 5 or parts[0] != MODELS_PREFIX or parts[2] not in set(ModelType):
            return None
        if not re.match(VERSION_PATTERN, parts[3]):
            return None
        return cls(parts[1], ModelType(parts[2]), parts[3])

    def fingerprint(self, sha256: str) -> str:
        """Key of the object that tells which version was left by what has this fingerprint."""
        return f"{MODELS_PREFIX}/{self.model}/{self.model_type}/{FINGERPRINTS}/{sha256}.json"

    @classmethod
    def from_manifest_key(cls, key: str) -> Self | None:
        """Read back a manifest's key; None for any other key."""
        parts = key.split("/")
        if len(parts) != 5 or parts[0] != MODELS_PREFIX or parts[4] != MANIFEST:
            return None
        if parts[2] not in set(ModelType):
            return None
        return cls(parts[1], ModelType(parts[2]), parts[3])


class ManifestFile(Model):
    """One file of a version, to be checked when it is loaded."""

    name: str
    size_bytes: int = Field(ge=0)
    sha256: str


class FingerprintRecord(Model):
    """`fingerprints/<sha256>.json`: the last version that was trained from the same. It may be gone
    by now.
    """

    version: str


class DataSource(Model):
    """One object that the training table was read from."""

    uri: str
    etag: str
    sha256: str
    size_bytes: int = Field(ge=0)


class Manifest(Model):
    """Written last. Everything needed to trust a version and to train it again."""

    manifest_version: int = 1
    model: str
    model_type: ModelType
    version: str
    created_at: datetime
    task: str = Field(description="binary, multiclass or regression.")
    data: list[DataSource]
    rows: int = Field(ge=0, description="Rows of the table that could be learned from.")
    training_rows: int = Field(ge=0)
    holdout_rows: int = Field(ge=0)
    target: str
    exclude: list[str]
    holdout_fraction: float
    holdout: DataSource | None = Field(
        default=None, description="Where the holdout was read from; None: drawn from the data."
    )
    mode: Literal["full", "incremental"] = "full"
    partial: bool = Field(default=False, description="Saved when the run was cancelled.")
    fingerprint: str | None = Field(
        default=None, description="SHA-256 of what it was trained from: data, spec and image."
    )
    cross_validation_folds: int | None = None
    hyperparameters: dict[str, Any]
    seed: int
    threads: int | None = Field(default=None, ge=1, description="Threads that it was trained with.")
    run: RunConfig | None = Field(
        default=None,
        description="What the trainer was given. Given again, it trains the same model anew.",
    )
    metrics: list[Metric]
    metric_intervals: dict[str, tuple[float, float]] = Field(
        default_factory=dict,
        description="95 % confidence intervals of the holdout's metrics, by bootstrap.",
    )
    warnings: list[str] = Field(default_factory=list)
    files: list[ManifestFile]
    duration_seconds: float = Field(ge=0)
    image: str
    libraries: dict[str, str] = Field(description="Version of Python and of each library, by name.")
    requester: str | None = None
    parent_version: str | None = Field(
        default=None,
        description="The version that this one continues; with mode full the current one when it "
        "was trained, if there was one.",
    )
    training_job: str = Field(description="namespace/name of the TrainingJob.")
    training_job_uid: str
    pod_uid: str | None = None


class CurrentPointer(Model):
    """`current.json`: which version of a model consumers should load.

    `models/<model>/current.json` names the champion of a Model, and goes before
    `models/<model>/<modelType>/current.json`, which names what TrainingJobs made current.
    """

    model_type: ModelType | None = None
    version: str
    uri: str
    manifest_sha256: str
    updated_at: datetime
    transition: int | None = Field(
        default=None, description="Of a champion: number of the transition that made it that."
    )
