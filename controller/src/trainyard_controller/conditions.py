"""Conditions in the shape of KEP-1623."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from trainyard_schema import Condition, ConditionType

Status = Literal["True", "False", "Unknown"]


class Conditions:
    """A run's conditions: what is set anew replaces what was there, the rest stays."""

    def __init__(self, previous: Sequence[Condition], *, generation: int, now: datetime) -> None:
        self._by_type = {condition.type: condition for condition in previous}
        self._generation = generation
        self._now = now

    def __contains__(self, kind: ConditionType) -> bool:
        return kind in self._by_type

    def set(self, kind: ConditionType, status: Status, reason: str, message: str = "") -> None:
        """Set one condition. Its lastTransitionTime moves only when its status does."""
        before = self._by_type.get(kind)
        stable = before is not None and before.status == status
        self._by_type[kind] = Condition(
            type=kind,
            status=status,
            reason=reason,
            message=message,
            last_transition_time=before.last_transition_time if before and stable else self._now,
            observed_generation=self._generation,
        )

    def list(self) -> list[Condition]:
        """All conditions in the order in which the schema names them."""
        return [self._by_type[kind] for kind in ConditionType if kind in self._by_type]
