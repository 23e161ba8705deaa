"""How much feedback there is of each version, and how right its predictions were."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Numeric, and_, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.elements import ColumnElement

from trainyard_api.database.tables import Feedback, FeedbackRow


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All feedback on one version."""

    version: str
    model_type: str
    object_key: str
    """Of one of its tables; the others are beside it."""
    rows: int
    unwritten: int
    """Rows that are not in the object store yet."""
    predicted: int
    """Rows that tell what was predicted."""
    accuracy: float | None
    """Share of these whose prediction was the outcome; None: there are none, or it is no class."""
    mean_absolute_error: float | None
    """The same of a version that predicts numbers."""
    first_at: datetime
    last_at: datetime


async def of_versions(session: AsyncSession, model: str) -> list[Summary]:
    """Of all versions of a model that there is feedback on, the latest first."""
    predicted, outcome = FeedbackRow.prediction, FeedbackRow.outcome
    is_class = func.jsonb_array_length(Feedback.columns["classes"]) > 0
    difference: ColumnElement[float] = func.abs(_number(predicted) - _number(outcome))
    query = (
        select(
            Feedback.version,
            Feedback.model_type,
            func.max(Feedback.object_key),
            func.count(),
            func.count().filter(Feedback.written_at.is_(None)),
            func.count(predicted),
            func.count().filter(and_(is_class, predicted == outcome)),
            func.bool_or(is_class),
            func.avg(difference),
            func.min(Feedback.created_at),
            func.max(Feedback.created_at),
        )
        .join(FeedbackRow, FeedbackRow.feedback_id == Feedback.id)
        .where(Feedback.model == model)
        .group_by(Feedback.version, Feedback.model_type)
        .order_by(Feedback.version.desc(), Feedback.model_type.desc())
    )
    return [
        Summary(
            version=version,
            model_type=model_type,
            object_key=object_key,
            rows=rows,
            unwritten=unwritten,
            predicted=told,
            accuracy=right / told if told and classes else None,
            mean_absolute_error=None if classes or error is None else float(error),
            first_at=first_at,
            last_at=last_at,
        )
        for (
            version, model_type, object_key, rows, unwritten, told, right, classes, error,
            first_at, last_at,
        ) in await session.execute(query)
    ]  # fmt: skip


def _number(value: InstrumentedAttribute[Any]) -> ColumnElement[float]:
    """A number in JSON as one of SQL; null for all else, which could not be cast."""
    return case((func.jsonb_typeof(value) == "number", value.cast(Numeric)))
