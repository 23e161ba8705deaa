import pytest
from trainyard_controller.leaderboard import (
    best,
    merge,
    metric_text,
    primary_metric,
)
from trainyard_schema import LOWER_IS_BETTER, Metric, ModelType, ModelVersion, RunResult

from .samples import metric_of, version_of

XGBOOST, FOREST, NET = ModelType


def metrics(name: str, *values: str) -> list[Metric]:
    return [
        Metric.model_validate(metric_of(kind, value, name))
        for kind, value in zip(ModelType, values, strict=False)
    ]


@pytest.mark.parametrize("name", ["roc_auc", "accuracy", "r2", "f1"])
def test_more_is_better(name: str) -> None:
    found = best(metrics(name, "0.7", "0.9", "0.8"))
    assert found is not None
    assert found.model_type == FOREST


@pytest.mark.parametrize("name", sorted(LOWER_IS_BETTER))
def test_less_of_an_error_is_better(name: str) -> None:
    found = best(metrics(name, "0.7", "9", "10"))
    assert found is not None
    assert found.model_type == XGBOOST


def test_only_the_first_holdout_metric_of_each_model_counts() -> None:
    cross = Metric(model_type=XGBOOST, name="roc_auc", value="0.99", split="cross-validation")
    given = [cross, *metrics("roc_auc", "0.8"), *metrics("accuracy", "0.95")]
    assert primary_metric(given) == "roc_auc=0.8000"


def test_nothing_known_nothing_shown() -> None:
    assert primary_metric([]) is None


def test_what_is_known_stays_and_what_is_new_is_filed_in_order() -> None:
    first = ModelVersion.model_validate(version_of(NET))
    again = first.model_copy(update={"version": "20270101T000000Z-ffffffff"})
    new = ModelVersion.model_validate(version_of(XGBOOST))
    models, numbers = merge(
        [first],
        metrics("roc_auc", "", "", "0.8")[2:],
        [
            RunResult(version=again, metrics=metrics("roc_auc", "", "", "0.1")[2:]),
            RunResult(version=new, metrics=metrics("roc_auc", "0.7")),
            RunResult(message="no version"),
        ],
    )
    assert models == [new, first]
    assert [(m.model_type, m.value) for m in numbers] == [(XGBOOST, "0.7"), (NET, "0.8")]


def test_a_partial_version_gives_way_to_a_later_and_to_a_whole_one() -> None:
    def result(version: str, value: str, *, partial: bool | None) -> RunResult:
        fields = {"version": version, "partial": partial}
        found = ModelVersion.model_validate(version_of(XGBOOST)).model_copy(update=fields)
        return RunResult(version=found, metrics=metrics("roc_auc", value))

    early, late = result("1", "0.6", partial=True), result("2", "0.7", partial=True)
    whole = result("0", "0.8", partial=None)
    for results, last in [
        ([early, late], late),
        ([late, early], late),
        ([late, whole], whole),
        ([whole, late], whole),
    ]:
        models, numbers = merge([], [], results)
        assert (models, numbers) == ([last.version], last.metrics)


def test_a_huge_metric_is_a_short_text() -> None:
    assert metric_text("rmse", "1.5e+300") == "rmse=1.5e+300"
    assert metric_text("rmse", "123456.78912") == "rmse=123456.7891"
