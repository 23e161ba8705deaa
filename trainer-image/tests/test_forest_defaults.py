"""Noisy tables get large leaves, clean ones small leaves, and what is given stays."""

import numpy as np
import pytest
from trainyard_schema import RandomForestHyperparameters
from trainyard_trainer.models import Part
from trainyard_trainer.models.forest_defaults import complete, default_leaf
from trainyard_trainer.target import Task

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(3000, 8)).astype(np.float32)
DEFAULTS = RandomForestHyperparameters()


def _complete(
    task: Task, target: np.ndarray, given: RandomForestHyperparameters = DEFAULTS
) -> RandomForestHyperparameters:
    rows = len(target)
    features = np.resize(FEATURES, (rows, FEATURES.shape[1]))
    return complete(task, Part(features, target), given, seed=0, threads=1)


def test_leaves_follow_the_rows() -> None:
    assert [default_leaf(rows) for rows in (100, 5000, 1_000_000)] == [1, 10, 20]


def test_a_noisy_table_gets_large_leaves() -> None:
    target = (FEATURES[:, 0] + 3 * RANDOM.normal(size=3000) > 0).astype(np.int64)
    assert _complete(Task.BINARY, target).min_samples_leaf == 6


def test_a_clean_table_gets_small_leaves() -> None:
    target = (np.abs(FEATURES[:, 0]) > np.abs(FEATURES[:, 1])).astype(np.int64)
    target += 2 * (FEATURES[:, 2] > 0.5)
    assert _complete(Task.MULTICLASS, target).min_samples_leaf == 1


def test_numbers_may_look_at_every_feature() -> None:
    target = 10 * FEATURES[:, 0].astype(np.float64)
    assert _complete(Task.REGRESSION, target).max_features == 1.0
    target = FEATURES[:, :4].sum(axis=1) + 8 * RANDOM.normal(size=3000)
    assert _complete(Task.REGRESSION, target).max_features == pytest.approx(1 / 3)


def test_a_large_table_is_not_asked() -> None:
    target = RANDOM.integers(2, size=10_001)
    found = _complete(Task.BINARY, target)
    assert (found.min_samples_leaf, found.max_features) == (20, "sqrt")


def test_what_is_given_stays() -> None:
    given = RandomForestHyperparameters(min_samples_leaf=3, max_features=None)
    target = FEATURES[:, 0].astype(np.float64)
    assert _complete(Task.REGRESSION, target, given) == given
