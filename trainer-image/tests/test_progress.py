from trainyard_schema import ModelType, ProgressUnit, Stage
from trainyard_trainer.progress import SHARES, ProgressTracker


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_shares_cover_the_run() -> None:
    assert list(SHARES) == list(Stage)
    assert sum(SHARES.values()) == 100


def test_percent_never_falls_and_reaches_100() -> None:
    tracker = ProgressTracker(ModelType.XGBOOST, Clock())
    seen = []
    for stage in Stage:
        tracker.enter(stage)
        for share in (0.0, 0.5, 0.2, 1.0):
            tracker.advance(share)
            seen.append(tracker.document().progress.percent)
    assert seen == sorted(seen)
    assert seen[-1] == 100


def test_units_are_absent_until_training() -> None:
    tracker = ProgressTracker(ModelType.NEURAL_NET, Clock())
    assert tracker.document().progress.unit is None
    tracker.enter(Stage.TRAINING)
    tracker.count(3, 100)
    progress = tracker.document().progress
    assert (progress.unit, progress.done, progress.total) == (ProgressUnit.EPOCHS, 3, 100)


def test_time_left_follows_the_rate() -> None:
    clock = Clock()
    tracker = ProgressTracker(ModelType.RANDOM_FOREST, clock)
    tracker.enter(Stage.TRAINING)
    assert tracker.document().progress.eta_seconds is None
    for done in range(1, 11):
        clock.now += 1
        tracker.count(done, 100)
    assert tracker.document().progress.eta_seconds == 90


def test_preparation_before_the_first_report_does_not_count_as_slow_training() -> None:
    clock = Clock()
    tracker = ProgressTracker(ModelType.RANDOM_FOREST, clock)
    tracker.enter(Stage.TRAINING)
    clock.now += 5
    tracker.count(1, 100)
    assert tracker.document().progress.eta_seconds is None
    clock.now += 1
    tracker.count(11, 100)
    assert tracker.document().progress.eta_seconds == 9


def test_only_training_has_time_left() -> None:
    clock = Clock()
    tracker = ProgressTracker(ModelType.XGBOOST, clock)
    tracker.enter(Stage.TRAINING)
    for done in range(1, 6):
        clock.now += 1
        tracker.count(done, 100)
    assert tracker.document().progress.eta_seconds == 95
    tracker.enter(Stage.EVALUATING)
    assert tracker.document().progress.eta_seconds is None
