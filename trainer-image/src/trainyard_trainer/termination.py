"""The last word of a run: its termination message and exit code."""

import os
from pathlib import Path

from trainyard_schema import EXIT_CODES, Reason, RunResult
from trainyard_schema.names import TERMINATION_LOG

_MAX_BYTES = 4096


def fit(result: RunResult) -> str:
    """The result as JSON below Kubernetes' limit, its message shortened where it must be."""
    text = result.to_json()
    message = result.message
    while len(text.encode()) >= _MAX_BYTES and message:
        message = message[: len(message) * 3 // 4]
        text = result.model_copy(update={"message": message + "…"}).to_json()
    return text


def failure(reason: Reason, message: str) -> RunResult:
    """The result of a run that left no version."""
    return RunResult(reason=reason, message=message[:2000])


def write(result: RunResult) -> int:
    """Leave the result for the kubelet to pick up; the exit code that goes with it."""
    path = Path(os.environ.get("TERMINATION_LOG", TERMINATION_LOG))
    path.write_text(fit(result), encoding="utf-8")
    return 0 if result.reason is None else EXIT_CODES[result.reason]
