"""A run that is killed in its final fit goes on where its last checkpoint is."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import faulty_proxy as faults
import pandas as pd
import pytest
from faulty_proxy import Proxy, proxy_before
from structlog.testing import capture_logs
from trainyard_schema import ModelType, Reason, RunResult, StorageConfig
from trainyard_trainer.checkpoints import CheckpointStore
from trainyard_trainer.storage import Storage

MakeFrame = Callable[..., pd.DataFrame]
BUCKET = "trainyard"
PREFIX = "checkpoints/0000/"
OFTEN = """
from trainyard_trainer import final_fit
final_fit.CHECKPOINT_SECONDS, final_fit.SHARE_OF_TIME = 0.2, 1.0
"""
# Threads that numpy starts inherit what signals are blocked: before them, as in `main`.
ON_SIGTERM = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
from trainyard_trainer import final_fit
final_fit.WORTH_SECONDS = 0.1
"""
UNWRITABLE = """
from pathlib import Path
from trainyard_trainer.checkpoints import CheckpointStore
CheckpointStore.file_name = property(lambda self: "nowhere/model.ubj", lambda self, name: None)
"""
LONG = {
    "xgboost": {"n_estimators": 2000, "early_stopping_rounds": 1000, "learning_rate": 0.01},
    "random-forest": {"n_estimators": 400},
    "neural-net": {"max_epochs": 100, "patience": 100, "learning_rate": 1e-4},
}


def wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def messages(outcome: Any) -> dict[str, dict[str, Any]]:
    return {line["message"]: line for line in outcome.log}


@pytest.mark.parametrize("model_type", list(LONG))
def test_killed_it_goes_on_and_ends_with_the_same_model(
    *,
    trainer: Any,
    make_frame: MakeFrame,
    keys: Callable[..., list[str]],
    model_type: str,
) -> None:
    trainer.put(make_frame("binary"))
    trainer.preamble = OFTEN
    process = trainer.start(model_type, hyperparameters=LONG[model_type])
    wait_until(lambda: any(key.endswith("checkpoint.json") for key in keys(PREFIX)))
    assert process.poll() is None
    process.kill()
    process.communicate()
    resumed = trainer.wait(trainer.start_again(trainer.document))
    assert resumed.code == 0, resumed.result
    going_on = messages(resumed)["goes on from a checkpoint"]
    assert going_on["units"] > 0
    assert "checkpoint is ignored, training begins anew" not in messages(resumed)
    assert keys("checkpoints/") == []

    trainer.preamble = ""
    at_once = trainer.wait(trainer.start_again(trainer.document))
    assert "goes on from a checkpoint" not in messages(at_once)
    assert resumed.result.version.sha256 == at_once.result.version.sha256
    assert resumed.result.metrics == at_once.result.metrics
    told = [
        [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
        for folder in map(trainer.download, (resumed.result, at_once.result))
    ]
    if model_type == "random-forest":
        # Chunks follow the time that trees take.
        assert told[0][-1]["done"] == told[1][-1]["done"]
    else:
        without_times = [[record | {"seconds": 0} for record in records] for records in told]
        assert without_times[0] == without_times[1]
    seconds = [record["seconds"] for record in told[0]]
    assert seconds == sorted(seconds)


def test_sigterm_keeps_what_is_done(
    *,
    trainer: Any,
    make_frame: MakeFrame,
    keys: Callable[..., list[str]],
    wait_for_units: Callable[..., int],
    stop: Callable[..., float],
    port: int,
) -> None:
    trainer.put(make_frame("binary"))
    trainer.preamble = ON_SIGTERM
    process = trainer.start("neural-net", port=port, hyperparameters=LONG["neural-net"])
    seen = wait_for_units(process, port, 10)
    assert stop(process) < 5
    assert process.returncode == 143
    result = RunResult.model_validate_json(trainer.termination.read_text())
    assert result.reason == Reason.INTERRUPTED
    assert len(keys(PREFIX)) == 2
    outcome = trainer.wait(trainer.start_again(trainer.document))
    assert messages(outcome)["goes on from a checkpoint"]["units"] >= seen
    assert keys("checkpoints/") == []


@pytest.fixture
def proxy(endpoint: str) -> Iterator[Proxy]:
    with proxy_before(endpoint) as one:
        yield one


def test_a_store_that_takes_no_checkpoint_does_not_disturb_the_run(
    trainer: Any, proxy: Proxy, make_frame: MakeFrame
) -> None:
    trainer.put(make_frame("binary"))
    trainer.endpoint = proxy.url
    trainer.preamble = OFTEN + "from trainyard_trainer import run\n"
    trainer.preamble += "run._CHECKPOINT_DEADLINE_SECONDS = 0.5\n"
    rule = proxy.fail(faults.unavailable, "PUT", PREFIX)
    outcome = trainer.run("xgboost", hyperparameters=LONG["xgboost"])
    assert outcome.code == 0, outcome.result
    assert rule.count > 1
    assert "gave up" in messages(outcome)["checkpoint is not kept"]["error"]


def test_a_state_that_cannot_be_written_does_not_disturb_the_run(
    trainer: Any, make_frame: MakeFrame, keys: Callable[..., list[str]]
) -> None:
    trainer.put(make_frame("binary"))
    trainer.preamble = OFTEN + UNWRITABLE
    outcome = trainer.run("xgboost", hyperparameters=LONG["xgboost"])
    assert outcome.code == 0, outcome.result
    assert "nowhere" in messages(outcome)["checkpoint is not kept"]["error"]
    assert keys("checkpoints/") == []


def test_killed_while_a_checkpoint_is_replaced_the_one_before_counts(
    *, trainer: Any, proxy: Proxy, make_frame: MakeFrame, keys: Callable[..., list[str]]
) -> None:
    trainer.put(make_frame("binary"))
    trainer.endpoint, trainer.preamble = proxy.url, OFTEN
    process = trainer.start("xgboost", hyperparameters=LONG["xgboost"])
    wait_until(lambda: any(key.endswith("checkpoint.json") for key in keys(PREFIX)))
    with proxy.failing(faults.hang, "PUT", f"{PREFIX}xgboost/checkpoint.json"):
        wait_until(lambda: len(keys(PREFIX)) > 2)
        process.kill()
        process.communicate()
    outcome = trainer.wait(trainer.start_again(trainer.document))
    assert messages(outcome)["goes on from a checkpoint"]["units"] > 0
    assert keys("checkpoints/") == []


def test_a_failure_that_is_not_retried_leaves_no_checkpoint(
    trainer: Any, s3: Any, make_frame: MakeFrame, keys: Callable[..., list[str]]
) -> None:
    trainer.put(make_frame("binary"))
    s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}xgboost/checkpoint.json", Body=b"{}")
    assert trainer.run("xgboost", data={"target": "z"}).result.reason == Reason.INVALID_DATA
    assert keys("checkpoints/") == []


HISTORY = [{"fit": "final", "done": 7, "total": 9, "seconds": 1.5}]


@pytest.fixture
def store(endpoint: str, s3: Any, tmp_path: Path) -> Iterator[CheckpointStore]:
    storage = Storage(
        StorageConfig(bucket=BUCKET, endpoint_url=endpoint),
        failure=Reason.UPLOAD_FAILED,
        deadline_seconds=1,
    )
    one = CheckpointStore(storage, "0000", ModelType.XGBOOST)
    (tmp_path / "state").write_bytes(b"rounds")
    one.put("mark", tmp_path / "state", HISTORY)
    yield one
    storage.client.close()


def test_one_checkpoint_is_kept(
    store: CheckpointStore, tmp_path: Path, keys: Callable[..., list[str]]
) -> None:
    first = set(keys(PREFIX))
    (tmp_path / "state").write_bytes(b"more rounds")
    store.put("mark", tmp_path / "state", HISTORY)
    assert len(keys(PREFIX)) == 2
    assert len(first & set(keys(PREFIX))) == 1
    found = store.find("mark", tmp_path / "found")
    assert found is not None
    assert (found.units, found.history) == (7, HISTORY)
    assert (tmp_path / "found").read_bytes() == b"more rounds"
    store.remove()
    assert keys("checkpoints/") == []


def _replace(s3: Any, end: str, change: Callable[[bytes], bytes | None]) -> None:
    for item in s3.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX)["Contents"]:
        if item["Key"].endswith(end):
            at = {"Bucket": BUCKET, "Key": item["Key"]}
            body = change(s3.get_object(**at)["Body"].read())
            if body is None:
                s3.delete_object(**at)
            else:
                s3.put_object(**at, Body=body)


@pytest.mark.parametrize(
    ("end", "change", "why"),
    [
        ("model.ubj", lambda body: b"R" + body[1:], "file is damaged"),
        ("model.ubj", lambda body: body[:-1], "file is damaged"),
        ("model.ubj", lambda body: None, "NoSuchKey"),
        ("checkpoint.json", lambda body: body[:-1], "is damaged, or of another version"),
        (
            "checkpoint.json",
            lambda body: body.replace(b'"checkpointVersion":1', b'"checkpointVersion":0'),
            "of another version of the trainer",
        ),
        (
            "checkpoint.json",
            lambda body: body.replace(b'"mark"', b'"other"'),
            "belongs to other data, spec, libraries, threads or image",
        ),
    ],
)
def test_what_does_not_fit_is_ignored(
    *,
    store: CheckpointStore,
    s3: Any,
    tmp_path: Path,
    end: str,
    change: Callable[[bytes], bytes | None],
    why: str,
) -> None:
    _replace(s3, end, change)
    with capture_logs() as logs:
        assert store.find("mark", tmp_path / "found") is None
    assert why in logs[-1]["why"]
    assert logs[-1]["log_level"] == "warning"
