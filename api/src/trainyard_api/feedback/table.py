"""Rows of feedback as a table that a training reads, and where it is."""

import io
import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from trainyard_api.datasets.records import FEEDBACK_PREFIX
from trainyard_api.feedback.columns import Columns, Kind, Row, moment

if TYPE_CHECKING:
    import pyarrow as pa

CONTENT_TYPE: Final = "application/vnd.apache.parquet"


def prefix(model: str, columns: Columns) -> str:
    """Where all tables of a model with these columns are; ends in `/`."""
    return f"{FEEDBACK_PREFIX}{model}/{columns.digest}/"


def key(model: str, columns: Columns, feedback_id: uuid.UUID, time: datetime) -> str:
    """Key of one request's table. Keys sort by time."""
    return f"{prefix(model, columns)}{time:%Y%m%dT%H%M%S.%fZ}-{feedback_id}.parquet"


def to_parquet(columns: Columns, rows: Sequence[Row]) -> bytes:
    """The rows as Parquet, each column in the type of its kind.

    Not as CSV: the types of a CSV are those that its values look like, and in the few rows of a
    request the code "007" would be the number 7.
    """
    # Tens of megabytes, which only those need who are given feedback.
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet  # noqa: PLC0415

    arrays = {
        column.name: _array(column.kind, [row.features[column.name] for row in rows])
        for column in columns.features
    }
    for name in columns.excluded:
        arrays[name] = pa.array([_as_text(row.features.get(name)) for row in rows], pa.string())
    arrays[columns.target.name] = _array(columns.target.kind, [row.outcome for row in rows])
    out = io.BytesIO()
    pyarrow.parquet.write_table(pa.table(arrays), out)
    return out.getvalue()


def _array(kind: Kind, values: Sequence[Any]) -> "pa.Array":
    import pyarrow as pa  # noqa: PLC0415

    match kind:
        case Kind.NUMBER:
            # From JSON, a number may be an integer that no int64 holds.
            return pa.array([None if one is None else float(one) for one in values], pa.float64())
        case Kind.BOOLEAN:
            return pa.array(values, pa.bool_())
        case Kind.TIME:
            times = [None if one is None else moment(one) for one in values]
            return pa.array(times, pa.timestamp("us"))
        case Kind.CATEGORY:
            return pa.array(values, pa.string())


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
