"""The champion of a Model: the version that consumers load, and how it became that."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from trainyard_schema.base import Model
from trainyard_schema.names import VERSION_PATTERN
from trainyard_schema.spec import Gate, ModelType
from trainyard_schema.status import Verdict

HISTORY_LENGTH = 10
"""Transitions that the status keeps; the object store keeps all."""

VersionName = Annotated[str, StringConstraints(pattern=VERSION_PATTERN, max_length=64)]
Reasons = Annotated[list[Annotated[str, StringConstraints(max_length=1024)]], Field(max_length=10)]


class Promotion(Model):
    """What a version has to go through to become the champion."""

    approval: Literal["automatic", "manual"] = Field(
        default="automatic",
        description="manual: a version that passes the gate waits for the annotation "
        "trainyard.dev/promote.",
    )
    gate: Gate | None = Field(
        default=None,
        description="Absent: every version that can be loaded and predicts as in training passes.",
    )


class Champion(Model):
    """A version that was promoted."""

    model_type: ModelType
    version: str = Field(max_length=64)
    uri: str = Field(max_length=2048, description="s3:// prefix of the version's files; ends in /.")
    sha256: str = Field(max_length=64, description="Of the model file.")
    run: str = Field(max_length=253, description="The TrainingJob that trained it.")
    metric: str | None = Field(
        default=None, max_length=128, description="Of the holdout, as name=value."
    )
    since: datetime
    transition: int = Field(ge=1, description="Number of the transition that made it the champion.")


class Candidate(Model):
    """A version that awaits approval."""

    model_type: ModelType
    version: str = Field(max_length=64)
    uri: str = Field(max_length=2048)
    sha256: str = Field(max_length=64, description="Of the model file.")
    run: str = Field(max_length=253, description="The TrainingJob that trained it.")
    metric: str | None = Field(default=None, max_length=128)
    since: datetime
    reasons: Reasons = Field(description="Why it was not promoted at once.")
    verdict: Verdict | None = None


class Outcome(StrEnum):
    """What became of a run's version."""

    PROMOTED = "Promoted"
    REJECTED = "Rejected"
    AWAITING_APPROVAL = "AwaitingApproval"
    UNCHANGED = "Unchanged"
    """The run's version is the champion already: the data have not changed."""


class Judgement(Model):
    """What was decided about a run that left a version."""

    run: str = Field(max_length=253, description="Of the TrainingJob.")
    model_type: ModelType
    version: str = Field(max_length=64)
    outcome: Outcome
    metric: str | None = Field(default=None, max_length=128)
    reasons: Reasons
    time: datetime


class Action(StrEnum):
    """What a transition was."""

    PROMOTED = "Promoted"
    """By the operator, because the gate passed it."""
    APPROVED = "Approved"
    """On request; the version was a candidate."""
    CHOSEN = "Chosen"
    """On request; any other version of the Model."""
    ROLLED_BACK = "RolledBack"
    """On request, to the previous champion."""
    REJECTED = "Rejected"
    """On request, of a candidate: the champion stays."""


class Transition(Model):
    """An entry of a Model's history."""

    number: int = Field(ge=1)
    time: datetime
    action: Action
    version: str = Field(max_length=64, description="The version that it is about.")
    by: str = Field(max_length=256, description="Who asked for it; operator: nobody had to.")
    why: str = Field(max_length=1024)
    from_: Champion | None = Field(default=None, alias="from", description="The champion before.")
    to: Champion | None = Field(default=None, description="The champion from then on.")
    verdict: Verdict | None = None


class TransitionRecord(Transition):
    """A transition as `models/<model>/history/<number>.json` keeps it for ever."""

    model: str
    namespace: str
    model_uid: str
    manifest_sha256: str | None = Field(
        default=None, description="Of the champion's manifest; None if it was gone by then."
    )
