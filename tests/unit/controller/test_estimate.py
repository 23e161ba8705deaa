"""How far a run is and how long it still takes, from what its trainer says and from past runs."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trainyard_controller.estimate import SHARES, estimate
from trainyard_controller.past import PastRun
from trainyard_schema import ModelType, Stage
from trainyard_schema.run import RunProgress

TIME = datetime(2026, 11, 23, tzinfo=UTC)
DOWNLOADING, VALIDATING, TRAINING, EVALUATING, UPLOADING, _ = Stage


def past(*seconds: float, units: int = 100) -> PastRun:
    return PastRun(TIME, seconds, units)


RUN = past(2.0, 3.0, 50.0, 4.0, 6.0, 0.0)


def word(
    stage: Stage,
    elapsed: float,
    *,
    before: float = 0.0,
    done: int | None = None,
    total: int = 100,
    rate: float | None = None,
    stops_early: bool = False,
    share: float = 0.0,
) -> RunProgress:
    seconds = {stage: elapsed} | ({DOWNLOADING: before} if before else {})
    return RunProgress(
        model_type=ModelType.RANDOM_FOREST,
        stage=stage,
        stage_seconds=seconds,
        share=share,
        total=total,
        stops_early=stops_early,
        done=done,
        rate=rate,
    )


def left(report: RunProgress, runs: Sequence[PastRun] = (RUN,)) -> float | None:
    return estimate(report, runs, gated=False).seconds_left


@pytest.mark.parametrize(
    ("report", "seconds"),
    [
        (word(DOWNLOADING, 0.5), 64.5),
        (word(VALIDATING, 1.0, before=2.0), 62.0),
        (word(TRAINING, 10.0, before=5.0), 50.0),
        (word(TRAINING, 10.0, before=5.0, done=20, rate=2.0), 50.0),
        (word(EVALUATING, 1.0, before=55.0), 9.0),
        (word(UPLOADING, 1.0, before=59.0), 5.0),
    ],
)
def test_what_goes_as_it_did_before_has_left_what_was_left_then(
    report: RunProgress, seconds: float
) -> None:
    assert left(report) == pytest.approx(seconds)


class TestPace:
    def test_training_goes_on_at_the_pace_that_it_has(self) -> None:
        runs = [past(0, 0, 50.0, 0, 0, 0)]
        assert left(word(TRAINING, 10.0, done=20, rate=4.0), runs) == 20.0

    def test_what_comes_after_is_as_much_slower_as_what_was_before(self) -> None:
        runs = [past(0, 0, 90.0, 10.0, 0, 0)]
        slow = left(word(TRAINING, 90.0, done=50, rate=50 / 90), runs)
        # 45 of the past run's 100 seconds took 90; for 10 more both are taken to be as fast.
        assert slow == pytest.approx(90 + 10 * (90 + 10) / (45 + 10))

    def test_a_slow_start_says_little(self) -> None:
        told = left(word(DOWNLOADING, 4.0))
        assert told == pytest.approx(63.0 * (4.0 + 6.5) / (2.0 + 6.5))

    def test_a_table_that_has_grown_is_no_reason_to_wait_for_ever(self) -> None:
        told = left(word(DOWNLOADING, 1e9))
        assert told is not None
        assert told <= 63.0 * 10


def test_twice_the_units_take_twice_the_training() -> None:
    assert left(word(DOWNLOADING, 0.0, total=200)) == pytest.approx(115.0)


class TestEarlyStopping:
    def test_as_many_units_as_before_are_expected_not_all_that_are_planned(self) -> None:
        report = word(TRAINING, 10.0, before=5.0, done=20, total=2000, rate=2.0, stops_early=True)
        assert left(report) == pytest.approx(50.0)

    def test_never_more_than_are_planned(self) -> None:
        report = word(TRAINING, 10.0, before=5.0, done=20, total=50, rate=2.0, stops_early=True)
        assert left(report) == pytest.approx(25.0)

    def test_a_run_that_goes_on_longer_than_before_has_its_later_stages_left(self) -> None:
        report = word(TRAINING, 50.0, before=5.0, done=150, total=2000, rate=2.0, stops_early=True)
        assert left(report) == pytest.approx(10.0)


def test_of_several_past_runs_the_median_counts() -> None:
    runs = [past(0, 0, seconds, 1, 1, 0) for seconds in (10.0, 20.0, 900.0)]
    assert left(word(TRAINING, 0.0), runs) == pytest.approx(22.0)


class TestUnknown:
    """Absent, never invented."""

    @pytest.mark.parametrize("stage", Stage)
    def test_without_a_past_and_without_a_pace(self, stage: Stage) -> None:
        assert left(word(stage, 5.0, done=10), ()) is None

    def test_without_a_past_training_that_may_stop_at_any_time(self) -> None:
        report = word(TRAINING, 9.0, done=20, rate=10.0, stops_early=True)
        assert left(report, ()) is None

    def test_but_not_training_that_does_all_its_units(self) -> None:
        assert left(word(TRAINING, 9.0, done=20, rate=10.0), ()) == 8.0

    def test_where_it_should_have_ended_by_now(self) -> None:
        assert left(word(UPLOADING, 6.5, before=59.0)) is None


class TestPercent:
    def test_it_is_of_the_time_where_that_is_known(self) -> None:
        runs = [past(0, 10.0, 80.0, 0, 0, 0)]
        report = word(TRAINING, 20.0, before=10.0, done=40, rate=2.0)
        assert estimate(report, runs, gated=False).percent == 50

    def test_it_is_of_typical_shares_where_it_is_not(self) -> None:
        report = word(TRAINING, 9.0, share=0.2, stops_early=True)
        assert estimate(report, [], gated=True).percent == 25
        assert estimate(report, [], gated=False).percent == 26

    def test_shares_cover_the_run(self) -> None:
        assert list(SHARES) == list(Stage)
        assert sum(SHARES.values()) == 100


seconds = st.floats(0, 1e6)
runs = st.builds(
    lambda took, units: PastRun(TIME, tuple(took), units),
    st.lists(seconds, min_size=6, max_size=6),
    st.integers(0, 10_000),
)
words = st.builds(
    word,
    st.sampled_from(Stage),
    seconds,
    done=st.none() | st.integers(0, 10_000),
    total=st.integers(0, 10_000),
    rate=st.none() | st.floats(1e-3, 1e6),
    stops_early=st.booleans(),
    share=st.floats(0, 1),
)


@given(words, st.lists(runs, max_size=10), st.booleans())
def test_whatever_is_said_the_estimate_is_possible(
    report: RunProgress, known: list[PastRun], gated: bool
) -> None:
    found = estimate(report, known, gated=gated)
    assert 0 <= found.percent <= 99
    assert found.seconds_left is None or round(found.seconds_left + 1) > 0
