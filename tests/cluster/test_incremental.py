"""`mode: incremental` in the life of a Model: its champion learns from the rows that came since."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from trainyard_devtools import churn
from trainyard_devtools.kube import Kube
from trainyard_schema import Phase, Reason

from .jobs import Run
from .models import LiveModel
from .store import put_csv, read

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
ROUNDS = 20
PLACE = f"tests/incremental-{secrets.token_hex(4)}"


def put_rows(kube: Kube, name: str, seed: int, **renamed: str) -> dict[str, Any]:
    """Store rows that no other seed has; `spec.data` for them."""
    frame = churn.generate(1500, seed).frame.rename(columns=renamed)
    uri = put_csv(kube, f"{PLACE}/{name}.csv", frame)
    return {"uri": uri, "target": churn.TARGET, "exclude": [churn.ID]}


@pytest.fixture
def growing(kube: Kube) -> Iterator[LiveModel]:
    training = {
        "modelType": "xgboost",
        "mode": "incremental",
        "data": put_rows(kube, "first", seed=1),
        "hyperparameters": {"n_estimators": ROUNDS, "early_stopping_rounds": 0},
    }
    one = LiveModel(kube, training)
    yield one
    kube.kubectl("delete", "model", one.name, "--wait=false")


def rounds(kube: Kube, model: LiveModel, version: str) -> int:
    """How many rounds the model of a version has, as its log tells."""
    log = read(kube, f"models/{model.name}/xgboost/{version}/log.txt").decode()
    [units] = [one["units"] for one in map(json.loads, log.splitlines()) if "partial" in one]
    return int(units)


def test_a_champion_learns_from_new_rows_and_refuses_a_renamed_column(
    kube: Kube, growing: LiveModel
) -> None:
    growing.retrain()
    first = growing.champion(1)
    assert growing.manifest(first).mode == "full"
    assert rounds(kube, growing, first) == ROUNDS

    growing.retrain(data=put_rows(kube, "second", seed=2))
    second = growing.champion(2)
    manifest = growing.manifest(second)
    assert (manifest.mode, manifest.parent_version) == ("incremental", first)
    assert rounds(kube, growing, second) == 2 * ROUNDS
    assert manifest.data[0].uri.endswith("/second.csv")
    # Measured on the rows that the first one was measured on.
    assert manifest.holdout is not None
    assert first in manifest.holdout.uri

    name = growing.request(data=put_rows(kube, "third", seed=3, contract="plan"))
    growing.until("lastRun.phase", Phase.FAILED)
    status = Run(kube, name).status
    assert (status.phase, status.reason, status.attempts) == (
        Phase.FAILED,
        Reason.SCHEMA_MISMATCH,
        1,
    )
    assert second in str(status.message)
    assert "column 'contract' is missing" in str(status.message)
    assert growing.champion(2) == second
