"""`trainyard predict` hands over to the trainer's package, where that is installed."""

import sys
from types import ModuleType
from typing import Any

import pytest

from .cli import Trainyard


def test_where_the_trainer_is_not_installed(trainyard: Trainyard) -> None:
    done = trainyard("predict", "--model", "churn", "--input", "rows.csv")
    assert done.code == 1
    assert "pip install ./schema ./client ./trainer-image (missing: trainyard_trainer)" in done.err


def test_the_engine_is_given_all_that_was_said(
    trainyard: Trainyard, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    engine = ModuleType("trainyard_trainer.cli")

    def main(arguments: list[str], *, program: str) -> None:
        given.extend([arguments, program])
        raise SystemExit(65)

    engine.main = main  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "trainyard_trainer", ModuleType("trainyard_trainer"))
    monkeypatch.setitem(sys.modules, "trainyard_trainer.cli", engine)
    words = ("predict", "-m", "churn", "-t", "xgboost", "-i", "rows.csv")
    assert trainyard(*words, program="kubectl-trainyard").code == 65
    assert given == [
        [
            *("predict", "--model", "churn", "--type", "xgboost", "--input", "rows.csv"),
            *("--output", "-", "--bucket", "trainyard"),
        ],
        "kubectl trainyard",
    ]
