"""What the history says of a retraining, and of the runs that it asked for."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Self

from pydantic import Field
from trainyard_schema import Outcome

from trainyard_api.database.tables import Analysis, RetrainRun
from trainyard_api.history.entries import Entry
from trainyard_api.trainings.views import View

RETRAIN = "retrain"
"""The type of a retraining; other activities have the `tipo` of their row."""
Document = Mapping[str, Any]


class HistoryMetric(View):
    """The first metric of a run's best version."""

    name: str = Field(examples=["roc_auc"])
    value: float

    @classmethod
    def of(cls, text: str | None) -> Self | None:
        """The metric of a status: name=value."""
        name, _, value = (text or "").partition("=")
        try:
            return cls(name=name, value=float(value))
        except ValueError:
            return None


class HistoryVerdict(View):
    """What became of a run's version; where nothing has been decided, what its gate found."""

    outcome: str = Field(
        description="Promoted, Rejected, AwaitingApproval or Unchanged; else Passed, NotPassed or "
        "Undecided."
    )
    reasons: list[str]


class HistoryRun(View):
    """What was asked of one Model."""

    model: str
    run: str = Field(description="The TrainingJob, whether it is still there or not.")
    mode: str = Field(description="full or incremental.")
    status: str
    error: str | None
    started_at: datetime | None
    completed_at: datetime | None
    metric: HistoryMetric | None = Field(description="Null where the cluster knows none anymore.")
    verdict: HistoryVerdict | None = Field(
        description="Null where the cluster knows none anymore, or there is none."
    )

    @classmethod
    def of(cls, run: RetrainRun, *, job: Document | None, model: Document | None) -> Self:
        """The view of a run. `job`, `model`: its TrainingJob and its Model, if they are there."""
        job_status, model_status = _status(job), _status(model)
        return cls(
            model=run.model,
            run=run.run,
            mode=run.mode,
            status=run.status,
            error=run.error_message,
            started_at=run.started_at,
            completed_at=run.completed_at,
            metric=HistoryMetric.of(_metric(run.run, job_status, model_status)),
            verdict=_decided(run.run, model_status) or _found(job_status),
        )


class HistoryEntry(View):
    """A retraining, or another activity."""

    id: uuid.UUID
    type: str = Field(description="retrain, or what another activity is called.")
    user_id: uuid.UUID
    user: str = Field(description="Subject of the token, or the user_id of POST /retrain.")
    created_at: datetime
    completed_at: datetime | None = None
    status: str | None = Field(
        default=None,
        description="initiated, processing, completed or failed; null: not a retraining.",
    )
    error: str | None = None
    model_type: str | None = Field(
        default=None, description="What was asked for: all, or the name of a Model."
    )
    full_retrain: bool | None = None
    models: list[HistoryRun] = Field(default_factory=list)
    details: dict[str, Any] | None = Field(
        default=None, description="Of an activity that is no retraining."
    )

    @classmethod
    def of(
        cls, entry: Entry, *, jobs: Mapping[str, Document], models: Mapping[str, Document]
    ) -> Self:
        """The view of an entry. `jobs`, `models`: what the cluster has, by name."""
        row, (time, identifier) = entry.row, entry.moment
        asked = partial(
            cls,
            id=identifier,
            user_id=entry.user.id,
            user=entry.user.subject,
            created_at=time,
        )
        if isinstance(row, Analysis):
            return asked(type=row.tipo, details=row.detalhes)
        return asked(
            type=RETRAIN,
            completed_at=row.completed_at,
            status=row.status,
            error=row.error_message,
            model_type=row.retrain_type,
            full_retrain=row.full_retrain,
            models=[
                HistoryRun.of(run, job=jobs.get(run.run), model=models.get(run.model))
                for run in entry.runs
            ],
        )


def _status(document: Document | None) -> Document:
    return (document or {}).get("status") or {}


def _metric(run: str, job: Document, model: Document) -> str | None:
    """As name=value: from the TrainingJob, else from what its Model keeps of it."""
    kept = [model.get(name) or {} for name in ("lastSuccessfulRun", "lastRun")]
    found = [job.get("primaryMetric")]
    found += [one.get("primaryMetric") for one in kept if one.get("name") == run]
    found += [one.get("metric") for one in _versions(model) if one.get("run") == run]
    return next((text for text in found if text), None)


def _versions(model: Document) -> list[Document]:
    named = [model.get("lastVerdict"), model.get("champion"), model.get("previous")]
    return [one for one in [*named, *(model.get("candidates") or [])] if one]


def _decided(run: str, model: Document) -> HistoryVerdict | None:
    """The decision of the operator, or of a person, that the Model still tells of."""
    last = model.get("lastVerdict") or {}
    if last.get("run") == run:
        return HistoryVerdict(outcome=last["outcome"], reasons=last.get("reasons") or [])
    for candidate in model.get("candidates") or []:
        if candidate.get("run") == run:
            return HistoryVerdict(
                outcome=Outcome.AWAITING_APPROVAL, reasons=candidate.get("reasons") or []
            )
    for transition in model.get("history") or []:
        if (transition.get("to") or {}).get("run") == run:
            return HistoryVerdict(outcome=Outcome.PROMOTED, reasons=[])
    return None


def _found(job: Document) -> HistoryVerdict | None:
    """What the gate found out in the run: the best of its versions counts."""
    verdicts = job.get("verdicts") or []
    if not verdicts:
        return None
    best = next((one for one in verdicts if one.get("passed")), verdicts[0])
    if best.get("passed"):
        outcome = "Passed"
    else:
        outcome = "Undecided" if best.get("undecided") else "NotPassed"
    return HistoryVerdict(outcome=outcome, reasons=best.get("reasons") or [])
