"""Failures of commands, and what they tell the shell."""

from enum import IntEnum
from typing import Final

from trainyard_client.errors import (
    ApiError,
    ForbiddenError,
    NotFoundError,
    TooManyRequestsError,
    TrainyardError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)
from trainyard_client.views import Status


class Exit(IntEnum):
    """Exit codes. 2 is the shell's own word for wrong usage."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    FAILED = 3
    CANCELLED = 4
    TIMED_OUT = 5
    INTERRUPTED = 130


EXIT_OF_STATUS: Final = {
    Status.COMPLETED: Exit.DONE,
    Status.FAILED: Exit.FAILED,
    Status.CANCELLED: Exit.CANCELLED,
}

EXITS: Final = """Exit codes: 0 done, or completed; 1 refused, or no answer; 2 wrong usage.
Of what was waited for: 3 failed; 4 cancelled; 5 not ended within --timeout."""


class CommandError(Exception):
    """A command that cannot do its work. The message says what to do."""

    def __init__(self, message: str, code: Exit = Exit.ERROR) -> None:
        super().__init__(message)
        self.code: Final = code


def explain(error: TrainyardError, program: str) -> str:
    """What happened, and what to do about it."""
    lines = [str(error)]
    if isinstance(error, ApiError):
        # The detail of an invalid request names one field after the other.
        if len(error.problem.errors) > 1:
            lines = [f"{one.field}: {one.message}" for one in error.problem.errors]
        if hint := _hint(error, program):
            lines.append(hint)
        if error.problem.request_id and error.status >= 500:
            lines.append(f"The API's log has it under request {error.problem.request_id}.")
    elif isinstance(error, UnreachableError):
        lines.append(
            f"Is that the right address, and is the API up? Another: {program} --url URL, or "
            f"{program} login URL"
        )
    return "\n".join(lines)


def _hint(error: ApiError, program: str) -> str:
    match error:
        case UnauthorizedError():
            return (
                f"Give a valid token: {program} login URL, or TRAINYARD_TOKEN. See: {program} token"
            )
        case ForbiddenError():
            return f"Your role is shown by: {program} token"
        case TooManyRequestsError() | UnavailableError() if error.retry_after:
            return f"Try again in {error.retry_after:g} s."
        case NotFoundError() if "not as a Trainyard API does" in str(error):
            return "Is the address that of the API's root, and the API as new as this program?"
    return ""
