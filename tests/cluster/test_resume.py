"""A run whose pod is taken away in mid-training goes on where it was."""

import json
from datetime import timedelta

import pytest
from trainyard_devtools.kube import Kube
from trainyard_schema import Phase, Reason, TrainingJobStatus

from .conftest import Submit
from .store import key_of, keys, manifest_of, read

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
EPOCHS = 240
WORTH_KEEPING = timedelta(seconds=10)
"""A trainer that is stopped keeps what has taken longer."""


def test_a_deleted_pod_costs_no_epoch_and_no_retry(kube: Kube, submit: Submit) -> None:
    run = submit(
        modelType="neural-net",
        hyperparameters={"max_epochs": EPOCHS, "patience": EPOCHS, "batch_size": 16},
        backoffLimit=1,
    )
    trained = run.until(lambda status: done(status) > 0)
    assert trained.progress is not None
    since = trained.progress.updated_at
    run.until(
        lambda status: (
            status.progress is not None and status.progress.updated_at - since > WORTH_KEEPING
        )
    )
    [first] = run.pod_uids
    kube.kubectl("delete", "pod", "-l", run.selector)

    place = f"checkpoints/{kube.training_job(run.name)['metadata']['uid']}/neural-net/"
    checkpoint = json.loads(read(kube, f"{place}checkpoint.json"))
    kept = checkpoint["history"][-1]["done"]
    assert 0 < kept < EPOCHS

    again = run.until(lambda status: status.attempts == 2 and status.stage == "Training")
    assert again.last_failure is not None
    assert again.last_failure.reason == Reason.INTERRUPTED
    [second] = run.pod_uids
    assert second != first
    status = run.until_phase(Phase.SUCCEEDED, timeout=300)
    assert status.attempts == 2

    [version] = status.models
    assert manifest_of(kube, version).pod_uid == second
    log = read(kube, key_of(version.uri) + "log.txt").decode()
    assert [
        line["units"]
        for line in map(json.loads, log.splitlines())
        if line["message"] == "goes on from a checkpoint"
    ] == [kept]
    history = read(kube, key_of(version.uri) + "history.jsonl").decode()
    records = [json.loads(line) for line in history.splitlines()]
    assert [record["done"] for record in records] == list(range(1, EPOCHS + 1))
    assert records[:kept] == checkpoint["history"]
    assert keys(kube, place) == [], "nobody goes on from what is published"


def done(status: TrainingJobStatus) -> int:
    """Epochs that are done."""
    return (status.progress and status.progress.done) or 0
