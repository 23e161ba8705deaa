"""Conditions in the shape of KEP-1623."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

from trainyard_schema.status import BaseCondition

C = TypeVar("C", bound=BaseCondition[Any])
Status = Literal["True", "False", "Unknown"]


class Conditions(Generic[C]):
    """An object's conditions: what is set anew replaces what was there, the rest stays."""

    def __init__(
        self, shape: type[C], previous: Sequence[C], *, generation: int, now: datetime
    ) -> None:
        self._shape = shape
        self._by_type: dict[StrEnum, C] = {condition.type: condition for condition in previous}
        self._generation = generation
        self._now = now

    def __contains__(self, kind: StrEnum) -> bool:
        return kind in self._by_type

    def set(self, kind: StrEnum, status: Status, reason: str, message: str = "") -> None:
        """Set one condition. Its lastTransitionTime moves only when its status does."""
        before = self._by_type.get(kind)
        stable = before is not None and before.status == status
        self._by_type[kind] = self._shape(
            type=kind,
            status=status,
            reason=reason,
            message=message,
            last_transition_time=before.last_transition_time if before and stable else self._now,
            observed_generation=self._generation,
        )

    def list(self) -> list[C]:
        """All conditions in the order in which the schema names them."""
        return sorted(self._by_type.values(), key=lambda one: _position(one.type))


def _position(kind: StrEnum) -> int:
    return list(type(kind)).index(kind)
