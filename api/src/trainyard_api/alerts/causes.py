"""What leads to an alert, and what the alert says of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from trainyard_schema import Phase, names

from trainyard_api.cluster import Document
from trainyard_api.database.tables import RetrainLog, RetrainRun, RetrainStatus

_MESSAGE_LENGTH: Final = 2000
_RUN_MESSAGE_LENGTH: Final = 500
_MOST_RUNS: Final = 20


class AlertType(StrEnum):
    """What has happened."""

    RETRAINING_FAILED = "retraining.failed"
    """A retraining that somebody asked the API for did not come to its end."""
    RUN_FAILED = "run.failed"
    """A run of a Model ended Failed that no such retraining tells of."""


@dataclass(frozen=True, kw_only=True)
class Cause:
    """A failure that leads to one alert."""

    key: str
    """The same whoever sees the failure, and whenever."""
    type: AlertType
    occurred_at: datetime
    data: dict[str, Any]


def cause_of_run(job: Document) -> Cause | None:
    """The failure of a TrainingJob; None if it is of no Model or has not failed."""
    status, metadata = job.get("status") or {}, job["metadata"]
    if status.get("phase") != Phase.FAILED:
        return None
    model = _model_of(metadata)
    if model is None:
        return None
    ended = status.get("completionTime") or metadata["creationTimestamp"]
    return Cause(
        key=f"run/{metadata['uid']}",
        type=AlertType.RUN_FAILED,
        occurred_at=datetime.fromisoformat(ended),
        data={
            "model": model,
            "run": metadata["name"],
            "mode": job["spec"].get("mode"),
            "reason": status.get("reason"),
            "message": _told(status.get("message"), _MESSAGE_LENGTH),
        },
    )


def cause_of_retrain(
    log: RetrainLog, runs: Collection[RetrainRun], reasons: Mapping[str, str]
) -> Cause:
    """The failure of a retraining. `reasons`: of its failed runs, by name, where they are known."""
    failed = [run for run in runs if run.status != RetrainStatus.COMPLETED]
    only = failed[0] if len(runs) == 1 and failed else None
    assert log.completed_at is not None
    return Cause(
        key=f"retrain/{log.id}",
        type=AlertType.RETRAINING_FAILED,
        occurred_at=log.completed_at,
        data={
            "model": only.model if only else log.retrain_type,
            "run": only.run if only else None,
            "mode": "full" if log.full_retrain else "incremental",
            "reason": reasons.get(only.run) if only else None,
            "message": _told(log.error_message, _MESSAGE_LENGTH),
            "retrain_id": str(log.id),
            "user_id": str(log.usuario_id),
            "runs": [
                {
                    "model": run.model,
                    "run": run.run,
                    "mode": run.mode,
                    "reason": reasons.get(run.run),
                    "message": _told(run.error_message, _RUN_MESSAGE_LENGTH),
                }
                for run in failed[:_MOST_RUNS]
            ],
        },
    )


def _model_of(metadata: Mapping[str, Any]) -> str | None:
    for owner in metadata.get("ownerReferences") or []:
        group = owner["apiVersion"].partition("/")[0]
        if (group, owner["kind"]) == (names.GROUP, names.MODEL_KIND):
            name: str = owner["name"]
            return name
    return None


def _told(message: str | None, length: int) -> str | None:
    # Postgres keeps no NUL.
    return None if message is None else message.replace("\0", "")[:length]
