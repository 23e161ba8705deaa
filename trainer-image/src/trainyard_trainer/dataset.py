"""From objects in the store to one Arrow table."""

import contextlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from trainyard_schema import Reason
from trainyard_schema.artifacts import DataSource

from trainyard_trainer.errors import TrainerError
from trainyard_trainer.storage import ObjectInfo, Storage, split_uri

_PARQUET_MAGIC = b"PAR1"
_GZIP_MAGIC = b"\x1f\x8b"
_DELIMITERS = ",;\t|"
# Types are inferred from the first block, so it should be a good look at the file.
_BLOCK_BYTES = 8 << 20
_CONVERSION_ERROR = re.compile(r"In CSV column #(\d+):.*conversion error", re.DOTALL)
_MOST_ODD_COLUMNS = 2
"""Each one costs another pass; with more of them, every column is read as text."""


def _invalid(message: str) -> TrainerError:
    return TrainerError(Reason.INVALID_DATA, message)


def objects(storage: Storage, uri: str) -> list[ObjectInfo]:
    """What there is at `uri`: a key, or a prefix that ends in /, sorted by key. Under a prefix just
    what holds rows: no folder markers, nor files such as _SUCCESS.
    """
    bucket, prefix = split_uri(uri)
    if not uri.endswith("/"):
        return [storage.look(bucket, prefix)]
    found = [
        item
        for item in storage.list(bucket, prefix)
        if item.size_bytes and not item.key.rpartition("/")[2].startswith(("_", "."))
    ]
    if not found:
        raise TrainerError(
            Reason.DATA_NOT_FOUND,
            f"nothing under {uri}; upload CSV or Parquet files there or correct spec.data.uri",
        )
    return found


def download(
    storage: Storage, uri: str, folder: Path, on_share: Callable[[float], None]
) -> list[tuple[Path, DataSource]]:
    """Bring every object of `uri`, as `objects` finds them, into `folder`."""
    bucket, key = split_uri(uri)
    # What is said of one object that is missing is better where it is read.
    keys = [item.key for item in objects(storage, uri)] if uri.endswith("/") else [key]
    files = []
    for number, item in enumerate(keys):

        def on_bytes(received: int, size: int, number: int = number) -> None:
            on_share((number + received / max(size, 1)) / len(keys))

        path = folder / f"data-{number:05}"
        files.append((path, storage.download(bucket, item, path, on_bytes)))
    return files


def _delimiter(path: Path, compression: str | None) -> str:
    with pa.input_stream(str(path), compression=compression) as stream:
        header = stream.read(64 << 10).partition(b"\n")[0].decode("utf-8", "replace")
    return max(_DELIMITERS, key=header.count)


@contextlib.contextmanager
def _csv_blocks(
    path: Path, compression: str | None, types: Mapping[str, pa.DataType]
) -> Iterator[pa.csv.CSVStreamingReader]:
    with (
        pa.input_stream(str(path), compression=compression) as stream,
        pa.csv.open_csv(
            stream,
            read_options=pa.csv.ReadOptions(block_size=_BLOCK_BYTES),
            parse_options=pa.csv.ParseOptions(
                delimiter=_delimiter(path, compression), newlines_in_values=True
            ),
            convert_options=pa.csv.ConvertOptions(strings_can_be_null=True, column_types=types),
        ) as reader,
    ):
        yield reader


def _read_csv(path: Path, magic: bytes, text_columns: Collection[str]) -> pa.Table:
    """Read block by block: at once, the file's whole text would be held beside its values.

    Types are those of the first block. A column with a later value of another type is read as text
    in another pass, and typed by all of its values afterwards; as bytes if it is not even text.
    """
    compression = "gzip" if magic.startswith(_GZIP_MAGIC) else None
    types = dict.fromkeys(text_columns, pa.string())
    while True:
        try:
            with _csv_blocks(path, compression, types) as reader:
                return reader.read_all()
        except pa.ArrowInvalid as error:
            odd = _CONVERSION_ERROR.match(str(error))
            if odd is None:
                raise
        with _csv_blocks(path, compression, {}) as reader:
            names = reader.schema.names
        name = names[int(odd[1])]
        types[name] = pa.binary() if name in types else pa.string()
        if len(types) > _MOST_ODD_COLUMNS:
            types = dict.fromkeys(names, pa.string()) | types


def read_file(path: Path, uri: str, *, text_columns: Collection[str] = ()) -> tuple[str, pa.Table]:
    """The kind of a file, by its content, and its table. Raises InvalidData.

    The types of a CSV's columns follow from their values, except for `text_columns`.
    """
    with path.open("rb") as file:
        magic = file.read(4)
    try:
        if magic == _PARQUET_MAGIC:
            kind, table = "Parquet", pa.parquet.read_table(path)
        else:
            kind, table = "CSV", _read_csv(path, magic, text_columns)
    except (pa.ArrowException, OSError) as error:
        detail = str(error).partition("\n")[0]
        raise _invalid(f"{uri} can be read neither as CSV nor as Parquet: {detail}") from error
    not_text = [field.name for field in table.schema if pa.types.is_binary(field.type)]
    if kind == "CSV" and not_text:
        raise _invalid(f"{uri}: column {not_text[0]!r} is not UTF-8; save the file as UTF-8")
    repeated = {name for name in table.column_names if table.column_names.count(name) > 1}
    if repeated:
        raise _invalid(f"{uri}: column {min(repeated)!r} occurs more than once; rename one")
    return kind, table


def _same_types(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """Columns that differ in type between files become text: they are typed by their values
    afterwards.
    """
    try:
        pa.unify_schemas([table.schema for table in tables], promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        mixed = {
            field.name
            for table in tables[1:]
            for field in table.schema
            if field.type != tables[0].schema.field(field.name).type
        }
        return [
            table.cast(
                pa.schema(
                    [
                        pa.field(field.name, pa.string()) if field.name in mixed else field
                        for field in table.schema
                    ]
                )
            )
            for table in tables
        ]
    return list(tables)


def read(
    files: Sequence[tuple[Path, DataSource]], *, text_columns: Collection[str] = ()
) -> pa.Table:
    """One table from all files, which must be of one kind and have the same columns; of
    `text_columns` as `read_file` does. Raises InvalidData.
    """
    tables: list[pa.Table] = []
    first_kind, first_uri = "", files[0][1].uri
    for path, source in files:
        kind, table = read_file(path, source.uri, text_columns=text_columns)
        if tables and kind != first_kind:
            raise _invalid(
                f"{source.uri} is {kind}, but {first_uri} is {first_kind}; keep one kind"
            )
        if tables and set(table.column_names) != set(tables[0].column_names):
            odd = min(set(table.column_names) ^ set(tables[0].column_names))
            has, lacks = (
                (source.uri, first_uri) if odd in table.column_names else (first_uri, source.uri)
            )
            raise _invalid(
                f"{has} has a column {odd!r} that {lacks} lacks; give all files the same"
            )
        first_kind = kind
        tables.append(table if not tables else table.select(tables[0].column_names))
    if len(tables) == 1:
        return tables[0]
    return pa.concat_tables(_same_types(tables), promote_options="permissive")
