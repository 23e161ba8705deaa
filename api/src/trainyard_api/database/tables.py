"""The tables, as the retrain endpoint's document names them, and what they lack.

Times are `timestamptz`, and Postgres' own clock sets them.
"""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import DateTime, ForeignKey, Index, MetaData, String, Text, false, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class RetrainStatus(StrEnum):
    """Where a retrain, or its run of one Model, stands."""

    INITIATED = "initiated"
    """Written down; the Model has not been asked yet."""
    PROCESSING = "processing"
    """The Model has been asked; a run waits, or goes on."""
    COMPLETED = "completed"
    FAILED = "failed"


OPEN: Final = (RetrainStatus.INITIATED, RetrainStatus.PROCESSING)
"""What holds a slot."""


class Base(DeclarativeBase):
    """All tables. The names of constraints are those that Postgres would choose."""

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "fk": "%(table_name)s_%(column_0_name)s_fkey",
            "uq": "%(table_name)s_%(column_0_name)s_key",
            "ix": "%(table_name)s_%(column_0_name)s_idx",
        }
    )
    type_annotation_map = {datetime: DateTime(timezone=True), str: Text()}  # noqa: RUF012 - SQLAlchemy's own


_ID: Final = text("gen_random_uuid()")


class User(Base):
    """Who has asked for anything: the subject of a token, or a `user_id` of POST /retrain."""

    __tablename__ = "usuarios"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=_ID)
    subject: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Analysis(Base):
    """An activity of a user."""

    __tablename__ = "analises"
    __table_args__ = (Index(None, "usuario_id", "data_criacao"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=_ID)
    usuario_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(User.id))
    tipo: Mapped[str] = mapped_column(String(50))
    data_criacao: Mapped[datetime] = mapped_column(server_default=func.now())
    detalhes: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


class RetrainLog(Base):
    """One admitted request to retrain, with exactly the columns that the document gives it."""

    __tablename__ = "retrain_logs"
    __table_args__ = (
        Index(None, "usuario_id", "created_at"),
        Index("retrain_logs_created_at_idx", "created_at", "id"),
        Index(
            "retrain_logs_open_idx",
            "created_at",
            postgresql_where=text("status IN ('initiated', 'processing')"),
        ),
        Index(
            "retrain_logs_failed_idx",
            "completed_at",
            postgresql_where=text("status = 'failed'"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=_ID)
    usuario_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(User.id))
    retrain_type: Mapped[str | None] = mapped_column(String(50))
    """`all` or the name of a Model, cut off where it is longer; `retrain_runs` has it whole."""
    full_retrain: Mapped[bool | None] = mapped_column(server_default=false())
    python_response: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    status: Mapped[str | None] = mapped_column(String(50), server_default=text("'initiated'"))
    created_at: Mapped[datetime | None] = mapped_column(server_default=func.now())
    completed_at: Mapped[datetime | None]
    error_message: Mapped[str | None]


class RetrainRun(Base):
    """The run that a retrain asks one Model for."""

    __tablename__ = "retrain_runs"
    __table_args__ = (Index(None, "model", "completed_at"), Index(None, "run"))

    retrain_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey(RetrainLog.id, ondelete="CASCADE"), primary_key=True
    )
    model: Mapped[str] = mapped_column(String(253), primary_key=True)
    run: Mapped[str] = mapped_column(String(63))
    """Of the TrainingJob: known before the operator creates it."""
    mode: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16), server_default=text("'initiated'"))
    started_at: Mapped[datetime | None]
    """When the TrainingJob was created."""
    completed_at: Mapped[datetime | None]
    error_message: Mapped[str | None]


class IdempotencyKey(Base):
    """A request with an Idempotency-Key: in flight while it has no status, answered with one."""

    __tablename__ = "idempotency_keys"

    id: Mapped[bytes] = mapped_column(primary_key=True)
    """SHA-256 of subject, method, path and key."""
    fingerprint: Mapped[bytes]
    """SHA-256 of what was asked for: query string, content type and body."""
    owner: Mapped[uuid.UUID]
    """The request that holds the key while it is in flight."""
    locked_until: Mapped[datetime]
    """When a request that has not answered is taken for dead."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    status: Mapped[int | None]
    headers: Mapped[list[list[str]] | None] = mapped_column(JSONB)
    body: Mapped[bytes | None]


class AlertState(StrEnum):
    """Where the delivery of an alert stands."""

    PENDING = "pending"
    """To be delivered, for the first time or again."""
    DELIVERED = "delivered"
    """The webhook's receiver has taken it."""
    DEAD = "dead"
    """Given up; an admin may ask for another delivery."""


class Alert(Base):
    """A failure that somebody should hear of: the outbox of the webhook."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index("alerts_created_at_idx", "created_at", "id"),
        Index("alerts_due_idx", "next_attempt_at", postgresql_where=text("state = 'pending'")),
        Index("alerts_state_idx", "state", "created_at", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=_ID)
    cause: Mapped[str] = mapped_column(unique=True)
    """What has failed: it leads to one alert, whoever sees it and however often."""
    type: Mapped[str] = mapped_column(String(50))
    occurred_at: Mapped[datetime]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    state: Mapped[AlertState] = mapped_column(String(16), server_default=text("'pending'"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    """When it was delivered or given up."""
    last_error: Mapped[str | None]
    announced_at: Mapped[datetime | None]
    """When the Models that it is about got their Kubernetes Events."""


class Alerting(Base):
    """One row: since when failures lead to alerts. What failed before is old news."""

    __tablename__ = "alerting"

    since: Mapped[datetime] = mapped_column(primary_key=True, server_default=func.now())


class Feedback(Base):
    """One request with true outcomes of a version's predictions: the outbox of their table."""

    __tablename__ = "feedback"
    __table_args__ = (
        Index(None, "model", "created_at"),
        Index(
            "feedback_unwritten_idx",
            "created_at",
            "id",
            postgresql_where=text("written_at IS NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    usuario_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(User.id))
    model: Mapped[str] = mapped_column(String(63))
    model_type: Mapped[str] = mapped_column(String(16))
    version: Mapped[str] = mapped_column(String(64))
    columns: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """Of the table: the version may be gone by the time that it is written."""
    object_key: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    written_at: Mapped[datetime | None]
    """When the table was in the object store."""


class FeedbackRow(Base):
    """What was known, what was predicted, and what came true."""

    __tablename__ = "feedback_rows"

    feedback_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey(Feedback.id, ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Of the row in its request, from 0."""
    features: Mapped[dict[str, Any]] = mapped_column(JSONB)
    prediction: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    outcome: Mapped[Any] = mapped_column(JSONB, nullable=False)
