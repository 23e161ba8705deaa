"""What can go wrong between a program and the API."""

from collections.abc import Mapping
from typing import Any, Final

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class FieldError(BaseModel):
    """What is wrong with one field of the request."""

    model_config = ConfigDict(extra="allow", frozen=True)

    field: str
    message: str


class ProblemDetails(BaseModel):
    """RFC 9457 problem details, as the API answers with them."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    errors: tuple[FieldError, ...] = Field(default=(), description="By field, if known.")
    request_id: str | None = Field(default=None, description="To be found in the API's log.")


class TrainyardError(Exception):
    """The base of all errors of this package. The message says what happened."""


class UnreachableError(TrainyardError):
    """No answer came: no connection, one that broke, or none in time."""


class WaitTimeoutError(TrainyardError, TimeoutError):
    """What was waited for has not ended in time. It goes on without being watched."""


class ApiError(TrainyardError):
    """The API answered with an error."""

    def __init__(self, problem: ProblemDetails, *, retry_after: float | None = None) -> None:
        super().__init__(problem.detail or problem.title)
        self.problem: Final = problem
        self.retry_after: Final = retry_after
        """Seconds after which asking again makes sense, if the API told."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status


class UnauthorizedError(ApiError):
    """401: there is no token, or it is not valid (any more)."""


class ForbiddenError(ApiError):
    """403: the token's role may not do this."""


class NotFoundError(ApiError):
    """404: there is nothing of this name."""


class ConflictError(ApiError):
    """409: it cannot be done in the state that things are in."""


class TooLargeError(ApiError):
    """413: more bytes than the API takes."""


class InvalidRequestError(ApiError):
    """400 or 422: the request makes no sense. `problem.errors` names the fields."""


class TooManyRequestsError(ApiError):
    """429: a limit is reached until `retry_after`."""


class UnavailableError(ApiError):
    """502, 503 or 504: the API, or something that it needs, is away for now."""


_KINDS: Final[Mapping[int, type[ApiError]]] = {
    400: InvalidRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    413: TooLargeError,
    422: InvalidRequestError,
    429: TooManyRequestsError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}


def error_of(response: httpx.Response) -> ApiError:
    """The error that an answer stands for. The body must have been read."""
    kind = _KINDS.get(response.status_code, ApiError)
    return kind(_problem(response), retry_after=_retry_after(response))


def _problem(response: httpx.Response) -> ProblemDetails:
    status, title = response.status_code, response.reason_phrase or "Error"
    try:
        document: Any = response.json()
        # The retrain document's own shape.
        if isinstance(document, dict) and "success" in document:
            title, detail = str(document["error"]), str(document.get("details", ""))
            return ProblemDetails(title=title, status=status, detail=detail)
        return ProblemDetails.model_validate({"title": title, "status": status, **document})
    except (ValueError, TypeError, KeyError, ValidationError):
        # Not the API but something before it, or no API of ours at all.
        return ProblemDetails(
            title=title,
            status=status,
            detail=f"{response.request.url.copy_with(query=None)} answered {status} {title}, "
            "and not as a Trainyard API does",
        )


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None
