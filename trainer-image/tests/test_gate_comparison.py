import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trainyard_schema import LOWER_IS_BETTER
from trainyard_trainer.gate.comparison import Scores, compare, replicates_for
from trainyard_trainer.metrics import METRICS, evaluate
from trainyard_trainer.target import Task

EVERY_METRIC = [(task, name) for task in Task for name in METRICS[task]]


def _scores(probability: np.ndarray) -> Scores:
    return Scores(np.column_stack([1 - probability, probability]), 0.5)


def _made(task: Task, rows: int, noise: float, seed: int = 0) -> tuple[np.ndarray, Scores]:
    """Targets, and what a model predicts for them that is the worse, the more noise there is."""
    random = np.random.default_rng(seed)
    other = np.random.default_rng(seed + 1000)
    if task == Task.REGRESSION:
        truth = random.normal(size=rows)
        return truth, Scores(truth + noise * other.normal(size=rows))
    classes = 2 if task == Task.BINARY else 4
    codes = random.integers(classes, size=rows)
    raw = np.exp(2 * np.eye(classes)[codes] + noise * other.normal(size=(rows, classes)))
    return codes, Scores(raw / raw.sum(axis=1, keepdims=True))


def _bound(
    task: Task,
    name: str,
    truth: np.ndarray,
    *both: Scores,
    confidence: float = 0.95,
    seed: int = 7,
) -> float:
    found = compare(name, task, truth, *both, confidence=confidence, seed=seed)
    assert found is not None
    assert found.lower_bound is not None
    return found.lower_bound


@pytest.mark.parametrize(("task", "name"), EVERY_METRIC)
def test_a_model_is_exactly_as_good_as_itself(task: Task, name: str) -> None:
    truth, scores = _made(task, 300, 1.0)
    assert _bound(task, name, truth, scores, scores) == 0


@pytest.mark.parametrize(("task", "name"), EVERY_METRIC)
def test_better_is_positive_and_worse_is_negative_for_scores_and_errors(
    task: Task, name: str
) -> None:
    truth, good = _made(task, 1500, 0.5)
    _, bad = _made(task, 1500, 3.0)
    sign = -1 if name in LOWER_IS_BETTER else 1
    found = compare(name, task, truth, good, bad, confidence=0.95, seed=0)
    assert found is not None
    assert found.candidate == pytest.approx(
        evaluate(task, truth, good.prediction, threshold=good.threshold)[name]
    )
    gain = sign * (found.candidate - found.champion)
    assert 0 < _bound(task, name, truth, good, bad) < gain
    loss = _bound(task, name, truth, bad, good)
    assert loss < -gain


def test_a_gain_within_the_noise_is_no_gain_but_within_a_margin() -> None:
    truth, _ = _made(Task.REGRESSION, 200, 0)
    random = np.random.default_rng(5)
    old = Scores(truth + random.normal(size=200))
    new = Scores(truth + 0.99 * random.normal(size=200))
    bound = _bound(Task.REGRESSION, "rmse", truth, new, old)
    assert bound < 0 < bound + 0.3


def test_what_is_hard_for_both_cancels_out() -> None:
    # Both miss by about 1, and one by a hundredth more: rows say little of one, all of the pair.
    random = np.random.default_rng(0)
    truth, error = random.normal(size=500), random.normal(size=500)
    old, new = Scores(truth + 1.01 * error), Scores(truth + error)
    assert _bound(Task.REGRESSION, "rmse", truth, new, old) > 0.005
    shuffled = Scores(truth + random.permutation(1.01 * error))
    assert _bound(Task.REGRESSION, "rmse", truth, new, shuffled) < -0.02


def test_a_candidate_that_is_worse_by_the_margin_passes_as_seldom_as_promised() -> None:
    # Of all rows in the world the champion gets 0.80 right and the candidate 0.75.
    margin, passed, trials = 0.05, 0, 100
    random = np.random.default_rng(1)
    for trial in range(trials):
        truth = random.integers(2, size=400)
        old, new = (
            _scores(np.where(random.random(400) < right, truth, 1 - truth) * 0.8 + 0.1)
            for right in (0.80, 0.75)
        )
        passed += _bound(Task.BINARY, "accuracy", truth, new, old, seed=trial) >= -margin
    # 5 are promised; 12 would be three standard deviations more.
    assert 0 < passed <= 12


@settings(max_examples=20)
@given(st.integers(0, 1000), st.sampled_from(METRICS[Task.BINARY]))
def test_more_confidence_is_a_lower_bound(seed: int, name: str) -> None:
    truth, new = _made(Task.BINARY, 60, 1.0, seed)
    _, old = _made(Task.BINARY, 60, 1.5, seed + 1)
    bounds = [_bound(Task.BINARY, name, truth, new, old, confidence=c) for c in (0.99, 0.9, 0.5)]
    assert bounds == sorted(bounds)


def test_each_version_decides_by_its_own_threshold() -> None:
    truth = np.array([0, 1] * 50)
    low, high = _scores(truth * 0.2 + 0.1), _scores(truth * 0.2 + 0.6)
    moved = low._replace(threshold=0.2), high._replace(threshold=0.7)
    for both, expected in [((low, high), (0.5, 0.5)), ((moved[0], high), (1.0, 0.5))]:
        found = compare("accuracy", Task.BINARY, truth, *both, confidence=0.95, seed=0)
        assert found is not None
        assert (found.candidate, found.champion) == expected
    assert _bound(Task.BINARY, "accuracy", truth, moved[0], high) > 0.3
    assert _bound(Task.BINARY, "accuracy", truth, *moved) == 0


def test_rows_of_one_class_have_no_ranking_to_compare() -> None:
    truth, scores = np.zeros(50, int), _scores(np.linspace(0, 1, 50))
    assert compare("roc_auc", Task.BINARY, truth, scores, scores, confidence=0.95, seed=0) is None


@pytest.mark.parametrize(
    ("confidence", "count"), [(0.5, 1000), (0.95, 1000), (0.999, 10_000), (0.9999, 10_000)]
)
def test_a_bound_far_out_needs_more_replicates(confidence: float, count: int) -> None:
    assert replicates_for(confidence) == count


@pytest.mark.parametrize("name", ["roc_auc", "log_loss"])
def test_a_large_holdout_takes_seconds_and_megabytes(name: str) -> None:
    truth, new = _made(Task.BINARY, 60_000, 1.0)
    _, old = _made(Task.BINARY, 60_000, 1.2)
    since = time.process_time()
    assert _bound(Task.BINARY, name, truth, new, old) > 0
    assert time.process_time() - since < 10  # 2 s where it was measured
    tracemalloc.start()  # it takes longer then
    _bound(Task.BINARY, name, truth, new, old)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32e6
