import pyarrow as pa
from trainyard_trainer.gate.latency import failure, measure


class Clock:
    """Each call of `predict` takes as long as the next of the given times."""

    def __init__(self, milliseconds: list[float]) -> None:
        self._milliseconds = iter(milliseconds)
        self._now = 0.0
        self.rows: list[int] = []

    def __call__(self) -> float:
        return self._now

    def predict(self, table: pa.Table) -> None:
        assert len(table) == 1
        self.rows.append(table["x"][0].as_py())
        self._now += next(self._milliseconds) / 1000


def test_the_95th_percentile_of_single_rows_after_a_warm_up() -> None:
    # 20 slow ones to warm up, then 1 to 200 ms.
    clock = Clock([10_000.0] * 20 + [float(n) for n in range(1, 201)])
    found = measure(clock.predict, pa.table({"x": [0, 1, 2]}), threads=2, clock=clock)
    assert (found.rows, found.threads) == (200, 2)
    assert found.p95_ms == 191
    assert found.median_ms == 101
    assert clock.rows[:5] == [0, 1, 2, 0, 1]
    assert failure(found, 191) is None
    text = failure(found, 190)
    assert text is not None
    assert "191 ms (95th percentile of 200 rows at 2 threads), longer than maxLatencyMs 190" in text
