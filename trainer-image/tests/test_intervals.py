import time

import numpy as np
import pytest
from trainyard_trainer.intervals import bootstrap
from trainyard_trainer.metrics import evaluate, weighted
from trainyard_trainer.target import Task


def _binary(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = (random.random(rows) < 0.3).astype(int)
    score = 1 / (1 + np.exp(-(1.2 * (truth - 0.3) - 0.9 + random.normal(size=rows))))
    return truth, np.column_stack([1 - score, score])


@pytest.mark.parametrize("seed", range(3))
def test_weights_are_repeated_rows(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth, probability = _binary(80, seed)
    probability = probability.round(1)
    counts = random.integers(3, size=80)
    again = np.repeat(np.arange(80), counts)
    repeated = evaluate(Task.BINARY, truth[again], probability[again], threshold=0.4)
    by_weight = weighted(Task.BINARY, truth, probability, threshold=0.4)(counts[None].astype(float))
    assert {name: value[0] for name, value in by_weight.items()} == pytest.approx(repeated)


def test_regression_weights_are_repeated_rows() -> None:
    random = np.random.default_rng(0)
    truth, counts = random.normal(size=50), random.integers(3, size=50)
    value, again = truth + random.normal(size=50), np.repeat(np.arange(50), counts)
    by_weight = weighted(Task.REGRESSION, truth, value)(counts[None].astype(float))
    repeated = evaluate(Task.REGRESSION, truth[again], value[again])
    assert {name: found[0] for name, found in by_weight.items()} == pytest.approx(repeated)


def test_intervals_hold_the_metric_and_narrow_with_rows() -> None:
    widths = []
    for rows in (200, 3200):
        truth, probability = _binary(rows, 1)
        metrics = evaluate(Task.BINARY, truth, probability)
        intervals = bootstrap(Task.BINARY, truth, probability)
        assert list(intervals) == list(metrics)
        for name, (low, high) in intervals.items():
            assert low < metrics[name] < high
        widths.append(intervals["roc_auc"][1] - intervals["roc_auc"][0])
    # Sixteen times the rows, a quarter of the width.
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.3)


def test_the_truth_lies_within_as_often_as_promised() -> None:
    # 0.3 of the rows are wrong, whatever is drawn.
    random = np.random.default_rng(0)
    within = 0
    for seed in range(100):
        truth = random.integers(2, size=150)
        wrong = random.random(150) < 0.3
        score = np.where(wrong, 1 - truth, truth) * 0.8 + 0.1
        probability = np.column_stack([1 - score, score])
        low, high = bootstrap(Task.BINARY, truth, probability, seed=seed)["accuracy"]
        within += low <= 0.7 <= high
    assert within >= 88


@pytest.mark.parametrize("task", [Task.MULTICLASS, Task.REGRESSION])
def test_other_tasks(task: Task) -> None:
    random = np.random.default_rng(0)
    truth: np.ndarray
    if task == Task.REGRESSION:
        truth = random.normal(size=300)
        prediction = truth + random.normal(size=300)
    else:
        truth = random.integers(4, size=300)
        prediction = random.dirichlet(np.ones(4), size=300) + 0.3 * np.eye(4)[truth]
        prediction /= prediction.sum(axis=1, keepdims=True)
    metrics = evaluate(task, truth, prediction)
    for name, (low, high) in bootstrap(task, truth, prediction).items():
        assert low < metrics[name] < high


def test_a_class_that_is_not_there_leaves_ranking_without_interval() -> None:
    intervals = bootstrap(Task.BINARY, np.zeros(50, int), np.full((50, 2), 0.5))
    assert "roc_auc" not in intervals
    assert "log_loss" in intervals


def test_the_same_seed_gives_the_same_interval() -> None:
    truth, probability = _binary(300, 0)
    first, again = (bootstrap(Task.BINARY, truth, probability, seed=7) for _ in range(2))
    assert first == again


def test_two_thousand_rows_take_about_a_second_of_cpu() -> None:
    truth, probability = _binary(2000, 0)
    since = time.process_time()
    bootstrap(Task.BINARY, truth, probability)
    assert time.process_time() - since < 3
