"""A CSV file as rows of feedback: each value as the version's `schema.json` has its column."""

import csv
import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from trainyard_client.cli.errors import CommandError, Exit

# Of one request. The API takes 4 MiB.
_MOST_ROWS: Final = 1000
_MOST_BYTES: Final = 3 << 20
# The trainer reads CSV files in these ways, by pyarrow: a value means the same here as there.
_DELIMITERS: Final = ",;\t|"
_NULLS: Final = frozenset(
    (
        *("", "#N/A", "#N/A N/A", "#NA", "N/A", "n/a", "NA", "NULL", "null", "NaN", "nan"),
        *("-NaN", "-nan", "-1.#IND", "-1.#QNAN", "1.#IND", "1.#QNAN"),
    )
)
_TRUE: Final = dict.fromkeys(("1", "True", "TRUE", "true"), True)
_BOOLEANS: Final = _TRUE | dict.fromkeys(("0", "False", "FALSE", "false"), False)
_NUMBER: Final = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_EXACT: Final = 2**53
_PREDICTION: Final = "prediction"


class Feature(BaseModel):
    """A column that the version learned from."""

    name: str
    kind: str


class VersionSchema(BaseModel):
    """`schema.json`, as far as it matters here."""

    target: str
    classes: list[bool | int | float | str]
    features: list[Feature]

    @property
    def target_kind(self) -> str:
        """What kind of value an outcome is."""
        kinds = {type(label) for label in self.classes}
        if kinds == {bool}:
            return "boolean"
        return "number" if kinds <= {int, float} else "category"


@dataclass(frozen=True)
class Row:
    """A row of feedback."""

    line: int
    """Where it ends in the file; the header is in line 1."""
    body: dict[str, Any]
    """As the API takes it."""


@dataclass(frozen=True)
class Table:
    """A CSV file with outcomes."""

    path: Path
    schema: VersionSchema
    outcome: str
    """Column with what came true."""
    prediction: str | None
    """Column with what was predicted. None: the one of that name, if there is one."""

    @cached_property
    def predicted(self) -> str | None:
        """Where a prediction is looked for; None: nowhere, the name means something else."""
        taken = {self.outcome, *(one.name for one in self.schema.features)}
        return self.prediction or (None if _PREDICTION in taken else _PREDICTION)

    def rows(self) -> Iterator[Row]:
        """The rows. What is no value of its column stays text, for the API to refuse.

        Raises `CommandError` for what is no CSV, or lacks a column.
        """
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                yield from self._parsed(file)
        except OSError as error:
            raise CommandError(f"{self.path}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise CommandError(f"{self.path} is not UTF-8; save it as UTF-8") from error

    def _parsed(self, file: Iterable[str]) -> Iterator[Row]:
        lines = iter(file)
        first = next(lines, "")
        delimiter = max(_DELIMITERS, key=first.count)
        reader = csv.reader(itertools.chain([first], lines), delimiter=delimiter, strict=True)
        try:
            header = next(reader, [])
            kinds = self._kinds(header)
            for values in filter(None, reader):
                if len(values) != len(header):
                    raise CommandError(
                        f"{self.path}, line {reader.line_num}: {len(values)} values, and the "
                        f"header has {len(header)} columns"
                    )
                named = dict(zip(header, values, strict=True))
                yield Row(reader.line_num, self._body(named, kinds))
        except csv.Error as error:
            raise CommandError(f"{self.path}, line {reader.line_num}: {error}") from error

    def _kinds(self, header: Sequence[str]) -> dict[str, str]:
        repeated = [name for name in header if header.count(name) > 1]
        if repeated:
            raise CommandError(f"{self.path}: column {repeated[0]} occurs more than once")
        for option, name in (("outcome", self.outcome), ("prediction", self.prediction)):
            if name is not None and name not in header:
                raise CommandError(
                    f"{self.path} has no column {name}; say which one has the {option}: "
                    f"--{option} COLUMN",
                    Exit.USAGE,
                )
        return {one.name: one.kind for one in self.schema.features}

    def _body(self, named: dict[str, str], kinds: dict[str, str]) -> dict[str, Any]:
        kind = self.schema.target_kind
        body: dict[str, Any] = {"outcome": _value(named[self.outcome], kind)}
        if self.predicted in named:
            body["prediction"] = _value(named[self.predicted], kind)
        body["features"] = {
            name: _value(value, kinds.get(name))
            for name, value in named.items()
            if name not in (self.outcome, self.predicted)
        }
        return body


def _value(text: str, kind: str | None) -> Any:
    """A value of a kind of column; None: of a column that the version did not learn from."""
    if text in _NULLS:
        return None
    if kind == "number" and _NUMBER.fullmatch(text):
        number = float(text)
        if number.is_integer() and abs(number) < _EXACT:
            return int(number)
        return number if math.isfinite(number) else text
    return _BOOLEANS.get(text, text) if kind == "boolean" else text


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows, as many at a time as one request may have."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        length = len(_json(row.body))
        if batch and (len(batch) == _MOST_ROWS or size + length > _MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += length
    if batch:
        yield batch


def key(model: str, version: str | None, batch: Sequence[Row]) -> str:
    """The `Idempotency-Key` of a batch: the same when its command is repeated.

    Where it is in the file counts, since many rows may be alike.
    """
    content = [model, version, batch[0].line, [row.body for row in batch]]
    return hashlib.sha256(_json(content)).hexdigest()


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()
