"""How long it takes to score one row."""

import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from pydantic import Field
from trainyard_schema import Model

_WARM_UP = 20
_MEASURED = 200


class Latency(Model):
    """Of single rows, in this process and at its threads: from an Arrow table of one row to the
    prediction, without any network.
    """

    rows: int = Field(description="How many were measured, after a warm-up.")
    threads: int
    median_ms: float
    p95_ms: float


def measure(
    predict: Callable[[pa.Table], object],
    rows: pa.Table,
    threads: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Latency:
    """Score rows one by one, in turn. The 95th percentile is a time that was seen, not one between
    two.
    """
    singles = [rows.slice(number, 1) for number in range(len(rows))]
    seconds = []
    for number in range(_WARM_UP + _MEASURED):
        single = singles[number % len(singles)]
        since = clock()
        predict(single)
        seconds.append(clock() - since)
    milliseconds = 1000 * np.array(seconds[_WARM_UP:])
    median, p95 = np.quantile(milliseconds, [0.5, 0.95], method="higher")
    return Latency(
        rows=_MEASURED, threads=threads, median_ms=round(median, 3), p95_ms=round(p95, 3)
    )


def failure(latency: Latency, most_ms: float) -> str | None:
    """Why it is too slow; None if it is not."""
    if latency.p95_ms <= most_ms:
        return None
    return (
        f"scoring one row takes {latency.p95_ms:.3g} ms (95th percentile of {latency.rows} rows at "
        f"{latency.threads} threads), longer than maxLatencyMs {most_ms:g}"
    )
