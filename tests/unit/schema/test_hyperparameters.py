from typing import Any

import pytest
from trainyard_schema import ModelType, validate_hyperparameters
from trainyard_schema.hyperparameters import MODELS, HyperparameterError

ALL = tuple(ModelType)


@pytest.mark.parametrize("model_type", ALL)
def test_nothing_given_means_the_defaults(model_type: ModelType) -> None:
    assert validate_hyperparameters((model_type,), {}) == {model_type: MODELS[model_type]()}


def test_given_values_stand_beside_the_defaults() -> None:
    result = validate_hyperparameters((ModelType.XGBOOST,), {"max_depth": 9, "learning_rate": 1})
    assert result[ModelType.XGBOOST].model_dump() == MODELS[ModelType.XGBOOST]().model_dump() | {
        "max_depth": 9,
        "learning_rate": 1.0,
    }


@pytest.mark.parametrize(
    ("model_types", "given", "message"),
    [
        ((ModelType.XGBOOST,), {"depth": 3}, "hyperparameters.depth: no hyperparameter of xgboost"),
        ((ModelType.XGBOOST,), {"max_depth": 0}, "hyperparameters.max_depth: Input should be gre"),
        ((ModelType.XGBOOST,), {"max_depth": "6"}, "hyperparameters.max_depth: Input should be a"),
        ((ModelType.NEURAL_NET,), {"hidden_layer_sizes": []}, "hyperparameters.hidden_layer_sizes"),
        (ALL, {"max_depth": 6}, "hyperparameters.max_depth: with modelType all, give one object"),
        (ALL, {"random-forest": {"max_depth": 0}}, "hyperparameters.random-forest.max_depth: "),
        (ALL, {"xgboost": 3}, "hyperparameters.xgboost: must be an object (got 3)"),
    ],
)
def test_a_bad_hyperparameter_is_named(
    model_types: tuple[ModelType, ...], given: dict[str, Any], message: str
) -> None:
    with pytest.raises(HyperparameterError) as caught:
        validate_hyperparameters(model_types, given)
    assert str(caught.value).startswith(message)
