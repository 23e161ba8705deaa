"""What a row of feedback must hold: the columns of the version that has predicted."""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from itertools import chain, islice
from typing import Any, Final, Self

from pydantic import BaseModel, StrictBool, StrictFloat, StrictInt, StrictStr

from trainyard_api.http.problems import FieldError

MOST_ERRORS: Final = 20
_MOST_CLASSES_SHOWN: Final = 10
_LONGEST_NAME: Final = 80

ClassLabel = StrictBool | StrictInt | StrictFloat | StrictStr


class Kind(StrEnum):
    """How the trainer understands a column, as `schema.json` says it."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"
    CATEGORY = "category"


_WANTED: Final = {
    Kind.NUMBER: "a finite number",
    Kind.BOOLEAN: "true or false",
    Kind.TIME: "a time as ISO 8601, such as 2026-11-23T10:30:00Z",
    Kind.CATEGORY: "text, which may hold no NUL",
}


class Column(BaseModel):
    """A column that the version learned from."""

    name: str
    kind: Kind


class VersionSchema(BaseModel):
    """`schema.json`, as far as it matters here."""

    task: str
    target: str
    classes: list[ClassLabel]
    features: list[Column]


class Columns(BaseModel):
    """The columns of a table of feedback. The target is the last."""

    features: list[Column]
    excluded: list[str]
    """What the training was told not to learn from: there, so that it can be told so again."""
    target: Column
    classes: list[ClassLabel]
    """The outcomes that there are; empty where they are numbers."""

    @classmethod
    def of(cls, schema: VersionSchema, *, excluded: Sequence[str]) -> Self:
        """The columns of a version: those of its `schema.json`, and `exclude` of its manifest."""
        return cls(
            features=schema.features,
            excluded=list(excluded),
            target=Column(name=schema.target, kind=_kind_of(schema.classes)),
            classes=schema.classes,
        )

    @property
    def digest(self) -> str:
        """The same for all versions whose rows can be in one table, in whatever order."""
        features = sorted((one.name, one.kind) for one in self.features)
        table = [features, sorted(self.excluded), self.target.name, self.target.kind]
        return hashlib.sha256(json.dumps(table).encode()).hexdigest()[:16]


class Row(BaseModel):
    """What was known when a prediction was made, what was predicted, and what came true."""

    features: dict[str, Any]
    prediction: Any = None
    """A class or a value; None: not told."""
    outcome: Any


def _kind_of(classes: Sequence[ClassLabel]) -> Kind:
    kinds = {type(label) for label in classes}
    if kinds == {bool}:
        return Kind.BOOLEAN
    return Kind.NUMBER if kinds <= {int, float} else Kind.CATEGORY


def errors(columns: Columns, rows: Sequence[Row]) -> list[FieldError]:
    """What is wrong with the rows, by row and field: the first 20."""
    kinds: dict[str, Kind | None] = {one.name: one.kind for one in columns.features}
    kinds |= dict.fromkeys(columns.excluded)
    found = chain.from_iterable(
        _row_errors(columns, kinds, row, f"rows.{number}") for number, row in enumerate(rows)
    )
    return list(islice(found, MOST_ERRORS))


def _row_errors(
    columns: Columns, kinds: Mapping[str, Kind | None], row: Row, where: str
) -> Iterator[FieldError]:
    for column in columns.features:
        if column.name not in row.features:
            yield _error(where, column.name, "is missing; give null where it is unknown")
    for name, value in row.features.items():
        if name not in kinds:
            yield _error(
                where, name, "is no column that the version takes; see its file schema.json"
            )
        elif value is not None and (problem := _problem(value, kinds[name])):
            yield _error(where, name, problem)
    for field, value in (("prediction", row.prediction), ("outcome", row.outcome)):
        if value is None and field == "prediction":
            continue
        problem = _problem(value, columns.target.kind)
        # A class that is misspelt would spoil every training from here on.
        if problem is None and columns.classes and value not in columns.classes:
            problem = f"must be one of {_shown(columns.classes)}"
        if problem:
            yield FieldError(field=f"{where}.{field}", message=problem)


def _error(where: str, name: str, message: str) -> FieldError:
    short = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
    return FieldError(field=f"{where}.features.{short}", message=message)


def _shown(classes: Sequence[ClassLabel]) -> str:
    shown = [json.dumps(label, ensure_ascii=False) for label in classes[:_MOST_CLASSES_SHOWN]]
    return ", ".join([*shown, "…"] if len(classes) > _MOST_CLASSES_SHOWN else shown)


def _problem(value: Any, kind: Kind | None) -> str | None:
    """What is wrong with a value; `kind` None: of an excluded column, which may hold any."""
    if kind is None:
        fits = any(_fits(value, one) for one in (Kind.CATEGORY, Kind.NUMBER, Kind.BOOLEAN))
        return None if fits else "must be text, a finite number, true or false"
    return None if _fits(value, kind) else f"must be {_WANTED[kind]}"


def _fits(value: Any, kind: Kind) -> bool:
    match kind:
        case Kind.NUMBER:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return number and abs(value) <= sys.float_info.max
        case Kind.BOOLEAN:
            return isinstance(value, bool)
        case Kind.TIME:
            return isinstance(value, str) and _is_time(value)
        case Kind.CATEGORY:
            return isinstance(value, str) and _is_storable(value)


def _is_time(text: str) -> bool:
    try:
        moment(text)
    except (ValueError, OverflowError):
        return False
    return True


def _is_storable(text: str) -> bool:
    """Postgres takes no NUL, and nobody takes half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= one <= "\udfff" for one in text)


def moment(text: str) -> datetime:
    """A time in UTC, without a zone, as the trainer has them. Raises ValueError, OverflowError."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)
