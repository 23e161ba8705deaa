"""Hyperparameters by name and range, named as in the libraries, with Trainyard's defaults."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from trainyard_schema.base import Model, explain
from trainyard_schema.spec import ModelType


class _Hyperparameters(Model):
    # Strings are not read as numbers: "6" in a manifest is a slip worth telling.
    # The names are the libraries' own, so they stay snake_case on the wire.
    model_config = ConfigDict(alias_generator=None, strict=True)


class XGBoostHyperparameters(_Hyperparameters):
    """Parameters of `xgboost.XGBModel`."""

    n_estimators: int = Field(default=2000, ge=1, le=20000)
    """Most boosting rounds; early stopping usually ends before."""
    early_stopping_rounds: int = Field(default=50, ge=0, le=1000)
    """Rounds without improvement on the validation part before training stops; 0 turns it off."""
    max_depth: int = Field(default=4, ge=1, le=32)
    learning_rate: float = Field(default=0.03, gt=0, le=1)
    min_child_weight: float | None = Field(default=None, ge=0, le=1e6)
    """Null: one in 1000 of the training rows, from 1 to 5; the manifest holds the number used."""
    gamma: float = Field(default=0.0, ge=0, le=1e6)
    subsample: float = Field(default=0.8, gt=0, le=1)
    colsample_bytree: float = Field(default=0.8, gt=0, le=1)
    reg_alpha: float = Field(default=0.0, ge=0, le=1e6)
    reg_lambda: float = Field(default=1.0, ge=0, le=1e6)
    max_bin: int = Field(default=256, ge=2, le=4096)

    @property
    def planned_units(self) -> int:
        """Boosting rounds at most."""
        return self.n_estimators

    @property
    def stops_early(self) -> bool:
        """Whether fewer rounds may do."""
        return self.early_stopping_rounds > 0


class RandomForestHyperparameters(_Hyperparameters):
    """Parameters of scikit-learn's `RandomForestClassifier` and `RandomForestRegressor`."""

    n_estimators: int = Field(default=300, ge=1, le=5000)
    max_depth: int | None = Field(default=None, ge=1, le=100)
    min_samples_split: int = Field(default=2, ge=2, le=100_000)
    min_samples_leaf: int | None = Field(default=None, ge=1, le=100_000)
    """Null: one in 500 of the training rows, from 1 to 20, or 1 where small forests do better with
    it (up to 10,000 rows); the manifest holds the number used.
    """
    max_features: Literal["auto", "sqrt", "log2"] | Annotated[float, Field(gt=0, le=1)] | None = (
        "auto"
    )
    """Features looked at for each split: a rule, a share of them, or null for all. auto: sqrt for
    classes; for numbers a third, or all where small forests do better with them.
    """

    @property
    def planned_units(self) -> int:
        """Trees."""
        return self.n_estimators

    @property
    def stops_early(self) -> bool:
        """All trees are grown."""
        return False


class NeuralNetHyperparameters(_Hyperparameters):
    """Multilayer perceptrons (ReLU, dropout, AdamW), trained side by side; their mean predicts."""

    ensemble_size: int = Field(default=8, ge=1, le=64)
    """Perceptrons that differ in their first weights."""
    hidden_layer_sizes: list[Annotated[int, Field(ge=1, le=4096)]] = Field(
        default=[64], min_length=1, max_length=8
    )
    dropout: float = Field(default=0.1, ge=0, lt=1)
    learning_rate: float = Field(default=1e-3, gt=0, le=1)
    weight_decay: float = Field(default=0.1, ge=0, le=1)
    batch_size: int | None = Field(default=None, ge=1, le=65536)
    """Null: the power of two nearest to one in 40 of the training rows, from 32 to 128; the
    manifest holds the number used.
    """
    max_epochs: int = Field(default=200, ge=1, le=10_000)
    patience: int = Field(default=10, ge=1, le=1000)
    """Epochs without improvement on the validation part before training stops."""

    @property
    def planned_units(self) -> int:
        """Epochs at most."""
        return self.max_epochs

    @property
    def stops_early(self) -> bool:
        """The net always watches its validation loss."""
        return True


Hyperparameters = XGBoostHyperparameters | RandomForestHyperparameters | NeuralNetHyperparameters

MODELS: Mapping[ModelType, type[Hyperparameters]] = {
    ModelType.XGBOOST: XGBoostHyperparameters,
    ModelType.RANDOM_FOREST: RandomForestHyperparameters,
    ModelType.NEURAL_NET: NeuralNetHyperparameters,
}


class HyperparameterError(ValueError):
    """A hyperparameter has an unknown name or a value out of range. The message names the field."""


def _validate_one(model_type: ModelType, given: Any, *, prefix: str) -> Hyperparameters:
    model = MODELS[model_type]
    if not isinstance(given, Mapping):
        raise HyperparameterError(f"{prefix}: must be an object (got {given!r})")
    unknown = [name for name in given if name not in model.model_fields]
    if unknown:
        raise HyperparameterError(
            f"{prefix}.{unknown[0]}: no hyperparameter of {model_type}; "
            f"use one of {', '.join(sorted(model.model_fields))}"
        )
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        raise HyperparameterError(explain(error, prefix=prefix)) from None


def validate_hyperparameters(
    model_types: tuple[ModelType, ...], given: Mapping[str, Any], *, prefix: str = "hyperparameters"
) -> dict[ModelType, Hyperparameters]:
    """The full hyperparameters of each model type, defaults filled in.

    With one model type, `given` holds its hyperparameters; with several, one object for each type
    by its name.
    Raises `HyperparameterError` for an unknown name, a wrong type or a value out of range.
    """
    if len(model_types) == 1:
        return {model_types[0]: _validate_one(model_types[0], given, prefix=prefix)}
    names = {str(model_type) for model_type in model_types}
    unknown = [name for name in given if name not in names]
    if unknown:
        raise HyperparameterError(
            f"{prefix}.{unknown[0]}: with modelType all, give one object for each model type, "
            f"for example {{xgboost: {{max_depth: 6}}}}; the types are {', '.join(sorted(names))}"
        )
    return {
        model_type: _validate_one(
            model_type, given.get(model_type, {}), prefix=f"{prefix}.{model_type}"
        )
        for model_type in model_types
    }
