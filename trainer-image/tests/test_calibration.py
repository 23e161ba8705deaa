import numpy as np
import pytest
from trainyard_trainer.calibration import Calibration, calibrate
from trainyard_trainer.decisions import DEFAULT_THRESHOLD
from trainyard_trainer.metrics import evaluate
from trainyard_trainer.target import Task
from trainyard_trainer.threshold import best_threshold


def _softmax(scores: np.ndarray) -> np.ndarray:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    share: np.ndarray = raised / raised.sum(axis=1, keepdims=True)
    return share


def _drawn(rows: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Classes drawn from (n, classes) probabilities, and these."""
    random = np.random.default_rng(seed)
    probability = _softmax(1.5 * random.normal(size=(rows, classes)))
    codes = (random.random(rows)[:, None] > probability.cumsum(axis=1)).sum(axis=1)
    return codes.clip(0, classes - 1), probability


def _bent(probability: np.ndarray, slope: float, intercept: float = 0.0) -> np.ndarray:
    scores = slope * np.log(probability)
    scores[:, -1] += intercept
    return _softmax(scores)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("slope", [0.4, 2.5])
def test_a_bent_probability_is_straightened(classes: int, slope: float) -> None:
    codes, probability = _drawn(3000, classes, 0)
    intercept = 0.8 if classes == 2 else 0.0
    bent = _bent(probability, slope, intercept)
    found = calibrate(codes, bent, seed=0)
    assert found is not None
    assert found.slope == pytest.approx(1 / slope, rel=0.2)
    new_codes, new = _drawn(3000, classes, 1)
    straight = found.apply(_bent(new, slope, intercept))
    task = Task.BINARY if classes == 2 else Task.MULTICLASS
    losses = [evaluate(task, new_codes, p)["log_loss"] for p in (straight, new)]
    assert losses[0] == pytest.approx(losses[1], abs=0.01)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("seed", range(5))
def test_a_good_probability_is_left_alone(classes: int, seed: int) -> None:
    codes, probability = _drawn(1000, classes, seed)
    assert calibrate(codes, probability, seed) is None


def test_few_rows_are_not_enough() -> None:
    codes, probability = _drawn(60, 2, 0)
    assert calibrate(codes, _bent(probability, 5.0), seed=0) is None


@pytest.mark.parametrize("classes", [2, 4])
def test_order_and_sum_survive(classes: int) -> None:
    _, probability = _drawn(500, classes, 0)
    probability[0] = np.eye(classes)[0]
    straight = Calibration(slope=0.3, intercept=1.0 if classes == 2 else 0.0).apply(probability)
    np.testing.assert_allclose(straight.sum(axis=1), 1)
    if classes == 2:
        order = np.argsort(probability[:, 1])
        assert (np.diff(straight[order, 1]) >= 0).all()
    else:
        assert (straight.argmax(axis=1) == probability.argmax(axis=1)).all()


def test_a_calibration_survives_json() -> None:
    found = Calibration(slope=0.1 + 0.2, intercept=-1 / 3)
    assert Calibration.model_validate_json(found.to_json()) == found


@pytest.mark.parametrize("positives", [0.05, 0.3, 0.9])
def test_the_threshold_serves_the_rarer_class(positives: float) -> None:
    random = np.random.default_rng(0)
    shift = np.log(positives / (1 - positives))
    true = 1 / (1 + np.exp(-(shift + 1.5 * random.normal(size=20_000))))
    codes = (random.random(20_000) < true).astype(int)
    rarer = int(positives < 0.5)
    chosen = best_threshold(codes[:10_000], true[:10_000])
    new, truth = true[10_000:], codes[10_000:]

    def f1(threshold: float) -> float:
        guess, relevant = (new >= threshold) == rarer, truth == rarer
        return float(2 * (guess & relevant).sum() / (guess.sum() + relevant.sum()))

    assert f1(chosen) > f1(0.5)
    assert f1(chosen) == pytest.approx(max(f1(t) for t in np.linspace(0.01, 0.99, 99)), abs=0.02)


def test_a_perfect_model_keeps_one_half() -> None:
    codes = np.repeat([0, 1], [80, 20])
    assert best_threshold(codes, codes.astype(float)) == 0.5


def test_too_few_rows_of_a_class_keep_one_half() -> None:
    codes = np.repeat([0, 1], [80, 9])
    assert best_threshold(codes, np.linspace(0, 1, 89)) == DEFAULT_THRESHOLD
