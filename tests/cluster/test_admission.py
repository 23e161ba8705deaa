"""What the API server refuses before anything runs."""

import json
from typing import Any

import pytest
from trainyard_devtools.kube import Kube
from trainyard_devtools.steps import StepError

from .conftest import Submit
from .jobs import manifest

pytestmark = pytest.mark.cluster
URI = "s3://trainyard/tests/churn.csv"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"modelType": "svm"}, 'spec.modelType: Unsupported value: "svm"'),
        ({"mode": "partial"}, 'spec.mode: Unsupported value: "partial"'),
        ({"image": "evil"}, 'unknown field "spec.image"'),
        ({"data": {"uri": "file:///etc/passwd", "target": "y"}}, "spec.data.uri: Invalid value"),
        (
            {"data": {"uri": URI, "target": "y", "exclude": ["y"]}},
            "exclude must not contain the target",
        ),
        (
            {"resources": {"requests": {"memory": "2Gi"}}},
            "requests.memory must not be more than limits.memory",
        ),
        ({"crossValidation": {"folds": 1}}, "spec.crossValidation.folds"),
        ({"backoffLimit": -1}, "spec.backoffLimit"),
    ],
)
def test_a_bad_spec_is_refused_at_admission(kube: Kube, spec: dict[str, Any], message: str) -> None:
    with pytest.raises(StepError) as caught:
        kube.kubectl("create", "-f", "-", stdin=json.dumps(manifest(URI, **spec)))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"modelType": "random-forest"}, "modelType"),
        ({"hyperparameters": {"max_depth": 3}}, "hyperparameters"),
        ({"crossValidation": {"folds": 3}}, "crossValidation"),
        ({"seed": 1}, "seed"),
        ({"data": {"target": "other"}}, "data"),
        ({"resources": {"limits": {"memory": "3Gi"}}}, "resources"),
    ],
)
def test_what_is_trained_cannot_be_changed(
    submit: Submit, change: dict[str, Any], field: str
) -> None:
    run = submit(suspend=True, hyperparameters={"max_depth": 6})
    with pytest.raises(StepError, match=f"{field} is immutable: create a new TrainingJob"):
        run.patch(**change)


def test_numbers_are_quantities_too(submit: Submit) -> None:
    run = submit(suspend=True, resources={"limits": {"cpu": 2}})
    assert run.kube.training_job(run.name)["spec"]["resources"]["limits"]["cpu"] == 2
