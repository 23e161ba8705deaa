"""Feedback on predictions, as the family of the retrain document has it."""

import hashlib
import uuid
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

import anyio.to_thread
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from trainyard_schema.names import VERSION_PATTERN

from trainyard_api.auth import TrainerDep
from trainyard_api.deps import FeedbackDep, StoreDep
from trainyard_api.feedback.columns import Row, errors
from trainyard_api.feedback.versions import columns_of, find_version
from trainyard_api.http.problems import documented_failures, invalid
from trainyard_api.idempotency import IdempotentRoute
from trainyard_api.idempotency.keys import HEADER
from trainyard_api.trainings.requests import ModelName

router = APIRouter(prefix="/api", tags=["feedback"], route_class=IdempotentRoute)

# Of our own making, and never to change: a request that is sent again must find its rows.
_NAMESPACE: Final = uuid.UUID("d2a3b1c6-3f0e-5c57-8a39-57a1f6c0e9b4")

Value = Annotated[Any, WithJsonSchema({"type": ["string", "number", "boolean", "null"]})]
Outcome = Annotated[Any, WithJsonSchema({"type": ["string", "number", "boolean"]})]


class Given(Row):
    """A prediction's true outcome."""

    model_config = ConfigDict(extra="forbid")

    features: dict[str, Value] = Field(
        description="All columns that the version learned from, named as in its `schema.json`; "
        "null where a value is unknown. Columns that were excluded from its training may be there."
    )
    prediction: Value = Field(
        default=None, description="What was predicted: a class or a number, if you can tell."
    )
    outcome: Outcome = Field(description="What came true: a class of the version, or a number.")


class FeedbackRequest(BaseModel):
    """True outcomes of predictions that one version made."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "model": "churn",
                    "rows": [
                        {
                            "features": {"age": 31, "plan": "basic"},
                            "prediction": "no",
                            "outcome": "yes",
                        }
                    ],
                }
            ]
        },
    )

    model: ModelName
    version: str | None = Field(
        default=None,
        pattern=VERSION_PATTERN,
        max_length=64,
        description="Which version predicted; default: the champion, else the newest current one.",
    )
    rows: list[Given] = Field(min_length=1, max_length=1000)


class KeptFeedback(BaseModel):
    """What is kept now."""

    feedback_id: uuid.UUID
    model: str
    version: str
    rows: int = Field(description="Rows of this request.")
    uri: str = Field(
        description="What a training takes as its data: all feedback with the same columns."
    )
    written: bool = Field(
        description="Whether the rows are there by now. If not, they will be, without any doing."
    )


class FeedbackAnswer(BaseModel):
    """What became of feedback."""

    success: Literal[True] = True
    message: str
    data: KeptFeedback


@router.post(
    "/feedback",
    summary="Provide feedback on predictions",
    responses=documented_failures(
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)
async def give_feedback(
    request: Request,
    body: FeedbackRequest,
    store: StoreDep,
    feedback: FeedbackDep,
    identity: TrainerDep,
) -> FeedbackAnswer:
    """Keep what really came of predictions, and make it data to train on.

    Rows are checked against the version's `schema.json`; none is kept if one of them is wrong.
    """
    version = await find_version(store, body.model, body.version)
    columns = await columns_of(store, version)
    problems = await anyio.to_thread.run_sync(errors, columns, body.rows)
    if problems:
        raise invalid(problems)
    kept, written = await feedback.give(
        feedback_id=await _id_of(request, identity.subject),
        subject=identity.subject,
        version=version.key,
        columns=columns,
        rows=body.rows,
    )
    return FeedbackAnswer(
        message="Feedback recorded",
        data=KeptFeedback(
            feedback_id=kept.id,
            model=kept.model,
            version=kept.version,
            rows=len(body.rows),
            uri=store.bucket.uri(kept.object_key.rpartition("/")[0] + "/"),
            written=written,
        ),
    )


async def _id_of(request: Request, subject: str) -> uuid.UUID:
    """The same for a request that is sent again with its key: also where a replica was killed
    before it could remember the key.
    """
    idempotency_key = request.headers.get(HEADER)
    if idempotency_key is None:
        return uuid.uuid4()
    body = hashlib.sha256(await request.body()).hexdigest()
    return uuid.uuid5(_NAMESPACE, f"{len(subject)} {subject} {idempotency_key} {body}")
