"""`skipIfUnchanged`: what would be the same again is not trained again."""

import secrets

import pytest
from trainyard_devtools import churn
from trainyard_devtools.kube import Kube
from trainyard_schema import Phase, TrainingJobStatus

from .conftest import Submit
from .store import put_csv, versions

pytestmark = pytest.mark.cluster


def test_only_other_data_are_trained_on(kube: Kube, submit: Submit) -> None:
    model = f"test-unchanged-{secrets.token_hex(3)}"
    key = f"tests/{model}.csv"

    def train(seed: int) -> TrainingJobStatus:
        """A run on rows that follow from the seed, always at the same place."""
        uri = put_csv(kube, key, churn.generate(1000, seed).frame)
        data = {"uri": uri, "target": churn.TARGET, "exclude": [churn.ID]}
        run = submit(
            model=model, data=data, skipIfUnchanged=True, hyperparameters={"n_estimators": 10}
        )
        return run.until_phase(Phase.SUCCEEDED)

    first = train(seed=1).models[0]
    assert not first.unchanged

    status = train(seed=1)
    [same] = status.models
    assert same.unchanged
    assert (same.version, same.sha256) == (first.version, first.sha256)
    assert status.message == f"unchanged since xgboost {first.version}"
    assert status.metrics
    assert versions(kube, model) == {first.version}

    [other] = train(seed=2).models
    assert not other.unchanged
    assert versions(kube, model) == {first.version, other.version}
