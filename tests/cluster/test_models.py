"""A Model through all of its life: promoted, rejected, promoted, rolled back, used by its name."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from trainyard_devtools import churn
from trainyard_devtools.kube import Kube
from trainyard_devtools.repo import BUCKET
from trainyard_schema import (
    CurrentPointer,
    Manifest,
    ModelStatus,
    ModelType,
    Phase,
    TransitionRecord,
    VersionKey,
    names,
)
from trainyard_schema.artifacts import champion_key, history_prefix

from .scoring import score, trainyard

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
OPERATOR = "app.kubernetes.io/component=controller"
FAIR: dict[str, Any] = {"n_estimators": 15, "max_depth": 2}
BAD: dict[str, Any] = {"n_estimators": 1, "max_depth": 1}
GOOD: dict[str, Any] = {"n_estimators": 200, "max_depth": 4, "learning_rate": 0.05}


class LiveModel:
    """A Model in the cluster."""

    def __init__(self, kube: Kube, dataset: str, **spec: Any) -> None:
        self.kube = kube
        self.name = f"test-model-{secrets.token_hex(3)}"
        self._retrained = 0
        data = {"uri": dataset, "target": churn.TARGET, "exclude": [churn.ID]}
        training = {"modelType": "xgboost", "data": data, "hyperparameters": FAIR}
        kube.apply(
            {
                "apiVersion": names.API_VERSION,
                "kind": names.MODEL_KIND,
                "metadata": {"name": self.name},
                "spec": {"template": {"spec": training}, **spec},
            }
        )

    @property
    def status(self) -> ModelStatus:
        text = self.kube.kubectl("get", "model", self.name, "-o", "json")
        return ModelStatus.from_stored(json.loads(text).get("status", {}))

    def until(self, path: str, value: object, timeout: int = 300) -> ModelStatus:
        """The status once a field has a value."""
        wanted = f"--for=jsonpath={{.status.{path}}}={value}"
        self.kube.kubectl("wait", f"model/{self.name}", wanted, f"--timeout={timeout}s")
        return self.status

    def annotate(self, **annotations: str) -> None:
        pairs = [f"{names.GROUP}/{key}={value}" for key, value in annotations.items()]
        self.kube.kubectl("annotate", "model", self.name, *pairs, "--overwrite")

    def retrain(self, hyperparameters: dict[str, Any]) -> ModelStatus:
        """Train with these; the status once it was decided about the run."""
        # A merge patch would keep what is not named.
        patch = [
            {
                "op": "replace",
                "path": "/spec/template/spec/hyperparameters",
                "value": hyperparameters,
            }
        ]
        self.kube.kubectl("patch", "model", self.name, "--type=json", "-p", json.dumps(patch))
        self._retrained += 1
        self.annotate(retrain=str(self._retrained))
        self.until("lastHandledRetrain", self._retrained)
        uid = self.kube.kubectl("get", "model", self.name, "-o", "jsonpath={.metadata.uid}")
        run = names.requested_run_name(self.name, uid, str(self._retrained))
        status = self.until("lastVerdict.run", run)
        assert status.last_run is not None
        assert (status.last_run.name, status.last_run.phase) == (run, Phase.SUCCEEDED)
        return status

    def champion(self, transition: int) -> str:
        """The champion's version, once the store names it."""
        status = self.until("published", transition, timeout=120)
        assert status.champion is not None
        assert status.champion.transition == transition
        pointer = CurrentPointer.model_validate_json(self.read(champion_key(self.name)))
        assert (pointer.version, pointer.transition) == (status.champion.version, transition)
        assert pointer.uri == status.champion.uri
        return pointer.version

    def read(self, key: str) -> bytes:
        with self.kube.s3() as s3:
            body: bytes = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body

    def history(self) -> list[TransitionRecord]:
        keys = [key for key in self.keys() if key.startswith(history_prefix(self.name))]
        return [TransitionRecord.model_validate_json(self.read(key)) for key in keys]

    def manifest(self, version: str) -> Manifest:
        key = VersionKey(self.name, ModelType.XGBOOST, version).manifest
        return Manifest.model_validate_json(self.read(key))

    def keys(self) -> list[str]:
        with self.kube.s3() as s3:
            listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"models/{self.name}/")
        return [item["Key"] for item in listed.get("Contents", [])]


@pytest.fixture
def gated(kube: Kube, dataset: str) -> Iterator[LiveModel]:
    gate = {"metric": "roc_auc", "floor": 0.7, "margin": 0.01}
    one = LiveModel(kube, dataset, promotion={"gate": gate}, historyLimits={"versions": 0})
    yield one
    kube.kubectl("delete", "model", one.name, "--wait=false")


def outcome(status: ModelStatus) -> str:
    assert status.last_verdict is not None
    return status.last_verdict.outcome


def test_the_whole_life_of_a_champion(kube: Kube, gated: LiveModel) -> None:
    status = gated.retrain(FAIR)
    assert outcome(status) == "Promoted", status.to_json()
    fair = gated.champion(1)

    status = gated.retrain(BAD)
    assert outcome(status) == "Rejected", status.to_json()
    assert status.last_verdict is not None
    bad = status.last_verdict.version
    assert any("roc_auc" in reason for reason in status.last_verdict.reasons)
    assert gated.champion(1) == fair

    status = gated.retrain(GOOD)
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
    gated.retrain(BAD)
    versions = {key.version for key in map(VersionKey.from_manifest_key, gated.keys()) if key}
    assert {fair, good} <= versions
    assert bad not in versions


def test_the_operator_may_be_killed_at_any_time(kube: Kube, gated: LiveModel) -> None:
    gated.retrain(FAIR)
    first = gated.champion(1)
    gated.retrain(GOOD)
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
    gated.retrain(FAIR)
    champion = gated.champion(1)
    text = kube.kubectl("get", "model", gated.name, "-o", "json")
    document = json.loads(text)
    kube.kubectl("delete", "model", gated.name, "--timeout=60s")
    fresh = {key: document[key] for key in ("apiVersion", "kind", "spec")}
    kube.apply({**fresh, "metadata": {"name": gated.name}})
    gated.until("champion.version", champion, timeout=60)
    assert gated.champion(1) == champion
