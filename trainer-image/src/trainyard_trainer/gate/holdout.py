"""What a version predicts for the rows of a holdout, read from its file in batches: however many
rows there are, only their predictions are held.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
from trainyard_schema import Reason

from trainyard_trainer.columns import ColumnKind, convert, numbers, understand
from trainyard_trainer.errors import TrainerError
from trainyard_trainer.metrics import Floats
from trainyard_trainer.scoring import Scorer
from trainyard_trainer.target import Task
from trainyard_trainer.version_files import VersionSchema

_ROWS_AT_ONCE = 1 << 16


class Known(NamedTuple):
    """What a holdout says of its rows."""

    truth: npt.NDArray[np.generic]
    """(n,) class numbers or values."""
    columns: dict[str, pa.ChunkedArray]
    """Those asked for, understood as training does."""


def know(path: Path, schema: VersionSchema, columns: Sequence[str]) -> Known:
    """The targets of the rows, and some columns; one that is not there is left out. Raises
    InvalidData.
    """
    there = pa.parquet.read_schema(path).names
    if schema.target not in there:
        raise TrainerError(
            Reason.INVALID_DATA, f"the holdout has no column {schema.target!r}, the target"
        )
    wanted = [name for name in columns if name in there]
    table = pa.parquet.read_table(path, columns=[*dict.fromkeys([schema.target, *wanted])])
    return Known(
        truth_of(table[schema.target], schema),
        {name: understand(name, table[name])[1] for name in wanted},
    )


def truth_of(column: pa.ChunkedArray, schema: VersionSchema) -> npt.NDArray[np.generic]:
    """(n,) numbers of the classes of a model, or values for regression. Raises InvalidData if there
    are others.
    """
    name = schema.target
    if schema.task == Task.REGRESSION:
        return numbers(convert(name, column, ColumnKind.NUMBER))
    kinds = {bool: ColumnKind.BOOLEAN, str: ColumnKind.CATEGORY}
    kind = kinds.get(type(schema.classes[0]), ColumnKind.NUMBER)
    values = convert(name, column, kind)
    if kind == ColumnKind.NUMBER:
        values = pc.add(values, 0.0)  # -0 is 0, as in training
    codes = pc.index_in(values, value_set=pa.array(schema.classes, values.type))
    if codes.null_count:
        odd = values.filter(pc.is_null(codes))[0].as_py()
        raise TrainerError(
            Reason.INVALID_DATA,
            f"the holdout has {codes.null_count} rows whose {name!r} is no class of the model, "
            f"such as {odd!r}",
        )
    return np.asarray(codes.to_numpy(), dtype=np.int64)


def predict(path: Path, scorer: Scorer) -> Floats:
    """(n, n_classes) probabilities or (n,) values of the rows. Raises InvalidData if they lack a
    column or hold values of another kind.
    """
    needed = [feature.name for feature in scorer.schema.features]
    with pa.parquet.ParquetFile(path) as file:
        there = [name for name in needed if name in file.schema_arrow.names]
        batches = file.iter_batches(_ROWS_AT_ONCE, columns=there)
        parts = [scorer.predict(pa.Table.from_batches([batch])) for batch in batches]
    return np.concatenate(parts)
