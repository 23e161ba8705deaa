"""`Model`: what is trained again and again. Its spec, and what the operator found out."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from trainyard_schema.base import Model
from trainyard_schema.promotion import (
    HISTORY_LENGTH,
    Candidate,
    Champion,
    Judgement,
    Promotion,
    Transition,
    VersionName,
)
from trainyard_schema.spec import TrainingSpec
from trainyard_schema.status import BaseCondition, ModelVersion, Phase, Reason


def _cron_field(value: str) -> str:
    item = rf"(\*|{value}(-{value})?)(/[1-9][0-9]?)?"
    return f"{item}(,{item})*"


_NAME = "[A-Za-z]{3}"
_CRON_FIELDS = (
    "[0-5]?[0-9]",
    "([01]?[0-9]|2[0-3])",
    "(0?[1-9]|[12][0-9]|3[01])",
    f"(0?[1-9]|1[0-2]|{_NAME})",
    f"([0-7]|{_NAME})",
)
CRON_PATTERN = f"^{' +'.join(_cron_field(value) for value in _CRON_FIELDS)}$"
"""Minute, hour, day of the month, month, day of the week: what can be said of each by itself."""

DURATION_PATTERN = r"^([0-9]{1,5}[hms]){1,3}$"
_SECONDS = {"h": 3600, "m": 60, "s": 1}


def parse_duration(text: str) -> timedelta:
    """The time that a duration such as `1h30m` stands for. Raises `ValueError` if it is none."""
    total, number = 0, ""
    for character in text:
        if character.isdecimal():
            number += character
        elif number and character in _SECONDS:
            total += int(number) * _SECONDS[character]
            number = ""
        else:
            raise ValueError(f"{text!r} is no duration; write for example 30m or 1h30m")
    if number or not text:
        raise ValueError(f"{text!r} is no duration; write for example 30m or 1h30m")
    return timedelta(seconds=total)


class HistoryLimits(Model):
    """How many finished TrainingJobs, and how many versions, are kept."""

    succeeded: int = Field(default=5, ge=0, le=100)
    failed: int = Field(default=5, ge=0, le=100, description="Counts cancelled ones as well.")
    versions: int = Field(
        default=10,
        ge=0,
        le=1000,
        description="Newest versions that are kept beside champion, previous one, candidates and "
        "pinned ones; older ones are deleted after a run.",
    )


class RunMetadata(Model):
    """Labels and annotations of each TrainingJob."""

    labels: dict[
        str,
        Annotated[
            str,
            StringConstraints(
                pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", max_length=63
            ),
        ],
    ] = Field(default_factory=dict, max_length=32)
    annotations: dict[str, Annotated[str, StringConstraints(max_length=4096)]] = Field(
        default_factory=dict, max_length=32
    )


class RunTemplate(Model):
    """The TrainingJob that each run creates."""

    metadata: RunMetadata = Field(default_factory=RunMetadata)
    spec: TrainingSpec = Field(
        description="As in a TrainingJob, without model, suspend and cancel. Versions are filed "
        "under the name of the Model."
    )


class ModelSpec(Model):
    """When to train again, and how."""

    schedule: Annotated[str, StringConstraints(pattern=CRON_PATTERN, max_length=256)] | None = (
        Field(
            default=None,
            description="Cron: minute, hour, day of the month, month, day of the week. Absent: "
            "only on request.",
        )
    )
    time_zone: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$", max_length=64),
    ] = Field(
        default="UTC", description="IANA time zone of the schedule, such as America/Sao_Paulo."
    )
    concurrency_policy: Literal["Forbid", "Replace"] = Field(
        default="Forbid",
        description="A run is due while another one is active. Forbid: it is skipped. Replace: the "
        "active one is cancelled first.",
    )
    starting_deadline_seconds: int | None = Field(
        default=None,
        ge=1,
        le=365 * 86400,
        description="How late a missed time of the schedule may still start. Absent: any. Of "
        "several missed times only the latest counts.",
    )
    cooldown: Annotated[str, StringConstraints(pattern=DURATION_PATTERN, max_length=18)] = Field(
        default="0s",
        description="Least time between the starts of two runs, such as 30m or 1h30m. 0s: none.",
    )
    suspend: bool = Field(default=False, description="true: no new runs; active ones go on.")
    promotion: Promotion = Field(default_factory=Promotion)
    pinned: list[VersionName] = Field(
        default_factory=list, max_length=100, description="Versions that are never deleted."
    )
    history_limits: HistoryLimits = Field(default_factory=HistoryLimits)
    template: RunTemplate


class ModelConditionType(StrEnum):
    """The conditions that a Model can have."""

    READY = "Ready"
    SUSPENDED = "Suspended"
    GATED = "Gated"
    """Whether a version has to pass more than the check that it can be loaded."""
    PUBLISHED = "Published"
    """Whether the object store names the champion, and has its history."""


class ModelCondition(BaseCondition[ModelConditionType]):
    """A condition of a Model."""


class RunSummary(Model):
    """A TrainingJob of a Model, also when it is gone."""

    name: str = Field(description="Of the TrainingJob.")
    phase: Phase
    reason: Reason | None = None
    message: str | None = Field(default=None, max_length=4096)
    start_time: datetime = Field(description="When the TrainingJob was created.")
    completion_time: datetime | None = None
    primary_metric: str | None = Field(default=None, max_length=64)


class SuccessfulRun(Model):
    """A TrainingJob of a Model that left versions."""

    name: str = Field(description="Of the TrainingJob.")
    start_time: datetime = Field(description="When the TrainingJob was created.")
    completion_time: datetime | None = None
    primary_metric: str | None = Field(default=None, max_length=64)
    models: list[ModelVersion] = Field(default_factory=list, max_length=8)


class ModelStatus(Model):
    """The whole status. Every field is absent until it is known."""

    observed_generation: int | None = None
    message: str | None = Field(
        default=None,
        max_length=4096,
        description="What a request waits for or why it was refused, or why the latest time was "
        "skipped.",
    )
    conditions: list[ModelCondition] = Field(default_factory=list, max_length=16)
    active: list[str] = Field(
        default_factory=list, max_length=100, description="TrainingJobs that have not ended."
    )
    last_schedule_time: datetime | None = Field(
        default=None, description="Latest time of the schedule that a run was started for, or not."
    )
    next_schedule_time: datetime | None = Field(
        default=None, description="Next time of the schedule. In the past: due, and held up."
    )
    last_handled_retrain: str | None = Field(
        default=None, description="Latest value of the retrain annotation that led to a run."
    )
    last_run: RunSummary | None = None
    last_successful_run: SuccessfulRun | None = None
    champion: Champion | None = Field(default=None, description="The version to be loaded.")
    previous: Champion | None = Field(default=None, description="What a rollback goes back to.")
    candidates: list[Candidate] = Field(
        default_factory=list, max_length=5, description="Versions that await approval."
    )
    last_verdict: Judgement | None = None
    history: list[Transition] = Field(
        default_factory=list,
        max_length=HISTORY_LENGTH,
        description="The latest transitions; all of them are in the object store.",
    )
    published: int | None = Field(
        default=None, ge=0, description="The latest transition that the object store knows."
    )
    judged: list[str] = Field(
        default_factory=list,
        max_length=500,
        description="Finished TrainingJobs that were decided about, and are still there.",
    )
    last_handled_rollback: str | None = Field(
        default=None, description="Latest value of the rollback annotation that was answered."
    )
    last_handled_promote: str | None = Field(
        default=None, description="Latest value of the promote annotation that was answered."
    )
    last_handled_reject: str | None = Field(
        default=None, description="Latest value of the reject annotation that was answered."
    )
