"""What each raw column is, and its values in that form. The same for training and for scoring.

Text is stripped, and empty text and the usual words for "missing" become missing. Then text that is
all numbers, all
true/false or all ISO 8601 times becomes that, so that a table means the same as CSV and as Parquet.
Integers stay numbers, since whether they are codes cannot be seen.
"""

from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from trainyard_schema import Reason

from trainyard_trainer.errors import TrainerError

NULL_WORDS = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "N/A", "NA", "NULL", "NaN", "n/a", "nan", "null",
)  # fmt: skip


class ColumnKind(StrEnum):
    """How the values of a column are understood."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"
    CATEGORY = "category"
    EMPTY = "empty"


_TYPES = {
    ColumnKind.NUMBER: pa.float64(),
    ColumnKind.BOOLEAN: pa.bool_(),
    ColumnKind.TIME: pa.timestamp("us"),
    ColumnKind.CATEGORY: pa.string(),
}


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def holds_text(column: pa.ChunkedArray) -> bool:
    """Whether the values of a raw column are text, whatever they look like."""
    kind = column.type
    return _is_text(kind.value_type if pa.types.is_dictionary(kind) else kind)


def _clean_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    given = column.cast(pa.string())
    text = pc.utf8_trim_whitespace(given)
    missing = pc.is_in(text, value_set=pa.array(NULL_WORDS))
    if not pc.any(missing).as_py() and pc.all(pc.equal(text, given)).as_py() is not False:
        return given  # clean already: no copy is kept
    return pc.if_else(missing, pa.scalar(None, pa.string()), text)


def _cast_or_none(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | None:
    try:
        return column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _plain(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """One of float64, integers, bool, timestamp, string or null. Raises InvalidData for nested
    types and bytes.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(name, column.cast(kind.value_type))
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return column.cast(pa.timestamp("us"), safe=False)
    if pa.types.is_time(kind) or pa.types.is_duration(kind):
        unit = pa.time64("us") if pa.types.is_time(kind) else pa.duration("us")
        return pc.divide(column.cast(unit).cast(pa.int64()).cast(pa.float64()), 1e6)
    if pa.types.is_decimal(kind) or pa.types.is_floating(kind):
        return column.cast(pa.float64(), safe=False)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return column
    if _is_text(kind):
        return _clean_text(column)
    raise TrainerError(
        Reason.INVALID_DATA,
        f"column {name!r} holds values of type {kind}, which cannot be learned from; "
        "add it to spec.data.exclude or store it as plain columns",
    )


def _kind_of(column: pa.ChunkedArray) -> ColumnKind:
    if column.null_count == len(column):
        return ColumnKind.EMPTY
    if pa.types.is_boolean(column.type):
        return ColumnKind.BOOLEAN
    if pa.types.is_timestamp(column.type):
        return ColumnKind.TIME
    return ColumnKind.CATEGORY if _is_text(column.type) else ColumnKind.NUMBER


def understand(name: str, column: pa.ChunkedArray) -> tuple[ColumnKind, pa.ChunkedArray]:
    """The kind of a raw column and its values. Integers keep their type; all else is as `convert`
    returns.
    """
    plain = _plain(name, column)
    if _is_text(plain.type) and plain.null_count < len(plain):
        for kind in (ColumnKind.NUMBER, ColumnKind.BOOLEAN, ColumnKind.TIME):
            typed = _cast_or_none(plain, _TYPES[kind])
            if typed is not None:
                plain = typed
                break
    return _kind_of(plain), plain


def convert(name: str, column: pa.ChunkedArray, kind: ColumnKind) -> pa.ChunkedArray:
    """The values of a raw column as the kind that was found in training. Raises InvalidData if they
    are not.
    """
    plain = _plain(name, column)
    if plain.type == _TYPES[kind]:
        return plain
    if plain.null_count == len(plain):
        return pa.chunked_array([pa.nulls(len(plain), _TYPES[kind])])
    if kind == ColumnKind.NUMBER and pa.types.is_integer(plain.type):
        # Not every integer above 2^53 is a float; the nearest one does.
        return plain.cast(_TYPES[kind], safe=False)
    if kind == ColumnKind.CATEGORY and pa.types.is_floating(plain.type):
        whole = _cast_or_none(plain, pa.int64())
        plain = plain if whole is None else whole
    typed = _cast_or_none(plain, _TYPES[kind])
    if typed is None:
        example = next(
            (
                value
                for value in plain.to_pylist()
                if _cast_or_none(pa.chunked_array([[value]]), _TYPES[kind]) is None
            ),
            plain[0].as_py(),
        )
        raise TrainerError(
            Reason.INVALID_DATA,
            f"column {name!r} must be of kind {kind}, as in training, but holds {example!r}",
        )
    return typed


def numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """A number or boolean column as (n,) floats; missing and infinite values are NaN."""
    values = column.cast(pa.float64(), safe=False).combine_chunks()
    array = np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)
    infinite = np.isinf(array)
    return np.where(infinite, np.nan, array) if infinite.any() else array


def time_parts(column: pa.ChunkedArray) -> dict[str, npt.NDArray[np.float64]]:
    """What a time can say to a model: the day since 1970, and where in year, week and day it
    lies.
    """
    return {
        "days": numbers(
            pc.divide(column.cast(pa.int64()).cast(pa.float64(), safe=False), 86_400e6)
        ),
        "month": numbers(pc.month(column)),
        "weekday": numbers(pc.day_of_week(column)),
        "hour": numbers(pc.hour(column)),
    }
