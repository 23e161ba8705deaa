"""The contract of Trainyard.

Everything that crosses a boundary is defined here once: TrainingJob and Model (spec, status, CRDs),
the document that the operator hands to the trainer, the one that the trainer hands back, the files
of a model version, and all names.
"""

from trainyard_schema.artifacts import CurrentPointer, Manifest, ManifestFile, VersionKey
from trainyard_schema.base import Model
from trainyard_schema.hyperparameters import (
    Hyperparameters,
    NeuralNetHyperparameters,
    RandomForestHyperparameters,
    XGBoostHyperparameters,
    validate_hyperparameters,
)
from trainyard_schema.retraining import (
    HistoryLimits,
    ModelCondition,
    ModelConditionType,
    ModelSpec,
    ModelStatus,
    RunSummary,
    RunTemplate,
    SuccessfulRun,
)
from trainyard_schema.run import EXIT_CODES, RunConfig, RunResult, StorageConfig, run_config
from trainyard_schema.spec import (
    CrossValidation,
    DataSpec,
    ModelType,
    Resources,
    TrainingJobSpec,
    TrainingSpec,
)
from trainyard_schema.status import (
    TERMINAL_PHASES,
    Condition,
    ConditionType,
    LastFailure,
    Metric,
    ModelVersion,
    Phase,
    Progress,
    ProgressUnit,
    Reason,
    Stage,
    TrainingJobStatus,
)

__all__ = [
    "EXIT_CODES",
    "TERMINAL_PHASES",
    "Condition",
    "ConditionType",
    "CrossValidation",
    "CurrentPointer",
    "DataSpec",
    "HistoryLimits",
    "Hyperparameters",
    "LastFailure",
    "Manifest",
    "ManifestFile",
    "Metric",
    "Model",
    "ModelCondition",
    "ModelConditionType",
    "ModelSpec",
    "ModelStatus",
    "ModelType",
    "ModelVersion",
    "NeuralNetHyperparameters",
    "Phase",
    "Progress",
    "ProgressUnit",
    "RandomForestHyperparameters",
    "Reason",
    "Resources",
    "RunConfig",
    "RunResult",
    "RunSummary",
    "RunTemplate",
    "Stage",
    "StorageConfig",
    "SuccessfulRun",
    "TrainingJobSpec",
    "TrainingJobStatus",
    "TrainingSpec",
    "VersionKey",
    "XGBoostHyperparameters",
    "run_config",
    "validate_hyperparameters",
]
