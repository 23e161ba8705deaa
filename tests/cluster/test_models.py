"""A Model through all of its life: promoted, rejected, promoted, rolled back, used by its name."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from trainyard_devtools import churn
from trainyard_devtools.kube import Kube
from trainyard_schema import ModelStatus

from .models import LiveModel
from .scoring import score, trainyard
from .store import versions

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
OPERATOR = "app.kubernetes.io/component=controller"
FAIR: dict[str, Any] = {"n_estimators": 15, "max_depth": 2}
BAD: dict[str, Any] = {"n_estimators": 1, "max_depth": 1}
GOOD: dict[str, Any] = {"n_estimators": 200, "max_depth": 4, "learning_rate": 0.05}


@pytest.fixture
def gated(kube: Kube, dataset: str) -> Iterator[LiveModel]:
    gate = {"metric": "roc_auc", "floor": 0.7, "margin": 0.01}
    data = {"uri": dataset, "target": churn.TARGET, "exclude": [churn.ID]}
    training = {"modelType": "xgboost", "data": data, "hyperparameters": FAIR}
    one = LiveModel(kube, training, promotion={"gate": gate}, historyLimits={"versions": 0})
    yield one
    kube.kubectl("delete", "model", one.name, "--wait=false")


def outcome(status: ModelStatus) -> str:
    assert status.last_verdict is not None
    return status.last_verdict.outcome


def test_the_whole_life_of_a_champion(kube: Kube, gated: LiveModel) -> None:
    status = gated.retrain(hyperparameters=FAIR)
    assert outcome(status) == "Promoted", status.to_json()
    fair = gated.champion(1)

    status = gated.retrain(hyperparameters=BAD)
    assert outcome(status) == "Rejected", status.to_json()
    assert status.last_verdict is not None
    bad = status.last_verdict.version
    assert any("roc_auc" in reason for reason in status.last_verdict.reasons)
    assert gated.champion(1) == fair

    status = gated.retrain(hyperparameters=GOOD)
    assert outcome(status) == "Promoted", status.to_json()
    good = gated.champion(2)
    assert len({fair, bad, good}) == 3

    # Both were measured on the same rows.
    first, second = gated.manifest(fair), gated.manifest(good)
    assert first.holdout_rows == second.holdout_rows
    assert second.holdout is not None
    assert fair in second.holdout.uri

    fresh = churn.generate(2000, seed=9)
    rows, labels = fresh.frame.drop(columns=churn.TARGET), fresh.frame[churn.TARGET] == "yes"
    by_name = score(kube, gated.name, rows)
    better = churn.roc_auc(labels.to_numpy(), by_name[:, 1])

    gated.annotate(rollback="1")
    assert gated.champion(3) == fair
    before = churn.roc_auc(labels.to_numpy(), score(kube, gated.name, rows)[:, 1])
    assert before < better

    records = gated.history()
    assert [(one.number, one.action, one.version) for one in records] == [
        (1, "Promoted", fair),
        (2, "Promoted", good),
        (3, "RolledBack", fair),
    ]
    assert records[1].verdict is not None
    assert records[1].verdict.champion_value is not None
    assert records[2].by == "kubectl-annotate"
    title, *lines = trainyard(kube, "history", "--model", gated.name).splitlines()
    assert title.startswith("NUMBER")
    assert [line.split()[0] for line in lines] == ["3", "2", "1"]
    at = records[1].time.isoformat()
    told = trainyard(kube, "history", "--model", gated.name, "--at", at)
    assert f"xgboost/{good}" in told

    # Nobody uses the rejected version, and none beside those in use are to be kept.
    gated.retrain(hyperparameters=BAD)
    left = versions(kube, gated.name)
    assert {fair, good} <= left
    assert bad not in left


def test_the_operator_may_be_killed_at_any_time(kube: Kube, gated: LiveModel) -> None:
    gated.retrain(hyperparameters=FAIR)
    first = gated.champion(1)
    gated.retrain(hyperparameters=GOOD)
    second = gated.champion(2)
    for number in range(3, 6):
        gated.annotate(rollback=str(number))
        kube.kubectl(
            "delete", "pod", "-l", "app.kubernetes.io/component=controller", "--wait=false"
        )
        expected = first if number % 2 else second
        assert gated.champion(number) == expected
    assert [one.number for one in gated.history()] == [1, 2, 3, 4, 5]


def test_a_model_that_is_created_again_has_its_champion(kube: Kube, gated: LiveModel) -> None:
    gated.retrain(hyperparameters=FAIR)
    champion = gated.champion(1)
    text = kube.kubectl("get", "model", gated.name, "-o", "json")
    document = json.loads(text)
    kube.kubectl("delete", "model", gated.name, "--timeout=60s")
    fresh = {key: document[key] for key in ("apiVersion", "kind", "spec")}
    kube.apply({**fresh, "metadata": {"name": gated.name}})
    gated.until("champion.version", champion, timeout=60)
    assert gated.champion(1) == champion
