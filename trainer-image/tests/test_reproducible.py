"""The same data, spec, seed and threads leave the same model file, whichever process trains it."""

import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from trainyard_schema import ModelType

_TRAIN = """
import json
import sys
from pathlib import Path

import pyarrow.parquet
from trainyard_schema import DataSpec, ModelType, validate_hyperparameters
from trainyard_trainer import training

name, threads, settings = sys.argv[1:4]
model_type = ModelType(name)
for folder in map(Path, sys.argv[4:]):
    dataset = training.validate(
        pyarrow.parquet.read_table(folder / "table.parquet"),
        DataSpec(uri="s3://bucket/key", target="y", exclude=["id"]),
        7,
    )
    given = validate_hyperparameters((model_type,), json.loads(settings))[model_type]
    learner = training.learner_for(dataset, model_type, given, seed=7, threads=int(threads))
    model = training.fit(learner, dataset, dataset.training, lambda done, total, losses: None)
    model.fitted.save(folder / "model.ubj")
"""
_SETTINGS = {
    ModelType.XGBOOST: '{"n_estimators": 60, "subsample": 0.7, "colsample_bytree": 0.6}',
    ModelType.RANDOM_FOREST: '{"n_estimators": 30, "max_depth": 12}',
    ModelType.NEURAL_NET: '{"max_epochs": 5, "dropout": 0.2}',
}


def _hashes(model_type: ModelType, threads: int, folders: list[Path]) -> list[str]:
    """SHA-256 of the models that a fresh process trains, one for each folder's table."""
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "PYTHONHASHSEED": "random",
    }
    arguments = [model_type, str(threads), _SETTINGS[model_type], *map(str, folders)]
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _TRAIN, *arguments], check=True, env=environment
    )
    return [hashlib.sha256((folder / "model.ubj").read_bytes()).hexdigest() for folder in folders]


@pytest.mark.parametrize("model_type", ModelType)
def test_the_same_run_leaves_the_same_bytes(
    model_type: ModelType, make_frame: Callable[..., pd.DataFrame], tmp_path: Path
) -> None:
    folders = [tmp_path / task for task in ("binary", "regression")]
    for folder in folders:
        folder.mkdir()
        # Large enough for the libraries to share the work among threads.
        frame = make_frame(folder.name, rows=6000)
        frame.to_parquet(folder / "table.parquet", index=False)
    once, again = (_hashes(model_type, 1, folders) for _ in range(2))
    assert once == again
    once, again = (_hashes(model_type, 2, folders) for _ in range(2))
    assert once == again


def test_memory_between_the_fields_of_a_node_does_not_matter() -> None:
    from sklearn.tree import DecisionTreeClassifier
    from trainyard_trainer.models import canonical_skops

    rows = np.arange(12, dtype=np.float32)[:, None]
    nodes = DecisionTreeClassifier().fit(rows, rows[:, 0] % 3 > 1).tree_.__getstate__()["nodes"]
    written, cleaned = [], []
    for garbage in (0x00, 0xFF):
        array = np.full(nodes.nbytes, garbage, dtype=np.uint8).view(nodes.dtype)
        for name in nodes.dtype.names:
            array[name] = nodes[name]
        buffer = io.BytesIO()
        np.save(buffer, array)
        written.append(buffer.getvalue())
        cleaned.append(canonical_skops._without_padding(written[-1]))
    assert written[0] != written[1]
    assert cleaned[0] == cleaned[1]
    np.testing.assert_array_equal(np.load(io.BytesIO(cleaned[0])), nodes)
