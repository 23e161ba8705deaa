"""The progress of a run of several trainers."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st
from trainyard_controller import progress
from trainyard_controller.estimate import Estimate
from trainyard_controller.progress import Heard
from trainyard_schema import ModelType, Progress, Stage
from trainyard_schema.run import RunProgress

XGBOOST, FOREST, NET = ModelType
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def heard(kind: ModelType, *, done: int | None = 10, at: datetime = NOW) -> Heard:
    report = RunProgress(
        model_type=kind,
        stage=Stage.TRAINING,
        stage_seconds={},
        share=0,
        total=100,
        stops_early=True,
        done=done,
    )
    return Heard(report=report, time=at)


def combine(
    judged: dict[ModelType, Estimate],
    *,
    previous: Progress | None = None,
    done: frozenset[ModelType] = frozenset(),
    at: datetime = NOW,
) -> Progress:
    found = progress.combine(
        tuple(ModelType),
        done=done,
        heard={kind: heard(kind, at=at) for kind in judged},
        judged=judged,
        silent=False,
        previous=previous,
    )
    assert found is not None
    return found


def guess(percent: int, left: float | None = None) -> Estimate:
    return Estimate(percent=percent, seconds_left=left)


class TestEnd:
    def test_the_run_ends_with_its_last_trainer(self) -> None:
        judged = {FOREST: guess(50, 30.4), NET: guess(60, 12.0)}
        assert combine(judged, done=frozenset({XGBOOST})).eta_seconds == 30

    def test_it_is_unknown_while_one_has_yet_to_begin(self) -> None:
        assert combine({FOREST: guess(50, 30), NET: guess(60, 12)}).eta_seconds is None

    def test_it_is_unknown_while_one_cannot_tell(self) -> None:
        judged = {FOREST: guess(50, 30), NET: guess(60)}
        assert combine(judged, done=frozenset({XGBOOST})).eta_seconds is None


class TestNews:
    """A status is written only where something moved."""

    JUDGED: ClassVar = {XGBOOST: guess(50, 100), FOREST: guess(50, 100), NET: guess(50, 100)}

    def again(self, seconds: float, left: float) -> Progress:
        before = combine(self.JUDGED)
        judged = {kind: guess(50, left) for kind in ModelType}
        after = combine(judged, previous=before, at=NOW + timedelta(seconds=seconds))
        return before if after is before else after

    def test_time_that_passes_as_predicted_is_none(self) -> None:
        assert self.again(10, 90).updated_at == NOW
        assert self.again(10, 98).updated_at == NOW

    def test_an_end_that_moves_is(self) -> None:
        assert self.again(10, 120).eta_seconds == 120

    def test_an_end_that_is_no_longer_known_is(self) -> None:
        before = combine(self.JUDGED)
        judged = self.JUDGED | {NET: guess(50)}
        assert combine(judged, previous=before).eta_seconds is None


percents = st.lists(st.tuples(*[st.integers(0, 99)] * 3), min_size=1, max_size=20)


@given(percents)
def test_the_percent_never_falls(told: list[tuple[int, int, int]]) -> None:
    known: Progress | None = None
    seen = []
    for each in told:
        judged = {kind: guess(percent, 5) for kind, percent in zip(ModelType, each, strict=True)}
        known = combine(judged, previous=known)
        seen.append(known.percent)
    assert seen == sorted(seen)
