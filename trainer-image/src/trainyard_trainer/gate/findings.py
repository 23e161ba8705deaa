"""What the gate finds out on its way to a verdict."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Findings:
    """What was found so far."""

    failures: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    """What keeps it from passing, but is not the candidate's fault."""
    notes: list[str] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)
    """Fields of the assessment."""

    def fail(self, reasons: Iterable[str | None]) -> None:
        """Add those reasons that there are."""
        self.failures += [reason for reason in reasons if reason is not None]
