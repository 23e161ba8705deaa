import pytest
from trainyard_schema import (
    EXIT_CODES,
    ModelType,
    RunConfig,
    StorageConfig,
    TrainingJobSpec,
    VersionKey,
    names,
    run_config,
)
from trainyard_schema.hyperparameters import HyperparameterError
from trainyard_schema.run import NOT_RETRIED, model_type_of_pod

STORAGE = StorageConfig(bucket="trainyard")
SPEC: dict[str, object] = {
    "modelType": "all",
    "data": {"uri": "s3://trainyard/a.csv", "target": "y"},
}


def config_of(spec: dict[str, object]) -> RunConfig:
    return run_config(
        TrainingJobSpec.model_validate(spec),
        namespace="ml",
        name="churn-all",
        uid="1",
        storage=STORAGE,
        image="trainer:1",
    )


def test_the_model_is_called_like_the_job_unless_said_otherwise() -> None:
    assert config_of(SPEC).model == "churn-all"
    assert config_of(SPEC | {"model": "churn"}).model == "churn"


def test_hyperparameters_are_complete() -> None:
    config = config_of(SPEC | {"hyperparameters": {"xgboost": {"max_depth": 3}}})
    assert set(config.hyperparameters) == set(ModelType)
    assert config.hyperparameters[ModelType.XGBOOST]["max_depth"] == 3
    assert "n_estimators" in config.hyperparameters[ModelType.RANDOM_FOREST]


def test_a_bad_hyperparameter_is_named_from_the_spec_down() -> None:
    with pytest.raises(HyperparameterError, match=r"^spec\.hyperparameters\.x: "):
        config_of(SPEC | {"hyperparameters": {"x": 1}})


def test_the_document_survives_the_journey() -> None:
    config = config_of(SPEC)
    assert RunConfig.model_validate_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("index", "types", "kind"),
    [
        ("1", None, ModelType.RANDOM_FOREST),
        ("0", "neural-net", ModelType.NEURAL_NET),
        ("1", "xgboost,neural-net", ModelType.NEURAL_NET),
        ("1", "neural-net", None),
        ("0", "of-a-later-version", None),
        ("", None, None),
    ],
)
def test_which_model_type_a_pod_trains(
    index: str, types: str | None, kind: ModelType | None
) -> None:
    annotations = {names.COMPLETION_INDEX_ANNOTATION: index}
    if types is not None:
        annotations[names.MODEL_TYPES_ANNOTATION] = types
    assert model_type_of_pod(annotations, list(ModelType)) is kind


def test_exit_codes_tell_the_reasons_apart() -> None:
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES)
    assert set(NOT_RETRIED) <= set(EXIT_CODES)


def test_a_manifest_key_is_read_back() -> None:
    key = VersionKey("churn", ModelType.XGBOOST, "20260101T000000Z-00000000")
    assert key.manifest == "models/churn/xgboost/20260101T000000Z-00000000/manifest.json"
    assert VersionKey.from_manifest_key(key.manifest) == key


@pytest.mark.parametrize(
    "key",
    ["models/churn/xgboost/current.json", "models/churn/svm/1/manifest.json", "datasets/churn.csv"],
)
def test_other_keys_are_no_manifests(key: str) -> None:
    assert VersionKey.from_manifest_key(key) is None
