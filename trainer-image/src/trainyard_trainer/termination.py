"""The last word of a run: its termination message and exit code."""

import os
from pathlib import Path

from trainyard_schema import EXIT_CODES, Reason, RunResult
from trainyard_schema.names import TERMINATION_LOG

_MAX_BYTES = 4096
_MOST_CHARACTERS = 2000
_LEAST_CHARACTERS = 20


def fit(result: RunResult) -> str:
    """The result as JSON below Kubernetes' limit: where it must be, the reasons of its verdict are
    shortened, which `verdict.json` has in full, and its message.
    """
    length = _MOST_CHARACTERS
    while len(result.to_json().encode()) >= _MAX_BYTES and length >= _LEAST_CHARACTERS:
        length = length * 3 // 4
        result = _shortened(result, length)
    return result.to_json()


def _shortened(result: RunResult, length: int) -> RunResult:
    """Its message, and each reason of its verdict, cut to a number of characters."""
    verdict = result.verdict
    if verdict is not None:
        reasons = [_cut(reason, length) for reason in verdict.reasons]
        if length < _LEAST_CHARACTERS:
            # A URI as long as that is none under which Trainyard files versions.
            reasons, verdict = [], verdict.model_copy(update={"champion": None})
        verdict = verdict.model_copy(update={"reasons": reasons})
    message = _cut(result.message, length)
    return result.model_copy(update={"verdict": verdict, "message": message})


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def failure(reason: Reason, message: str) -> RunResult:
    """The result of a run that left no version."""
    return RunResult(reason=reason, message=message[:2000])


def write(result: RunResult) -> int:
    """Leave the result for the kubelet to pick up; the exit code that goes with it."""
    path = Path(os.environ.get("TERMINATION_LOG", TERMINATION_LOG))
    path.write_text(fit(result), encoding="utf-8")
    return 0 if result.reason is None else EXIT_CODES[result.reason]
