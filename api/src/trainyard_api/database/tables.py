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


class Status(StrEnum):
    """Where a retrain, or its run of one Model, stands."""

    INITIATED = "initiated"
    """Written down; the Model has not been asked yet."""
    PROCESSING = "processing"
    """The Model has been asked; a run waits, or goes on."""
    COMPLETED = "completed"
    FAILED = "failed"


OPEN: Final = (Status.INITIATED, Status.PROCESSING)
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
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=_ID)
    usuario_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(User.id))
    retrain_type: Mapped[str | None] = mapped_column(String(50))
    """`all` or the name of a Model, cut off where it is longer; `retrain_runs` has it whole."""
    full_retrain: Mapped[bool | None] = mapped_column(server_default=false())
    python_response: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    status: Mapped[Status | None] = mapped_column(String(50), server_default=text("'initiated'"))
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
    status: Mapped[Status] = mapped_column(String(16), server_default=text("'initiated'"))
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
