"""SIGTERM to a run with `onCancel: save`: what is trained by then becomes a partial version."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from trainyard_schema import Reason, RunResult
from trainyard_trainer import scoring

MakeFrame = Callable[..., pd.DataFrame]
ENDLESS = {
    "xgboost": {"n_estimators": 20000, "early_stopping_rounds": 1000, "learning_rate": 0.001},
    "random-forest": {"n_estimators": 5000},
    "neural-net": {"max_epochs": 10000, "patience": 1000, "learning_rate": 1e-5},
}
SAVE = {"onCancel": "save"}


def _interrupt(trainer: Any, process: Any) -> Any:
    process.send_signal(signal.SIGTERM)
    return trainer.wait(process)


@pytest.mark.parametrize("model_type", list(ENDLESS))
def test_a_fit_that_is_cut_short_leaves_a_partial_version(
    *,
    trainer: Any,
    make_frame: MakeFrame,
    s3: Any,
    keys: Callable[..., list[str]],
    wait_for_units: Callable[..., int],
    port: int,
    model_type: str,
) -> None:
    frame = make_frame("binary", rows=2000)
    trainer.put(frame)
    first = trainer.run(model_type).result.version
    process = trainer.start(
        model_type, port=port, hyperparameters=ENDLESS[model_type], overwrite=True, **SAVE
    )
    seen = wait_for_units(process, port, 2)
    outcome = _interrupt(trainer, process)

    assert outcome.code == 143
    assert outcome.result.reason == Reason.INTERRUPTED
    version = outcome.result.version
    assert version.partial
    assert not version.current
    assert version.version in outcome.result.message
    current = s3.get_object(Bucket="trainyard", Key=f"models/made/{model_type}/current.json")
    assert json.loads(current["Body"].read())["version"] == first.version

    folder = trainer.download(outcome.result)
    manifest = scoring.verify(folder)
    assert manifest.partial
    fingerprints = f"models/made/{model_type}/fingerprints/"
    assert keys(fingerprints)
    assert f"{fingerprints}{manifest.fingerprint}.json" not in keys(fingerprints)
    assert manifest.metrics == outcome.result.metrics
    assert "**Partial**" in (folder / "model-card.md").read_text()
    assert "fit ends early" in (folder / "log.txt").read_text()
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert seen <= history[-1]["done"] < history[-1]["total"]
    scorer = scoring.load(folder)
    assert 1 <= scorer._model.fitted.units <= history[-1]["done"]
    assert np.isfinite(scorer.predict(frame)).all()
    assert float(outcome.result.metrics[0].value) > 0.8


def test_without_a_unit_of_the_final_fit_there_is_nothing_to_save(
    *,
    trainer: Any,
    make_frame: MakeFrame,
    keys: Callable[..., list[str]],
    wait_for_units: Callable[..., int],
    stop: Callable[..., float],
    port: int,
) -> None:
    trainer.put(make_frame("binary", rows=2000))
    process = trainer.start(
        "neural-net",
        port=port,
        hyperparameters=ENDLESS["neural-net"],
        crossValidation={"folds": 2},
        **SAVE,
    )
    wait_for_units(process, port, 2)
    assert stop(process) < 5
    assert process.returncode == 143
    result = RunResult.model_validate_json(trainer.termination.read_text())
    assert (result.reason, result.version) == (Reason.INTERRUPTED, None)
    assert keys("models/") == []


def test_a_fit_that_is_complete_becomes_a_whole_version(
    trainer: Any, make_frame: MakeFrame, wait_for_line: Callable[..., str]
) -> None:
    trainer.put(make_frame("binary"))
    process = trainer.start("xgboost", **SAVE)
    wait_for_line(process, "model is trained")
    outcome = _interrupt(trainer, process)
    assert outcome.code == 0
    assert outcome.result.version.current
    assert outcome.result.version.partial is None
    assert not scoring.verify(trainer.download(outcome.result)).partial


def test_a_version_that_cannot_be_saved_is_no_failure_of_the_run(
    *,
    trainer: Any,
    make_frame: MakeFrame,
    wait_for_units: Callable[..., int],
    port: int,
) -> None:
    trainer.put(make_frame("binary"))
    process = trainer.start("xgboost", **SAVE, hyperparameters=ENDLESS["xgboost"], port=port)
    process.kill()
    process.communicate()
    document = trainer.document.replace('"bucket":"trainyard"', '"bucket":"absent"')
    process = trainer.start_again(document, port=port)
    wait_for_units(process, port, 1)
    outcome = _interrupt(trainer, process)
    assert outcome.code == 143
    assert outcome.result.reason == Reason.INTERRUPTED
    assert "nothing is saved: " in outcome.result.message
    assert "the bucket does not exist" in outcome.result.message


_HANGS = """
import threading
from trainyard_trainer.interruption import Interruption
interruption = Interruption()
interruption.allow(1)
print("ready", flush=True)
interruption.requested.wait()
threading.Event().wait()
"""


def test_what_is_not_saved_in_time_is_given_up(
    tmp_path: Path, wait_for_line: Callable[..., str], stop: Callable[..., float]
) -> None:
    message = tmp_path / "termination"
    process = subprocess.Popen(
        [sys.executable, "-c", _HANGS],
        env=os.environ | {"TERMINATION_LOG": str(message)},
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_for_line(process, "ready")
    assert 1 <= stop(process) < 3
    assert process.returncode == 143
    assert RunResult.model_validate_json(message.read_text()).reason == Reason.INTERRUPTED
