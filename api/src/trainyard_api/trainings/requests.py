"""What a person asks the Train API for."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from trainyard_schema import DataSpec
from trainyard_schema.spec import ModelTypeOrAll

ModelName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9_.]*[a-z0-9])?$", max_length=63)
]


def _as_it_is(field: str) -> str:
    return field


class RequestedData(DataSpec):
    """Which table to train on, and which of its columns."""

    # The Train API writes all its names in snake_case.
    model_config = ConfigDict(alias_generator=_as_it_is)


class TrainingOptions(BaseModel):
    """How to train. Everything is optional."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        protected_namespaces=(),
        json_schema_extra={"examples": [{"retrain": True, "use_cv": False}]},
    )

    retrain: bool = Field(
        default=False,
        description="Whether to overwrite the existing model: true makes the new version the "
        "current one, false files it beside an existing current one. No version is ever destroyed.",
    )
    use_cv: bool = Field(default=True, description="Use cross-validation during training.")
    hyperparameters: dict[str, Any] | None = Field(
        default=None,
        description="Hyperparameter overrides, named as in the library. "
        "For model type all: one object for each model type.",
    )
    model: ModelName | None = Field(
        default=None,
        description="Name under which versions are filed; default: the name of the dataset's file.",
    )
    dataset: RequestedData | None = Field(
        default=None, description="The table to train on; default: the server's own."
    )
    seed: int | None = Field(
        default=None, ge=0, le=2**31 - 1, description="Seed of every random choice; default 42."
    )


class TrainingRequest(TrainingOptions):
    """What to train, and how."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model_type": "xgboost",
                    "retrain": True,
                    "use_cv": True,
                    "hyperparameters": {"max_depth": 6, "learning_rate": 0.1},
                },
                {"model_type": "all"},
            ]
        }
    )

    model_type: ModelTypeOrAll = Field(description="The model type, or all of them.")
