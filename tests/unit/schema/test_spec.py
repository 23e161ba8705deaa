from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError
from trainyard_schema import ModelType, TrainingJobSpec
from trainyard_schema.base import explain
from trainyard_schema.spec import parse_quantity

DATA = {"uri": "s3://trainyard/datasets/churn.csv", "target": "churned"}
MINIMAL: dict[str, Any] = {"modelType": "xgboost", "data": DATA}


def test_a_minimal_spec_has_the_documented_defaults() -> None:
    assert TrainingJobSpec.model_validate(MINIMAL).to_dict() == {
        "modelType": "xgboost",
        "data": {**DATA, "exclude": [], "holdoutFraction": 0.2},
        "mode": "full",
        "skipIfUnchanged": False,
        "onCancel": "discard",
        "overwrite": False,
        "hyperparameters": {},
        "seed": 42,
        "resources": {
            "requests": {"cpu": "500m", "memory": "512Mi"},
            "limits": {"cpu": "1", "memory": "1Gi"},
        },
        "backoffLimit": 2,
        "ttlSecondsAfterFinished": 86400,
        "suspend": False,
        "cancel": False,
        "nodeSelector": {},
        "tolerations": [],
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"modelType": "svm"}, "modelType: Input should be 'xgboost'"),
        ({"mode": "partial"}, "mode: Input should be 'full' or 'incremental' (got 'partial')"),
        ({"image": "evil"}, "image: Extra inputs are not permitted"),
        ({"data": {**DATA, "uri": "/etc/passwd"}}, "data.uri: String should match"),
        ({"data": {**DATA, "exclude": ["churned"]}}, "data: exclude must not contain the target"),
        ({"data": {**DATA, "holdoutFraction": 0.9}}, "data.holdoutFraction: Input should be less"),
        (
            {"resources": {"limits": {"memory": "256Mi"}}},
            "resources: requests.memory 512Mi is more than limits.memory 256Mi",
        ),
        ({"resources": {"limits": {"cpu": "much"}}}, "resources.limits.cpu: String should match"),
        (
            {"oomRetry": {"maxMemory": "1024Mi"}},
            "oomRetry.maxMemory 1024Mi is not more than resources.limits.memory 1Gi",
        ),
        (
            {"oomRetry": {"factor": 1, "maxMemory": "2Gi"}},
            "oomRetry.factor: Input should be greater than or equal to 1.25",
        ),
        ({"model": "../../etc"}, "model: String should match"),
        ({"managedBy": "multikueue"}, "managedBy: String should match"),
        ({"managedBy": "kueue.x-k8s.io/" + "m" * 50}, "managedBy: String should have at most 63"),
        ({"seed": -1}, "seed: Input should be greater than or equal to 0 (got -1)"),
    ],
)
def test_a_bad_spec_is_refused_by_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TrainingJobSpec.model_validate(MINIMAL | change)
    assert message in explain(caught.value)


def test_cpu_may_be_written_as_a_number() -> None:
    spec = TrainingJobSpec.model_validate(MINIMAL | {"resources": {"limits": {"cpu": 2}}})
    assert spec.resources.limits.cpu == "2"


def test_a_stored_spec_of_another_version_is_still_read() -> None:
    assert TrainingJobSpec.from_stored(MINIMAL | {"fieldOfTomorrow": 1}).seed == 42


def test_all_trains_each_type_once() -> None:
    spec = TrainingJobSpec.model_validate(MINIMAL | {"modelType": "all"})
    assert spec.model_types == (ModelType.XGBOOST, ModelType.RANDOM_FOREST, ModelType.NEURAL_NET)


@pytest.mark.parametrize(
    ("text", "number"),
    [("500m", "0.5"), ("2", "2"), ("1Gi", "1073741824"), ("1.5G", "1500000000")],
)
def test_quantities(text: str, number: str) -> None:
    assert parse_quantity(text) == Decimal(number)
