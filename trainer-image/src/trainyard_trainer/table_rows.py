"""Some rows of a table, without a second table."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa


class TableRows:
    """Rows of a table by number. A column of them is copied when it is asked for, and only then."""

    def __init__(self, table: pa.Table, rows: npt.NDArray[np.int64]) -> None:
        self._table = table
        self._rows = pa.array(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        return self._table[name].take(self._rows)
