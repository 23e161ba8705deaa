import pytest
from trainyard_schema import (
    Hyperparameters,
    ModelType,
    ModelVersion,
    NeuralNetHyperparameters,
    RandomForestHyperparameters,
    Stage,
    XGBoostHyperparameters,
)
from trainyard_trainer.progress import ProgressTracker
from trainyard_trainer.training import History


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


FOREST = RandomForestHyperparameters(n_estimators=100)


def made(clock: Clock, hyperparameters: Hyperparameters = FOREST) -> ProgressTracker:
    return ProgressTracker(ModelType.RANDOM_FOREST, hyperparameters, clock=clock)


@pytest.mark.parametrize(
    ("hyperparameters", "total", "stops_early"),
    [
        (FOREST, 300, False),
        (XGBoostHyperparameters(n_estimators=50), 150, True),
        (XGBoostHyperparameters(n_estimators=50, early_stopping_rounds=0), 150, False),
        (NeuralNetHyperparameters(max_epochs=7), 21, True),
    ],
)
def test_what_is_planned_is_known_from_the_start(
    hyperparameters: Hyperparameters, total: int, *, stops_early: bool
) -> None:
    tracker = ProgressTracker(ModelType.XGBOOST, hyperparameters, fits=3)
    document = tracker.document()
    assert (document.done, document.total, document.stops_early) == (None, total, stops_early)


def test_each_stage_has_its_seconds_and_the_first_those_since_the_process_began() -> None:
    clock = Clock()
    clock.now = 10.0
    tracker = ProgressTracker(ModelType.XGBOOST, FOREST, started=9.5, clock=clock)
    tracker.enter(Stage.DOWNLOADING)
    clock.now = 12.0
    tracker.enter(Stage.VALIDATING)
    tracker.advance(0.4)
    clock.now = 15.0
    document = tracker.document()
    assert document.stage == Stage.VALIDATING
    assert document.share == 0.4
    assert document.stage_seconds == {Stage.DOWNLOADING: 2.5, Stage.VALIDATING: 3.0}
    tracker.enter(Stage.TRAINING)
    assert tracker.document().share == 0.0


def test_the_rate_is_known_when_training_has_gone_on_for_a_while() -> None:
    clock = Clock()
    tracker = made(clock)
    tracker.enter(Stage.TRAINING)
    tracker.count(0, 100)
    clock.now += 1
    tracker.count(1, 100)
    assert tracker.document().rate is None
    for done in range(2, 11):
        clock.now += 1
        tracker.count(done, 100)
    document = tracker.document()
    assert (document.rate, document.done, document.share) == (1.0, 10, 0.1)


def test_preparation_before_the_first_report_does_not_count_as_slow_training() -> None:
    clock = Clock()
    tracker = made(clock)
    tracker.enter(Stage.TRAINING)
    clock.now += 5
    tracker.count(1, 100)
    assert tracker.document().rate is None
    clock.now += 1
    tracker.count(11, 100)
    assert tracker.document().rate == 10.0


def test_what_an_earlier_attempt_did_says_nothing_of_the_rate() -> None:
    clock = Clock()
    tracker = made(clock)
    tracker.enter(Stage.TRAINING)
    clock.now += 3
    tracker.count(60, 100)
    clock.now += 1
    tracker.count(62, 100)
    assert tracker.document().rate == 2.0


def test_a_fit_that_stops_early_leaves_less_to_do() -> None:
    told: list[tuple[int, int]] = []
    history = History(lambda done, total: told.append((done, total)), 2, 100)
    report = history.reporter("fold 1")
    report(1, 100, {})
    report(30, 100, {})
    history.finish_fit()
    history.reporter("final")(1, 100, {})
    history.finish_fit()
    assert told == [(1, 200), (30, 200), (30, 130), (31, 130), (31, 31)]


VERSION = ModelVersion(
    model_type=ModelType.RANDOM_FOREST,
    version="20261123T090300Z-0badcafe",
    uri="s3://trainyard/x/",
    sha256="ab",
    size_bytes=1,
    current=True,
    duration_seconds=3.0,
)


def test_a_version_tells_what_its_run_took() -> None:
    clock = Clock()
    tracker = made(clock)
    clock.now = 1.0
    tracker.enter(Stage.TRAINING)
    tracker.count(100, 100)
    clock.now = 3.5
    timed = tracker.timed(VERSION)
    assert timed.stage_seconds == {Stage.DOWNLOADING: 1.0, Stage.TRAINING: 2.5}
    assert timed.units == 100


def test_a_run_that_trained_nothing_or_went_on_from_a_checkpoint_is_no_measure() -> None:
    tracker = made(Clock())
    assert tracker.timed(VERSION) == VERSION
    tracker.resume()
    tracker.count(100, 100)
    assert tracker.timed(VERSION) == VERSION
