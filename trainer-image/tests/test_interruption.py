"""SIGTERM in training: gone within five seconds, reason Interrupted, no visible version, nothing
left behind. `test_storage_faults` has it in mid-upload.
"""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from trainyard_schema import Reason, RunResult

MakeFrame = Callable[..., pd.DataFrame]
SLOW = {
    "xgboost": {"n_estimators": 20000, "early_stopping_rounds": 0, "learning_rate": 0.001},
    "random-forest": {"n_estimators": 5000},
    "neural-net": {"max_epochs": 10000, "patience": 1000, "learning_rate": 1e-6},
}


def _check_interrupted(trainer: Any, process: Any) -> None:
    assert process.returncode == 143
    result = RunResult.model_validate_json(trainer.termination.read_text())
    assert result.reason == Reason.INTERRUPTED


@pytest.mark.parametrize("model_type", list(SLOW))
def test_in_training(
    *,
    trainer: Any,
    make_frame: MakeFrame,
    keys: Callable[..., list[str]],
    wait_for_line: Callable[..., str],
    stop: Callable[..., float],
    model_type: str,
) -> None:
    trainer.put(make_frame("binary", rows=4000))
    process = trainer.start(model_type, hyperparameters=SLOW[model_type])
    wait_for_line(process, '"stage": "Training"')
    assert stop(process) < 5
    _check_interrupted(trainer, process)
    assert keys("models/") == []
