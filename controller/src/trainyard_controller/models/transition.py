"""How a champion's place changes hands, as values: the status before, and the status after."""

from dataclasses import dataclass
from datetime import datetime

from trainyard_schema import (
    Action,
    Candidate,
    Champion,
    ModelStatus,
    Transition,
    TransitionRecord,
    Verdict,
)
from trainyard_schema.promotion import HISTORY_LENGTH

from trainyard_controller.announce import Announcement

OPERATOR = "operator"
"""Who did what nobody had to ask for."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A status to be written, and what is told once it is."""

    status: ModelStatus
    announced: tuple[Announcement, ...] = ()


def unpublished(status: ModelStatus) -> list[Transition]:
    """The transitions that the object store does not know yet, in their order."""
    return [one for one in status.history if one.number > (status.published or 0)]


def has_room(status: ModelStatus) -> bool:
    """Whether the history can take another transition without losing one that is unpublished."""
    return len(unpublished(status)) < HISTORY_LENGTH


def promote(
    status: ModelStatus, candidate: Candidate, action: Action, *, by: str, why: str, now: datetime
) -> ModelStatus:
    """The status in which the candidate is the champion."""
    number = _next_number(status)
    champion = Champion(
        model_type=candidate.model_type,
        version=candidate.version,
        uri=candidate.uri,
        sha256=candidate.sha256,
        run=candidate.run,
        metric=candidate.metric,
        since=now,
        transition=number,
    )
    return _moved(status, champion, action, by=by, why=why, now=now, verdict=candidate.verdict)


def roll_back(
    status: ModelStatus, previous: Champion, *, by: str, why: str, now: datetime
) -> ModelStatus:
    """The status in which the previous champion is the champion, and the other way round."""
    number = _next_number(status)
    champion = previous.model_copy(update={"since": now, "transition": number})
    return _moved(status, champion, Action.ROLLED_BACK, by=by, why=why, now=now)


def turn_down(
    status: ModelStatus, candidate: Candidate, *, by: str, why: str, now: datetime
) -> ModelStatus:
    """The status in which the candidate is none any more."""
    entry = Transition(
        number=_next_number(status),
        time=now,
        action=Action.REJECTED,
        version=candidate.version,
        by=by,
        why=why[:1024],
        from_=status.champion,
        to=status.champion,
        verdict=candidate.verdict,
    )
    return _with(status, entry)


def restored(status: ModelStatus, records: list[TransitionRecord]) -> ModelStatus:
    """The status of a Model that is new here, from the latest records of its history.

    The object store outlives a Model: one that is created again goes on where it ended.
    """
    fields = set(Transition.model_fields)
    history = [Transition(**{name: getattr(one, name) for name in fields}) for one in records]
    moves = [one for one in history if one.action is not Action.REJECTED]
    return status.model_copy(
        update={
            "champion": history[-1].to if history else None,
            "previous": moves[-1].from_ if moves else None,
            "history": history,
            # Whether the pointer says the same has yet to be seen.
            "published": 0,
        }
    )


def _next_number(status: ModelStatus) -> int:
    return (status.history[-1].number if status.history else status.published or 0) + 1


def _moved(
    status: ModelStatus,
    champion: Champion,
    action: Action,
    *,
    by: str,
    why: str,
    now: datetime,
    verdict: Verdict | None = None,
) -> ModelStatus:
    entry = Transition(
        number=champion.transition,
        time=now,
        action=action,
        version=champion.version,
        by=by,
        why=why[:1024],
        from_=status.champion,
        to=champion,
        verdict=verdict,
    )
    changed = {"champion": champion, "previous": status.champion}
    return _with(status.model_copy(update=changed), entry)


def _with(status: ModelStatus, entry: Transition) -> ModelStatus:
    """The entry is the latest one, and its version awaits nothing any more."""
    return status.model_copy(
        update={
            "history": [*status.history, entry][-HISTORY_LENGTH:],
            "candidates": [one for one in status.candidates if one.version != entry.version],
        }
    )
