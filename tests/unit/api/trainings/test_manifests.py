from typing import Any

import pytest
from trainyard_api.http.problems import Problem
from trainyard_api.settings import Settings
from trainyard_api.trainings import manifests
from trainyard_api.trainings.requests import TrainingRequest
from trainyard_schema import TrainingJobSpec


def fingerprint(request: TrainingRequest) -> str:
    return manifests.fingerprint(request.model_dump(mode="json"))


def build(settings: Settings, **request: Any) -> dict[str, Any]:
    return manifests.training_job(
        TrainingRequest.model_validate(request),
        name="train-1",
        requester="ada",
        settings=settings,
    )


def test_the_shortest_request(settings: Settings) -> None:
    request = TrainingRequest(model_type="xgboost")
    assert build(settings, model_type="xgboost") == {
        "apiVersion": "trainyard.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {
            "name": "train-1",
            "namespace": "trainyard",
            "annotations": {
                "trainyard.dev/request-sha256": manifests.fingerprint(
                    request.model_dump(mode="json")
                ),
                "trainyard.dev/requester": "ada",
            },
        },
        "spec": {
            "model": "churn",
            "modelType": "xgboost",
            "data": {
                "uri": "s3://trainyard/datasets/churn.csv",
                "target": "churned",
                "exclude": ["customer_id"],
                "holdoutFraction": 0.2,
            },
            "overwrite": False,
            "crossValidation": {"folds": 5},
        },
    }


def test_everything_that_can_be_asked_for(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINYARD_API_RESOURCES", '{"limits": {"cpu": 2, "memory": "4Gi"}}')
    job = build(
        Settings(),
        model_type="all",
        retrain=True,
        use_cv=False,
        hyperparameters={"xgboost": {"max_depth": 6}},
        model="houses",
        dataset={"uri": "s3://mine/houses.parquet", "target": "price", "holdout_fraction": 0.3},
        seed=7,
    )
    assert job["spec"] == {
        "model": "houses",
        "modelType": "all",
        "data": {
            "uri": "s3://mine/houses.parquet",
            "target": "price",
            "exclude": [],
            "holdoutFraction": 0.3,
        },
        "overwrite": True,
        "hyperparameters": {"xgboost": {"max_depth": 6}},
        "seed": 7,
        "resources": {
            "requests": {"cpu": "500m", "memory": "512Mi"},
            "limits": {"cpu": "2", "memory": "4Gi"},
        },
    }
    assert TrainingJobSpec.model_validate(job["spec"])


def test_nobody_in_particular_leaves_no_requester(settings: Settings) -> None:
    job = manifests.training_job(
        TrainingRequest(model_type="xgboost"), name="n", requester=None, settings=settings
    )
    assert set(job["metadata"]["annotations"]) == {"trainyard.dev/request-sha256"}


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (
            {"model_type": "xgboost", "hyperparameters": {"max_dept": 3}},
            "hyperparameters.max_dept",
        ),
        (
            {"model_type": "xgboost", "hyperparameters": {"max_depth": "3"}},
            "hyperparameters.max_depth",
        ),
        (
            {"model_type": "xgboost", "hyperparameters": {"gamma": float("nan")}},
            "hyperparameters.gamma",
        ),
        ({"model_type": "all", "hyperparameters": {"max_depth": 3}}, "hyperparameters.max_depth"),
        (
            {"model_type": "all", "hyperparameters": {"neural-net": {"dropout": 1}}},
            "hyperparameters.neural-net.dropout",
        ),
    ],
)
def test_a_bad_hyperparameter_is_named(
    settings: Settings, request_: dict[str, Any], field: str
) -> None:
    with pytest.raises(Problem) as caught:
        build(settings, **request_)
    assert caught.value.status_code == 422
    assert [error.field for error in caught.value.errors] == [field]


def test_without_any_dataset_the_error_says_what_to_set(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATA_URI", "TARGET"):
        monkeypatch.delenv(f"TRAINYARD_API_{name}")
    with pytest.raises(Problem, match=r"api\.defaults\.data") as caught:
        build(Settings(), model_type="xgboost")
    assert caught.value.status_code == 422


def test_a_random_name_is_new_each_time() -> None:
    first, second = (manifests.random_name("random-forest") for _ in range(2))
    assert first != second
    assert first.startswith("train-random-forest-")


def test_a_keyed_name_depends_on_who_asks_and_on_the_key() -> None:
    name = manifests.keyed_name("ada", "k1")
    assert name == manifests.keyed_name("ada", "k1")
    others = [(None, "k1"), ("ada", "k2"), ("bob", "k1"), ("ada,k1", "")]
    assert name not in {manifests.keyed_name(who, key) for who, key in others}


def test_a_fingerprint_is_of_what_is_meant() -> None:
    short = TrainingRequest(model_type="xgboost", hyperparameters={"max_depth": 3, "gamma": 1})
    long = TrainingRequest.model_validate(
        {"use_cv": True, "hyperparameters": {"gamma": 1, "max_depth": 3}, "model_type": "xgboost"}
    )
    assert fingerprint(short) == manifests.fingerprint(long.model_dump(mode="json"))
    assert fingerprint(short) != fingerprint(TrainingRequest(model_type="xgboost"))
