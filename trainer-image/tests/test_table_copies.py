"""How much memory the data take beside the table itself."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

_ROWS = 800_000
_BLOCKS_BYTES = 5 * (8 << 20)
"""What one thread has of a CSV file at a time."""
_RUN = """
import json, os, sys
from pathlib import Path
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from trainyard_trainer import main
import pyarrow as pa
from trainyard_schema import DataSpec, ModelType, validate_hyperparameters
from trainyard_schema.artifacts import DataSource
from trainyard_trainer import dataset, training
from trainyard_trainer.division import Frozen, divide

pool = pa.default_memory_pool()
source = DataSource(uri="s3://bucket/key", etag="", sha256="", size_bytes=0)
table = dataset.read([(Path(sys.argv[1]), source)])
size, reading = table.nbytes, pool.max_memory()
spec = DataSpec(uri="s3://bucket/key", target="y")
if sys.argv[2] == "frozen":
    rows = table.slice(0, 1000)
    rows = pa.Table.from_pylist(rows.to_pylist(), rows.schema)
    tables = [table]
    del table
    frozen = Frozen(rows, "the holdout", required=True)
    checked = training.prepare(divide(tables.pop(), spec, 1, frozen), spec)
else:
    checked = training.validate(table, spec, seed=1)
    del table
given = {"n_estimators": 1, "early_stopping_rounds": 1}
complete = validate_hyperparameters((ModelType.XGBOOST,), given)[ModelType.XGBOOST]
learner = training.learner_for(checked, ModelType.XGBOOST, complete, seed=1, threads=1)
training.fit(learner, checked, checked.training, lambda *_: None)
print(json.dumps([pool.backend_name, size, reading, pool.max_memory()]))
"""


@pytest.mark.parametrize("holdout", ["drawn", "frozen"])
def test_there_is_never_a_second_copy_of_the_table(tmp_path: Path, holdout: str) -> None:
    random = np.random.default_rng(0)
    columns = {f"n{i}": random.normal(size=_ROWS).round(6) for i in range(10)}
    words = pa.array([f"level-{i}" for i in range(40)])
    text = {f"c{i}": words.take(pa.array(random.integers(0, 40, _ROWS))) for i in range(5)}
    target = pa.array(["no", "yes"]).take(pa.array(random.integers(0, 2, _ROWS)))
    path = tmp_path / "table.csv"
    pa.csv.write_csv(pa.table({**columns, **text, "y": target}), path)

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _RUN, path, holdout],
        capture_output=True,
        text=True,
        check=True,
    )
    allocator, size, reading, training = json.loads(done.stdout.splitlines()[-1])
    assert allocator == "jemalloc"
    # Beside the table: some blocks of the file while it is read, single columns afterwards.
    assert reading < size + _BLOCKS_BYTES
    assert training < size + _BLOCKS_BYTES
