"""Requests about a champion: annotations of the Model, which the operator answers.

Each has an id, so that it is new to the operator, and can be found again.
"""

import secrets
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from pydantic import Field
from trainyard_schema import names

from trainyard_api.trainings.views import View

Kind = Literal["retrain", "promote", "reject", "rollback"]
Decision = Literal["promote", "approve", "reject", "rollback"]


@dataclass(frozen=True)
class _Place:
    """Where a kind of request stands in a Model."""

    annotation: str
    handled: str


REQUESTS: Final[dict[Kind, _Place]] = {
    "retrain": _Place(names.RETRAIN_ANNOTATION, "lastHandledRetrain"),
    "promote": _Place(names.PROMOTE_ANNOTATION, "lastHandledPromote"),
    "reject": _Place(names.REJECT_ANNOTATION, "lastHandledReject"),
    "rollback": _Place(names.ROLLBACK_ANNOTATION, "lastHandledRollback"),
}
DECISIONS: Final[dict[Decision, Kind]] = {
    "promote": "promote",
    "approve": "promote",
    "reject": "reject",
    "rollback": "rollback",
}


class RequestView(View):
    """A request of one kind, and whether the operator has answered it."""

    kind: Kind = Field(description="What was asked for; an approval is a promotion.")
    id: str | None = Field(description="Null: it was not made over REST.")
    value: str = Field(description="Of the annotation.")
    answered: bool = Field(description="Done or refused: see `message` and the history.")

    @classmethod
    def of(cls, kind: Kind, model: dict[str, Any]) -> Self | None:
        """The latest request of a kind; None if there was none."""
        place = REQUESTS[kind]
        value = (model["metadata"].get("annotations") or {}).get(place.annotation)
        if not value:
            return None
        found = [word for word in value.split() if word.startswith(("req-", "retrain-"))]
        answered = (model.get("status") or {}).get(place.handled) == value
        return cls(kind=kind, id=next(iter(found), None), value=value, answered=answered)


def new_id() -> str:
    """An id that no request had before."""
    return f"req-{secrets.token_hex(8)}"


def unanswered(model: dict[str, Any]) -> RequestView | None:
    """A decision that the operator has not answered yet.

    All share the annotation that names who asks, so there is one at a time.
    """
    for kind in ("rollback", "promote", "reject"):
        view = RequestView.of(kind, model)
        if view is not None and not view.answered:
            return view
    return None


def annotations(
    decision: Decision, request_id: str, *, version: str | None, reason: str | None, by: str
) -> dict[str, str | None]:
    """What is written on the Model; the operator reads a version up to the first space."""
    words = [word for word in (version, request_id, reason) if word]
    place = REQUESTS[DECISIONS[decision]]
    return {place.annotation: " ".join(words), names.REQUESTER_ANNOTATION: by}
