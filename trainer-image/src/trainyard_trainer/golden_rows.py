"""Some rows of the holdout with what training predicted for them, as the file
`golden-rows.parquet`: a version that is loaded must predict the same.

The file has two columns, so that no name of the table can clash: `row`, a struct of the row as it
was read, and `prediction`, the list of its probabilities or of its one value.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from trainyard_trainer.metrics import Floats
from trainyard_trainer.target import Task

MOST_ROWS = 100
_PROBABILITY = 1e-5
_SPREAD = 1e-5
_ROUNDINGS = 64


def write(path: Path, holdout: Path, prediction: Floats) -> None:
    """Write rows from all over the file `holdout`, given what is predicted for each of its rows."""
    count = min(MOST_ROWS, len(prediction))
    chosen = np.unique(np.linspace(0, len(prediction) - 1, count).astype(np.int64))
    rows = _take(holdout, chosen)
    if len(rows) != len(chosen):
        raise ValueError(f"{holdout} has not the {len(prediction)} rows that were predicted")
    flat = prediction[chosen].reshape(len(chosen), -1)
    # Row by row: Arrow has no list type of fixed length that every reader of Parquet knows.
    given = pa.array(flat.tolist(), pa.list_(pa.float64()))
    structs = rows.to_struct_array()
    pa.parquet.write_table(
        pa.table({"row": structs, "prediction": given}), path, compression="zstd"
    )


def _take(holdout: Path, chosen: np.ndarray) -> pa.Table:
    """Rows of a file by number, which are sorted; without the whole file in memory."""
    with pa.parquet.ParquetFile(holdout) as file:
        parts, first = [file.schema_arrow.empty_table()], 0
        for batch in file.iter_batches():
            start, end = np.searchsorted(chosen, [first, first + len(batch)])
            if start < end:
                parts.append(
                    pa.Table.from_batches([batch.take(pa.array(chosen[start:end] - first))])
                )
            first += len(batch)
    return pa.concat_tables(parts).combine_chunks()


def read(path: Path) -> tuple[pa.Table, Floats]:
    """The rows, and the (n, n_classes) probabilities or (n, 1) values that training predicted."""
    table = pa.parquet.read_table(path).combine_chunks()
    rows = pa.Table.from_struct_array(table["row"])
    prediction = np.array(table["prediction"].to_pylist(), dtype=np.float64)
    return rows, prediction


def difference(task: Task, expected: Floats, found: Floats) -> float:
    """How far predictions are from the expected ones at most, 1 being what is tolerated.

    Models compute in float32 or add up their trees in another order, so that other batch sizes,
    threads and CPUs move the last bits: probabilities of nets by up to 1e-7 with 1 row or 800 at a
    time, those of trees not at all, at 1 and 2 threads. Tolerated are 1e-5 of a probability; of
    values 1e-5 of their spread, and some roundings of float32. A column or a category that is taken
    for another one moves predictions much further.
    """
    expected, found = (values.reshape(len(values), -1) for values in (expected, found))
    if found.shape != expected.shape:
        return float("inf")
    tolerance = _PROBABILITY
    if task == Task.REGRESSION:
        rounding = _ROUNDINGS * float(np.finfo(np.float32).eps) * np.abs(expected).max(initial=0.0)
        tolerance = _SPREAD * float(expected.std()) + float(rounding) or _PROBABILITY
    worst = float(np.abs(found - expected).max(initial=0.0) / tolerance)
    return float("inf") if np.isnan(worst) else worst
