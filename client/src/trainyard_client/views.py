"""What the API answers. A newer API may say more: unknown fields are kept, words are plain text."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class View(BaseModel):
    """An answer, in snake_case as the API writes it."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())


class Status(StrEnum):
    """Where a training stands."""

    STARTED = "started"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})


class Progress(View):
    """How far a run is."""

    percent: int
    unit: str | None = Field(default=None, description="rounds, trees or epochs.")
    done: int | None = None
    total: int | None = None
    eta_seconds: int | None = Field(default=None, description="None while unknown.")
    stale: bool = Field(default=False, description="The trainer has not been heard for 30 s.")
    updated_at: datetime | None = None


class QueuePlace(View):
    """The place of a training that waits for its turn, when it was last told."""

    position: int = Field(description="1 is the next.")
    length: int = Field(description="Trainings that wait in the same line.")
    estimated_start_time: datetime | None = Field(default=None, description="None while unknown.")


class Metric(View):
    """One number about a model, on one part of the data."""

    model_type: str
    name: str = Field(description="For example roc_auc, log_loss, rmse.")
    value: float | None = Field(description="None where it is not a finite number.")
    split: str = Field(description="holdout or cross-validation.")


class TrainedModel(View):
    """A version that a training left in the object store."""

    model_type: str
    version: str
    uri: str = Field(description="s3:// prefix of the version's files; ends in /.")
    sha256: str = Field(description="Of the model file.")
    size_bytes: int = Field(description="Of the model file.")
    current: bool = Field(description="Whether this run made it the current version.")
    duration_seconds: float


class ModelTypeStatus(View):
    """Where one of several model types stands."""

    model_type: str
    phase: str
    stage: str | None = None
    reason: str | None = None
    message: str | None = Field(default=None, description="Why it waits or failed.")
    attempts: int | None = None
    percent: int | None = None


class MemoryRaise(View):
    """A further attempt with more memory."""

    model_types: tuple[str, ...]
    memory: str = Field(description="The limit from then on, such as 1536Mi.")
    time: datetime


class Job(View):
    """A training."""

    job_id: str = Field(description="The TrainingJob's name.")
    status: Status
    message: str = Field(description="Where the training stands, in one line.")
    model_type: str
    model: str = Field(description="Name under which versions are filed.")
    phase: str | None = Field(default=None, description="None until the operator has seen it.")
    stage: str | None = None
    reason: str | None = Field(default=None, description="Why it does not run, or failed.")
    queue: QueuePlace | None = Field(default=None, description="None unless it waits.")
    progress: Progress | None = None
    attempts: int | None = Field(default=None, description="Pods started so far.")
    model_types: tuple[ModelTypeStatus, ...] = Field(
        default=(), description="Each of them, where all are trained."
    )
    oom_retries: tuple[MemoryRaise, ...] = Field(
        default=(), description="How the memory limit was raised after it had been too small."
    )
    metrics: tuple[Metric, ...] = ()
    models: tuple[TrainedModel, ...] = ()
    created_at: datetime
    start_time: datetime | None = None
    completion_time: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether its status is final."""
        return self.status in ENDED


class Me(View):
    """Who the API takes the token's bearer for."""

    subject: str
    role: str


class ChampionView(View):
    """The version that consumers load."""

    model_type: str
    version: str
    uri: str | None = None
    metric: str | None = Field(default=None, description="Of the holdout, as name=value.")
    run: str | None = Field(default=None, description="The training that made it.")
    since: datetime | None = None


class Candidate(View):
    """A version that awaits approval."""

    model_type: str
    version: str
    metric: str | None = None
    since: datetime | None = None
    reasons: tuple[str, ...] = Field(default=(), description="Why it was not promoted at once.")


class ModelRequest(View):
    """The latest request of one kind that stands on a Model."""

    kind: str = Field(description="retrain, promote (an approval as well), reject or rollback.")
    id: str | None = Field(default=None, description="None: it was not made over REST.")
    answered: bool = Field(description="Done or refused: `message` and the history tell.")


class Model(View):
    """A Model: what it is trained from and when, its champion, and what was asked of it."""

    name: str
    model_type: str
    data_uri: str
    target: str
    schedule: str | None = Field(default=None, description="Cron; None: on request only.")
    time_zone: str = "UTC"
    suspend: bool = False
    champion: ChampionView | None = None
    previous: ChampionView | None = Field(default=None, description="What a rollback goes back to.")
    candidates: tuple[Candidate, ...] = ()
    active: tuple[str, ...] = Field(default=(), description="Trainings that have not ended.")
    next_schedule_time: datetime | None = None
    message: str | None = Field(
        default=None, description="What a request waits for, or why it was refused."
    )
    requests: tuple[ModelRequest, ...] = ()

    @property
    def refusal(self) -> str | None:
        """Why the operator refused the latest request; None: it did not."""
        told = self.message or ""
        return told if told.startswith("refused to ") else None


class Version(View):
    """A version of a model in the object store. A single one has all that its manifest tells."""

    model: str
    model_type: str
    version: str = Field(description="Sorts by time.")
    current: bool = Field(default=False, description="What consumers should load.")
    uri: str = Field(description="s3:// prefix of its files; ends in /.")
    created_at: datetime | None = None
    target: str | None = None
    rows: int | None = Field(default=None, description="Rows of the table it learned from.")
    size_bytes: int | None = Field(default=None, description="Of the model file.")
    sha256: str | None = Field(default=None, description="Of the model file.")
    metrics: tuple[Metric, ...] = ()


class Transition(View):
    """An entry of a Model's history."""

    number: int
    time: datetime
    action: str
    version: str = Field(description="The version that it is about.")
    by: str = Field(description="Who asked for it; operator: nobody had to.")
    why: str
    from_version: str | None = Field(default=None, description="The champion before.")
    champion: str | None = Field(default=None, description="The champion from then on.")
    champion_model_type: str | None = None
    champion_uri: str | None = None
    champion_metric: str | None = Field(default=None, description="Of the holdout.")


class HoldoutComparison(View):
    """Whether the metrics of both can be compared at all."""

    same: bool | None = Field(description="None: it is not known.")
    message: str


class MetricComparison(View):
    """One metric of both versions; pairs are in the order of `versions`."""

    name: str
    split: str
    values: tuple[float | None, float | None]
    intervals: tuple[tuple[float, float] | None, tuple[float, float] | None] = (None, None)
    difference: float | None = Field(default=None, description="The second minus the first.")
    better: str | None = Field(default=None, description="The version with the better value.")


class Difference(View):
    """Something in which the two differ; None: one has nothing of the kind."""

    name: str
    values: tuple[Any, Any]


class Comparison(View):
    """Two versions side by side."""

    model: str
    versions: tuple[str, str]
    holdout: HoldoutComparison
    metrics: tuple[MetricComparison, ...] = ()
    hyperparameters: tuple[Difference, ...] = Field(default=(), description="Those that differ.")
    data: tuple[Difference, ...] = Field(default=(), description="What differs in their data.")


class Accepted(View):
    """A decision that the operator carries out within seconds."""

    id: str = Field(description="Of the request, as the Model's `requests` have it.")
    model: str
    decision: str = Field(description="promote, approve, reject or rollback.")
    version: str | None = None


class RetrainRun(View):
    """The run of one Model."""

    model: str
    run: str = Field(description="The training's name.")
    mode: str = Field(description="full or incremental.")
    status: str
    error_message: str | None = None


class Retrain(View):
    """A request to retrain, and what became of it."""

    id: str
    model_type: str = Field(description="all, or the Model's name.")
    full_retrain: bool
    status: str = Field(description="completed and failed are final.")
    requester: str | None = None
    created_at: datetime
    completed_at: datetime | None = None
    error_message: str | None = None
    runs: tuple[RetrainRun, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether its status is final."""
        return self.completed_at is not None


class Column(View):
    """A column of a table."""

    name: str
    type: str = Field(description="As Arrow names it: int64, double, string, bool, …")


class Dataset(View):
    """A table in the object store."""

    id: str = Field(description="The fingerprint: the same bytes are the same dataset.")
    name: str
    uri: str = Field(description="To be given to a training as data.uri.")
    format: str | None = Field(default=None, description="csv, csv.gz or parquet.")
    rows: int | None = None
    columns: tuple[Column, ...] = ()
    size_bytes: int | None = None
    uploaded_by: str | None = None
    uploaded_at: datetime | None = None
