"""Errors as RFC 9457 problem details, whatever went wrong.

The paths of the retrain document have a shape of their own, which the document gives:
`{"success": false, "error": …, "details": …}`. Which one a path has is decided here alone.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any, Final, Literal

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"
_path: ContextVar[str] = ContextVar("path", default="")


@contextmanager
def answering(path: str) -> Iterator[None]:
    """Errors within are answers to a request for `path`."""
    token = _path.set(path)
    try:
        yield
    finally:
        _path.reset(token)


def is_of_retrain_document(path: str) -> bool:
    """POST /api/retrain, its related endpoints, and what a backend calls: POST /retrain."""
    return path == "/retrain" or (path.startswith("/api/") and not path.startswith("/api/v1/"))


class FieldError(BaseModel):
    """What is wrong with one field of the request."""

    field: str = Field(description="Path of the field, such as hyperparameters.max_depth.")
    message: str


class ProblemDetails(BaseModel):
    """RFC 9457 problem details."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "There is no training job train-xgboost-1f2e3d4c.",
                    "request_id": "5f0c6a1b9d8e4f7a8b6c5d4e3f2a1b0c",
                }
            ]
        }
    )

    type: str = "about:blank"
    title: str = Field(description="The HTTP status in words.")
    status: int
    detail: str = Field(description="What happened and what to do about it.")
    errors: list[FieldError] = Field(default_factory=list, description="By field, if known.")
    request_id: str | None = Field(default=None, description="To be found in the API's log.")


class Failure(BaseModel):
    """An error on the paths of the retrain document."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "success": False,
                    "error": "Unauthorized",
                    "details": "No valid JWT token provided",
                }
            ]
        }
    )

    success: Literal[False] = False
    error: str = Field(description="What went wrong, in the words of the retrain document.")
    details: str = Field(description="What happened and what to do about it.")


class ErrorResponse(JSONResponse):
    """JSON that can repeat whatever the request had in it."""

    def render(self, content: Any) -> bytes:
        """The bytes; half of a surrogate pair stays the escape that it came as."""
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace")


class Problem(HTTPException):
    """An error to answer with. `detail` says what happened and what to do about it."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        errors: list[FieldError] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status_code=status.value, detail=detail, headers=headers)
        self.errors = errors or []


def unavailable(detail: str, *, retry_after_seconds: int) -> Problem:
    """503: something that the API depends on does not answer for now."""
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": str(retry_after_seconds)}
    )


def problem_response(
    status: int,
    detail: str,
    *,
    errors: list[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The error as a response, in the shape that the request's path has."""
    path = _path.get()
    if is_of_retrain_document(path):
        return _failure_response(path, status, detail, headers)
    document = ProblemDetails(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        errors=errors or [],
        request_id=structlog.contextvars.get_contextvars().get("request_id"),
    )
    members = document.model_dump(mode="json")
    return ErrorResponse(
        {name: value for name, value in members.items() if value not in (None, [])},
        status_code=status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )


_MOST_ERRORS: Final = 20
_RETRAIN_PATHS: Final = ("/api/retrain", "/retrain")
_INITIATE: Final = "Failed to initiate model retraining"


def _failure_response(
    path: str, status: int, detail: str, headers: Mapping[str, str] | None
) -> JSONResponse:
    error = HTTPStatus(status).phrase
    if status == HTTPStatus.UNAUTHORIZED:
        # The document's words; WWW-Authenticate says what is wrong with a token.
        kind = "service" if path == "/retrain" else "JWT"
        detail = f"No valid {kind} token provided"
    elif path in _RETRAIN_PATHS and status == HTTPStatus.GATEWAY_TIMEOUT:
        status, error = HTTPStatus.INTERNAL_SERVER_ERROR, _INITIATE
        detail = "Timeout waiting for Python service"
    elif path in _RETRAIN_PATHS and status == HTTPStatus.INTERNAL_SERVER_ERROR:
        error = _INITIATE
    failure = Failure(error=error, details=detail)
    return ErrorResponse(failure.model_dump(), status_code=int(status), headers=headers)


def invalid(errors: list[FieldError]) -> Problem:
    """422: the request is understood and makes no sense; each error names its field."""
    detail = "; ".join(f"{error.field}: {error.message}" for error in errors)
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors)


def _field_error(item: Mapping[str, Any]) -> FieldError:
    where = [str(part) for part in item["loc"]]
    # Where in the request a field is, is told by its name; only a body that is no JSON has none.
    named = where[1:] if len(where) > 1 else where
    return FieldError(field=".".join(named), message=item["msg"].removeprefix("Value error, "))


async def _on_http_exception(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem_response(
        error.status_code,
        error.detail,
        errors=error.errors if isinstance(error, Problem) else None,
        headers=error.headers,
    )


async def _on_invalid_request(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    # A list of rows may have as many errors as rows; nobody reads them all.
    problem = invalid([_field_error(item) for item in found[:_MOST_ERRORS]])
    return problem_response(problem.status_code, problem.detail, errors=problem.errors)


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)


def documented_failures(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """The same as `documented`, for an operation on the paths of the retrain document."""
    return {status.value: {"description": status.phrase, "model": Failure} for status in statuses}


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an operation that may end in these errors, for its OpenAPI."""
    return {
        status.value: {
            "description": status.phrase,
            "model": ProblemDetails,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
        }
        for status in statuses
    }
