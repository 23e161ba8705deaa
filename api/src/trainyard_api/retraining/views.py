"""Retrains as /api/v1 shows them."""

import uuid
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from trainyard_api.database.tables import RetrainStatus
from trainyard_api.retraining.records import Record
from trainyard_api.retraining.requests import request_value


class RequestedRunView(BaseModel):
    """The run of one Model."""

    model_config = ConfigDict(from_attributes=True, protected_namespaces=())

    model: str
    run: str = Field(description="The TrainingJob: GET /api/v1/jobs/{name}.")
    mode: Literal["full", "incremental"]
    status: RetrainStatus
    started_at: datetime | None = Field(description="Null until the Model starts its run.")
    completed_at: datetime | None
    error_message: str | None


class RetrainView(BaseModel):
    """A request to retrain, and what has become of it."""

    model_config = ConfigDict(protected_namespaces=())

    id: uuid.UUID
    job_id: str
    user_id: uuid.UUID
    requester: str = Field(description="The subject of the token, or a backend's user_id.")
    model_type: str = Field(description="all, or the Model's name; cut off after 50 characters.")
    full_retrain: bool
    status: RetrainStatus
    created_at: datetime
    completed_at: datetime | None
    error_message: str | None
    runs: list[RequestedRunView]

    @classmethod
    def of(cls, record: Record) -> Self:
        """The view of a row."""
        log = record.log
        assert log.created_at is not None
        return cls(
            id=log.id,
            job_id=request_value(log.id),
            user_id=log.usuario_id,
            requester=record.subject,
            model_type=log.retrain_type or "",
            full_retrain=bool(log.full_retrain),
            status=RetrainStatus(log.status or RetrainStatus.INITIATED),
            created_at=log.created_at,
            completed_at=log.completed_at,
            error_message=log.error_message,
            runs=[RequestedRunView.model_validate(run) for run in record.runs],
        )
