"""Ranges of values with round numbers."""

import math
from collections.abc import Sequence
from typing import NamedTuple

_SHORT = 10
"""Characters."""
_MOST_DECIMALS = 4
_NO_RANGE = 1e-12
"""Of the values themselves: less can hardly be told from how numbers are rounded."""


class Axis(NamedTuple):
    """A range of values and where it is marked."""

    label: str
    low: float
    high: float
    ticks: Sequence[float]

    @classmethod
    def over(cls, label: str, low: float, high: float) -> "Axis":
        """From the round number below `low` to the one above `high`, with about five ticks (after
        Heckbert, Nice numbers for graph labels, 1990).
        """
        if high - low <= _NO_RANGE * max(abs(low), abs(high)):
            low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
        rough = (high - low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * nice for nice in (1, 2, 2.5, 5, 10) if rough <= power * nice * 1.001)
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        return cls(label, first * step, last * step, [i * step for i in range(first, last + 1)])

    def tick_labels(self) -> list[str]:
        """The ticks, plain where that is not longer than with an exponent or is short anyway."""
        step = self.ticks[1] - self.ticks[0]
        brief: list[str] = []
        for digits in range(1, 17):
            brief = [f"{tick + 0.0:.{digits}g}" for tick in self.ticks]
            errors = (abs(float(a) - b) for a, b in zip(brief, self.ticks, strict=True))
            if max(errors) < step / 1000:
                break
        decimals = min(max(0, -math.floor(math.log10(step) + 1e-9)), _MOST_DECIMALS + 1)
        if not math.isclose(step * 10**decimals, round(step * 10**decimals)):
            decimals += 1
        plain = [f"{tick + 0.0:,.{decimals}f}" for tick in self.ticks]
        allowed = max(_SHORT, *map(len, brief)) if decimals <= _MOST_DECIMALS else 0
        return plain if max(map(len, plain)) <= allowed else brief


UNIT_TICKS = [i / 5 for i in range(6)]
