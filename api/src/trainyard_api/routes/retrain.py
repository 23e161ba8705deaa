"""The retrain endpoint, to the letter of its document, and what an existing backend calls."""

from datetime import UTC
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Body
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, StrictBool, field_validator

from trainyard_api.auth import ServiceDep, TrainerDep
from trainyard_api.cluster import UnavailableError
from trainyard_api.database import DatabaseUnavailableError
from trainyard_api.deps import ClusterDep, RetrainingDep
from trainyard_api.http.problems import Failure, documented_failures
from trainyard_api.idempotency import IdempotentRoute
from trainyard_api.retraining.requests import (
    ALL,
    SERVICE,
    LimitError,
    RetrainError,
    RetrainRequest,
)

router = APIRouter(tags=["retraining"], route_class=IdempotentRoute)
# Backends send no Idempotency-Key, and their token is none that the key could belong to.
service_router = APIRouter(tags=["retraining"])

_NOT_AVAILABLE: Final = "Python service not available"
_ERROR: Final = "Python service error"
_FAILED: Final = "Failed to initiate model retraining"
_MESSAGE: Final = "Retreinamento iniciado"
_SUBJECT_LENGTH: Final = 256


def _printable(text: str) -> str:
    # Also keeps out what Postgres cannot store: NUL and half of a surrogate pair.
    if not text.isprintable():
        raise ValueError("must be printable")
    return text


class RetrainBody(BaseModel):
    """What to retrain, and how. Everything is optional."""

    model_config = ConfigDict(
        extra="forbid",
        protected_namespaces=(),
        json_schema_extra={"examples": [{"full_retrain": False, "model_type": "all"}]},
    )

    full_retrain: StrictBool = Field(
        default=False,
        description="true trains from scratch; false continues from the champion, on its data.",
    )
    model_type: str = Field(
        default=ALL,
        min_length=1,
        max_length=253,
        description="The name of a Model such as probability, factors or comparison; all: every "
        'Model with the label trainyard.dev/retrainable="true".',
    )

    @field_validator("model_type")
    @classmethod
    def _one_line(cls, value: str) -> str:
        return _printable(value)


class ServiceBody(RetrainBody):
    """The same on behalf of a user of the backend that asks."""

    model_config = ConfigDict(
        # Backends send more than the document says.
        extra="ignore",
        json_schema_extra={
            "examples": [{"user_id": "uuid-12345", "full_retrain": False, "model_type": "all"}]
        },
    )

    user_id: str | None = Field(
        default=None,
        max_length=_SUBJECT_LENGTH,
        description="For whom; limits and audit are theirs. Absent: the backend itself.",
    )

    @field_validator("user_id", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return str(value) if is_number else value

    @field_validator("user_id")
    @classmethod
    def _one_line_if_any(cls, value: str | None) -> str | None:
        return _printable(value) if value else None

    @field_validator("full_retrain", mode="before")
    @classmethod
    def _absent_is_false(cls, value: Any) -> Any:
        return False if value is None else value

    @field_validator("model_type", mode="before")
    @classmethod
    def _absent_is_all(cls, value: Any) -> Any:
        return ALL if value is None else value


class PythonResponse(BaseModel):
    """A retrain that has begun."""

    status: Literal["processing"] = "processing"
    job_id: str = Field(description="To be looked up by GET /api/v1/retrains/{job_id}.")
    estimated_time: int = Field(description="Seconds, judged by past runs.")


class Initiated(BaseModel):
    """What was begun for whom."""

    user_id: str
    retrain_type: str
    full_retrain: bool
    python_response: PythonResponse
    initiated_at: str


class RetrainResponse(BaseModel):
    """The document's answer."""

    success: Literal[True] = True
    message: str = _MESSAGE
    data: Initiated


class ServiceFailure(Failure):
    """An error of what trains."""

    service_url: str | None = Field(default=None, description="The API server, if it is away.")
    status: int | None = Field(default=None, description="What the service would answer itself.")


_RESPONSES: dict[int | str, dict[str, Any]] = {
    **documented_failures(
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.INTERNAL_SERVER_ERROR,
    ),
    429: {
        "description": "Too many requests, of this user or of all.",
        "model": Failure,
        "headers": {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}},
    },
    503: {"description": "Service Unavailable", "model": ServiceFailure},
}


@router.post(
    "/api/retrain",
    response_model=RetrainResponse,
    summary="Retrain models",
    responses=_RESPONSES,
)
async def retrain(
    retraining: RetrainingDep,
    cluster: ClusterDep,
    identity: TrainerDep,
    body: Annotated[RetrainBody | None, Body()] = None,
) -> Any:
    """Ask one Model, or all that are marked for it, for a run.

    One request a minute for each user, ten at a time for all. Follow it by
    GET /api/v1/retrains/{job_id}.
    """
    body = body or RetrainBody()
    request = RetrainRequest(
        subject=identity.subject, model_type=body.model_type, full=body.full_retrain
    )
    try:
        started = await retraining.start(request)
    except UnavailableError as error:
        return _failure(503, _NOT_AVAILABLE, str(error), service_url=cluster.url)
    except RetrainError as error:
        return _failure(503, _ERROR, str(error), status=error.status)
    except LimitError as error:
        return _too_many(error)
    except DatabaseUnavailableError as error:
        return _failure(500, _FAILED, str(error))
    created = started.admitted.created_at.astimezone(UTC)
    return RetrainResponse(
        data=Initiated(
            user_id=str(started.admitted.user),
            retrain_type=body.model_type,
            full_retrain=body.full_retrain,
            python_response=PythonResponse.model_validate(started.answer),
            initiated_at=f"{created:%Y-%m-%dT%H:%M:%S}.{created.microsecond // 1000:03}Z",
        )
    )


@service_router.post(
    "/retrain",
    response_model=PythonResponse,
    summary="Retrain models, for a backend",
    responses=_RESPONSES | documented_failures(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
async def retrain_for_backend(
    retraining: RetrainingDep,
    cluster: ClusterDep,
    _: ServiceDep,
    body: Annotated[ServiceBody | None, Body()] = None,
) -> Any:
    """What a backend calls that was written for `PYTHON_SERVICE_URL`. Limits are the user's."""
    body = body or ServiceBody()
    request = RetrainRequest(
        subject=body.user_id or SERVICE, model_type=body.model_type, full=body.full_retrain
    )
    try:
        started = await retraining.start(request)
    except UnavailableError as error:
        return _failure(503, _NOT_AVAILABLE, str(error), service_url=cluster.url)
    except RetrainError as error:
        # The backend puts this status and these details into an answer of its own.
        return _failure(error.status, str(error), str(error), status=error.status)
    except LimitError as error:
        return _too_many(error)
    except DatabaseUnavailableError as error:
        return _failure(500, _FAILED, str(error))
    return PythonResponse.model_validate(started.answer)


def _failure(
    code: int, error: str, details: str, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    failure = ServiceFailure(error=error, details=details, **more)
    return JSONResponse(failure.model_dump(exclude_none=True), status_code=code, headers=headers)


def _too_many(error: LimitError) -> JSONResponse:
    seconds = error.retry_after_seconds
    return _failure(
        429,
        HTTPStatus.TOO_MANY_REQUESTS.phrase,
        f"{error}; try again in {seconds} s",
        {"Retry-After": str(seconds)},
    )


router.include_router(service_router)
