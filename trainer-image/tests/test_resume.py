"""A fit that goes on from a checkpoint gives the model that it would have given at once."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from trainyard_schema import DataSpec, ModelType, validate_hyperparameters
from trainyard_trainer import training

SPEC = DataSpec(uri="s3://bucket/key", target="y", exclude=["id"])
GIVEN: dict[ModelType, dict[str, Any]] = {
    # Beyond the best round, so that it matters what early stopping knew.
    ModelType.XGBOOST: {"n_estimators": 400, "learning_rate": 0.3, "early_stopping_rounds": 10},
    ModelType.RANDOM_FOREST: {"n_estimators": 200},
    ModelType.NEURAL_NET: {"max_epochs": 60, "ensemble_size": 2, "patience": 4, "dropout": 0.2},
}
AFTER = {ModelType.XGBOOST: 12, ModelType.RANDOM_FOREST: 2, ModelType.NEURAL_NET: 4}
SUFFIX = {ModelType.XGBOOST: ".ubj"}


@dataclass
class _Kept:
    """Keeps the state after some units."""

    path: Path
    after: int
    resume: Path | None = None
    calls: int = 0

    def keep(self, write: Callable[[Path], None]) -> None:
        self.calls += 1
        if self.calls == self.after:
            write(self.path)


def _fit(
    learner: training.Learner,
    dataset: training.Dataset,
    kept: _Kept,
    parent: training.TrainedModel | None,
) -> tuple[training.TrainedModel, list[int]]:
    units: list[int] = []

    def report(done: int, total: int, losses: dict[str, float]) -> None:
        units.append(done)

    model = training.fit(learner, dataset, dataset.training, report, parent, checkpoints=kept)
    return model, units


@pytest.mark.parametrize("model_type", ModelType)
@pytest.mark.parametrize(
    ("task", "continued"),
    [("binary", False), ("multiclass", False), ("regression", False), ("binary", True)],
)
def test_the_same_bytes(
    *,
    model_type: ModelType,
    task: str,
    continued: bool,
    make_frame: Callable[..., pd.DataFrame],
    tmp_path: Path,
) -> None:
    def table(seed: int) -> pa.Table:
        return pa.Table.from_pandas(make_frame(task, 600, seed), preserve_index=False)

    dataset = training.validate(table(0), SPEC, 3)
    given = validate_hyperparameters((model_type,), GIVEN[model_type])[model_type]
    learner = training.learner_for(dataset, model_type, given, seed=3, threads=1)
    parent = None
    if continued:
        older = training.validate(table(1), SPEC, 3)
        parent = training.fit(learner, older, older.training, lambda done, total, losses: None)
    suffix = SUFFIX.get(model_type, ".bin")
    kept = _Kept(tmp_path / f"kept{suffix}", after=AFTER[model_type])
    whole, units = _fit(learner, dataset, kept, parent)
    assert kept.calls > kept.after

    shutil.copy(kept.path, tmp_path / f"resumed{suffix}")
    again = _Kept(tmp_path / f"more{suffix}", after=1, resume=tmp_path / f"resumed{suffix}")
    resumed, rest = _fit(learner, dataset, again, parent)
    assert rest[0] > units[kept.after - 1]
    assert rest[-1] == units[-1]
    whole.fitted.save(tmp_path / f"a{suffix}")
    resumed.fitted.save(tmp_path / f"b{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    assert (resumed.threshold, resumed.calibration) == (whole.threshold, whole.calibration)
    assert (resumed.fitted.units, resumed.fitted.chosen) == (
        whole.fitted.units,
        whole.fitted.chosen,
    )
