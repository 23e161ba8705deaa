"""Retrains as /api/v1 shows them."""

import uuid
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from trainyard_api.database.tables import Status
from trainyard_api.retraining.records import Record
from trainyard_api.retraining.requests import request_value


class RunView(BaseModel):
    """The run of one Model."""

    model_config = ConfigDict(from_attributes=True, protected_namespaces=())

    model: str
    run: str = Field(description="The TrainingJob: GET /api/v1/jobs/{name}.")
    mode: Literal["full", "incremental"]
    status: Status
    started_at: datetime | None = Field(description="Null until the Model starts its run.")
    completed_at: datetime | None
    error_message: str | None


class RetrainView(BaseModel):
    """A request to retrain, and what has become of it."""

    model_config = ConfigDict(
        protected_namespaces=(),
        json_schema_extra={
            "examples": [
                {
                    "id": "0b1c2d3e-4f5a-4b6c-8d7e-9f0a1b2c3d4e",
                    "job_id": "retrain-0b1c2d3e-4f5a-4b6c-8d7e-9f0a1b2c3d4e",
                    "user_id": "5f0c6a1b-9d8e-5f7a-8b6c-5d4e3f2a1b0c",
                    "requester": "ada",
                    "model_type": "factors",
                    "full_retrain": True,
                    "status": "completed",
                    "created_at": "2026-01-04T10:30:45.123Z",
                    "completed_at": "2026-01-04T10:32:01.456Z",
                    "error_message": None,
                    "runs": [
                        {
                            "model": "factors",
                            "run": "factors-1f2e3d4c5b",
                            "mode": "full",
                            "status": "completed",
                            "started_at": "2026-01-04T10:30:46Z",
                            "completed_at": "2026-01-04T10:32:01Z",
                            "error_message": None,
                        }
                    ],
                }
            ]
        },
    )

    id: uuid.UUID
    job_id: str
    user_id: uuid.UUID
    requester: str = Field(description="The subject of the token, or a backend's user_id.")
    model_type: str = Field(description="all, or the Model's name; cut off after 50 characters.")
    full_retrain: bool
    status: Status
    created_at: datetime
    completed_at: datetime | None
    error_message: str | None
    runs: list[RunView]

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
            status=Status(log.status or Status.INITIATED),
            created_at=log.created_at,
            completed_at=log.completed_at,
            error_message=log.error_message,
            runs=[RunView.model_validate(run) for run in record.runs],
        )
