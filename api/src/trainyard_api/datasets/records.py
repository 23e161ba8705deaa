"""What is kept about a dataset, and where: the table, and beside it a small JSON that announces it.

The JSON's name begins with an underscore, so that the trainer, which may be given the folder as
`data.uri`, does not take it for rows.
"""

import re
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, Field, TypeAdapter
from trainyard_schema import names

from trainyard_api.trainings.requests import ModelName

PREFIX: Final = "datasets/"
STAGING_PREFIX: Final = "uploads/"
"""Where a table is until it was found to be one. Nobody is told of what is here."""
FEEDBACK: Final = "feedback"
FEEDBACK_PREFIX: Final = f"{PREFIX}{FEEDBACK}/"

DATASET_ID: Final = r"^[0-9a-f]{64}$"
_RECORD = re.compile(rf"{PREFIX}[^/]+/_([0-9a-f]{{64}})\.json")
_NAME: Final[TypeAdapter[str]] = TypeAdapter(ModelName)
_NAME_LENGTH: Final = 63
_EXTENSIONS: Final = re.compile(r"\.(csv|parquet|gz)$", re.IGNORECASE)


class Column(BaseModel):
    """A column of a table."""

    name: str
    type: str = Field(description="As Arrow names it: int64, double, string, bool, date32[day], …")


class Table(BaseModel):
    """What was found in a file."""

    format: Literal["csv", "csv.gz", "parquet"]
    rows: int = Field(ge=1)
    columns: list[Column]


class Dataset(Table):
    """A table that was uploaded."""

    id: str = Field(description="The fingerprint: the same bytes are the same dataset.")
    name: str
    uri: str = Field(description="To be given to a training as data.uri.")
    fingerprint: str = Field(description="SHA-256 of the file's bytes.")
    size_bytes: int
    uploaded_by: str
    uploaded_at: datetime

    @property
    def data_key(self) -> str:
        """Key of the table."""
        return data_key(self.name, self.fingerprint, self.format)


def data_key(name: str, fingerprint: str, file_format: str) -> str:
    """Key of a table."""
    return f"{PREFIX}{name}/{fingerprint}.{file_format}"


def record_key(name: str, fingerprint: str) -> str:
    """Key of the JSON beside it. A dataset exists if and only if this object does."""
    return f"{PREFIX}{name}/_{fingerprint}.json"


def id_of(key: str) -> str | None:
    """The dataset that a key announces; None for any other key."""
    found = _RECORD.fullmatch(key)
    return found[1] if found else None


def dataset_name(given: str) -> str:
    """A name that can be part of a key. Raises `ValueError`."""
    name = _NAME.validate_python(given)
    if name == FEEDBACK:
        raise ValueError(f"{FEEDBACK} is where feedback is kept; take another name")
    return name


def name_of_file(file_name: str) -> str:
    """The name of a dataset that comes as a file: `customers` of `C:\\data\\Customers.csv`."""
    stem = re.split(r"[/\\]", file_name)[-1]
    while _EXTENSIONS.search(stem):
        stem = _EXTENSIONS.sub("", stem)
    return names.slug(stem, _NAME_LENGTH)
