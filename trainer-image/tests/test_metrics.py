import numpy as np
import pytest
from sklearn import metrics as reference
from trainyard_trainer.metrics import evaluate, per_class
from trainyard_trainer.target import Task


def _probabilities(rows: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.integers(classes, size=rows)
    # Rounded, so that ties occur.
    raw = random.dirichlet(np.ones(classes), size=rows).round(1) + 0.01
    return truth, raw / raw.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(5))
def test_binary_agrees_with_scikit_learn(seed: int) -> None:
    truth, probability = _probabilities(200, 2, seed)
    score = probability[:, 1]
    assert evaluate(Task.BINARY, truth, probability) == pytest.approx(
        {
            "roc_auc": reference.roc_auc_score(truth, score),
            "pr_auc": reference.average_precision_score(truth, score),
            "log_loss": reference.log_loss(truth, probability),
            "brier": reference.brier_score_loss(truth, score),
            "f1": reference.f1_score(truth, score >= 0.5),
            "balanced_accuracy": reference.balanced_accuracy_score(truth, score >= 0.5),
            "accuracy": reference.accuracy_score(truth, score >= 0.5),
        }
    )


def test_the_threshold_decides_what_counts_as_positive() -> None:
    truth, probability = _probabilities(200, 2, 0)
    guess = probability[:, 1] >= 0.3
    metrics = evaluate(Task.BINARY, truth, probability, threshold=0.3)
    assert metrics["f1"] == pytest.approx(reference.f1_score(truth, guess))
    assert metrics["accuracy"] == pytest.approx(reference.accuracy_score(truth, guess))


@pytest.mark.parametrize("classes", [2, 4])
def test_each_class_agrees_with_scikit_learn(classes: int) -> None:
    truth, probability = _probabilities(200, classes, 0)
    guess = probability[:, 1] >= 0.4 if classes == 2 else probability.argmax(axis=1)
    names = [f"class {number}" for number in range(classes)]
    found = per_class(names, truth, probability, threshold=0.4)
    expected = reference.precision_recall_fscore_support(truth, guess)
    for number, name in enumerate(names):
        assert [*found[name].values()] == pytest.approx([part[number] for part in expected])


@pytest.mark.parametrize("seed", range(5))
def test_multiclass_agrees_with_scikit_learn(seed: int) -> None:
    truth, probability = _probabilities(200, 4, seed)
    guess = probability.argmax(axis=1)
    assert evaluate(Task.MULTICLASS, truth, probability) == pytest.approx(
        {
            "accuracy": reference.accuracy_score(truth, guess),
            "balanced_accuracy": reference.balanced_accuracy_score(truth, guess),
            "f1_macro": reference.f1_score(truth, guess, average="macro"),
            "log_loss": reference.log_loss(truth, probability),
        }
    )


def test_regression_agrees_with_scikit_learn() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=50)
    value = truth + random.normal(size=50)
    assert evaluate(Task.REGRESSION, truth, value) == pytest.approx(
        {
            "rmse": reference.root_mean_squared_error(truth, value),
            "mae": reference.mean_absolute_error(truth, value),
            "r2": reference.r2_score(truth, value),
        }
    )


def test_ranking_needs_both_classes() -> None:
    metrics = evaluate(Task.BINARY, np.zeros(5, int), np.full((5, 2), 0.5))
    assert "roc_auc" not in metrics
    assert metrics["accuracy"] == 0.0
