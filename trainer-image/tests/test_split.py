import numpy as np
import pytest
from trainyard_trainer.split import folds, strata, take_share
from trainyard_trainer.target import Target, Task


def test_holdout_is_stratified_disjoint_and_complete() -> None:
    groups = np.repeat([0, 1], [900, 100])
    rest, chosen = take_share(groups, 0.2, seed=1)
    assert sorted([*rest, *chosen]) == list(range(1000))
    assert (np.bincount(groups[chosen]) == [180, 20]).all()


def test_split_depends_on_the_seed_only() -> None:
    groups = np.arange(100) % 3
    first, again, other = (take_share(groups, 0.2, seed)[1] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_both_parts_have_each_class_of_two_rows() -> None:
    groups = np.repeat([0, 1], [50, 2])
    rest, chosen = take_share(groups, 0.05, seed=0)
    assert set(groups[rest]) == set(groups[chosen]) == {0, 1}


@pytest.mark.parametrize("count", [2, 5])
def test_folds_test_every_row_once(count: int) -> None:
    groups = np.repeat([0, 1], [83, 17])
    parts = list(folds(groups, count, seed=3))
    assert sorted(row for _, test in parts for row in test) == list(range(100))
    for train, test in parts:
        assert not set(train) & set(test)
        assert abs((groups[test] == 1).sum() - 17 / count) < 1


def test_regression_is_stratified_by_value() -> None:
    values = np.arange(1000.0)
    groups = strata(Target("y", Task.REGRESSION, [], values))
    assert (np.bincount(groups) == 100).all()
