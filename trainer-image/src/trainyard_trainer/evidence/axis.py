"""Ranges of values with round numbers."""

import math
from collections.abc import Sequence
from typing import NamedTuple

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
        """The ticks with as many digits as tell them apart."""
        largest = max(map(abs, self.ticks))
        step = self.ticks[1] - self.ticks[0]
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        if not math.isclose(step * 10**digits, round(step * 10**digits)):
            digits += 1
        if largest >= 1e7 or digits > 4:
            return self._in_few_digits()
        return [f"{tick + 0.0:,.{digits}f}" for tick in self.ticks]

    def _in_few_digits(self) -> list[str]:
        labels: list[str] = []
        for digits in range(4, 16):
            labels = [f"{tick + 0.0:.{digits}g}" for tick in self.ticks]
            if len(set(labels)) == len(labels):
                break
        return labels


UNIT_TICKS = [i / 5 for i in range(6)]
