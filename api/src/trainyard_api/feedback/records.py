"""The rows of feedback in Postgres. Each function works in its caller's transaction."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from trainyard_schema import VersionKey

from trainyard_api.database.tables import Analysis, Feedback, FeedbackRow, User
from trainyard_api.feedback.columns import Columns, Row
from trainyard_api.retraining.requests import user_id

ACTIVITY: Final = "feedback"
"""What the history calls it."""
# Until then, the request itself is at it. To write twice would be no error, only of no use.
_GRACE: Final = timedelta(seconds=5)

Position = tuple[datetime, uuid.UUID]


async def record(
    session: AsyncSession,
    *,
    feedback_id: uuid.UUID,
    subject: str,
    version: VersionKey,
    columns: Columns,
    object_key: str,
    rows: Sequence[Row],
) -> Feedback:
    """Write a request down, or find it where it was written down before."""
    user = user_id(subject)
    await session.execute(insert(User).values(id=user, subject=subject).on_conflict_do_nothing())
    created = await session.scalar(
        insert(Feedback)
        .values(
            id=feedback_id,
            usuario_id=user,
            model=version.model,
            model_type=str(version.model_type),
            version=version.version,
            columns=columns.model_dump(mode="json"),
            object_key=object_key,
        )
        .on_conflict_do_nothing(index_elements=[Feedback.id])
        .returning(Feedback.id)
    )
    if created is not None:
        await session.execute(
            insert(FeedbackRow),
            [
                {"feedback_id": feedback_id, "number": number, **row.model_dump()}
                for number, row in enumerate(rows)
            ],
        )
        details = {
            "feedback_id": str(feedback_id),
            "model": version.model,
            "version": version.version,
            "rows": len(rows),
        }
        session.add(Analysis(usuario_id=user, tipo=ACTIVITY, detalhes=details))
    return await session.get_one(Feedback, feedback_id)


async def rows_of(session: AsyncSession, feedback_id: uuid.UUID) -> list[Row]:
    """The rows of a request, in their order."""
    found = await session.scalars(
        select(FeedbackRow)
        .where(FeedbackRow.feedback_id == feedback_id)
        .order_by(FeedbackRow.number)
    )
    return [
        Row(features=one.features, prediction=one.prediction, outcome=one.outcome) for one in found
    ]


async def next_unwritten(session: AsyncSession, after: Position | None) -> Feedback | None:
    """The oldest request after a position whose table is not in the store, held until the
    transaction ends; others write others.
    """
    query = select(Feedback).where(
        Feedback.written_at.is_(None), Feedback.created_at < func.now() - _GRACE
    )
    if after is not None:
        query = query.where(tuple_(Feedback.created_at, Feedback.id) > tuple_(*after))
    query = query.order_by(Feedback.created_at, Feedback.id).limit(1)
    found: Feedback | None = await session.scalar(query.with_for_update(skip_locked=True))
    return found


async def mark_written(session: AsyncSession, feedback_id: uuid.UUID) -> None:
    """The table of a request is in the store."""
    await session.execute(
        update(Feedback)
        .where(Feedback.id == feedback_id, Feedback.written_at.is_(None))
        .values(written_at=func.clock_timestamp())
    )
