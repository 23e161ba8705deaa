"""A program of its own that reads a whole table and tells what is in it.

Whatever strangers sent is parsed here and nowhere else: in a process that has no credentials, and
less memory and time than it takes to do harm. It reads as the trainer does, so what it lets pass
can be trained on.

It asks for bytes by lines of JSON on standard output, `{"read": [offset, length]}`, gets just those
bytes on standard input, and ends with `{"table": …}` or `{"invalid": …}`.
"""

import gzip
import io
import json
import re
import resource
import struct
import sys
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

_DATA_BYTES: Final = 384 << 20
"""Anonymous memory; a third of it is what the libraries take."""
_CPU_SECONDS: Final = 300
_READ_BYTES: Final = 4 << 20
_PAGE_BYTES: Final = 1 << 20
_BATCH_ROWS: Final = 16 << 10
_PARQUET_MAGIC: Final = b"PAR1"
_GZIP_MAGIC: Final = b"\x1f\x8b"
_UTF16_MAGICS: Final = (b"\xff\xfe", b"\xfe\xff")

# As trainyard_trainer.dataset has them.
_DELIMITERS: Final = ",;\t|"
_BLOCK_BYTES: Final = 8 << 20
_HEADER_BYTES: Final = 64 << 10
_MOST_ODD_COLUMNS: Final = 2
_CONVERSION_ERROR = re.compile(
    r"In CSV column #(\d+): (?:Row #(\d+): )?.*conversion error", re.DOTALL
)
_NOT_UTF8: Final = "invalid UTF8"
_COUNT_ERROR = re.compile(r"(?:.*?)Row #(\d+): Expected (\d+) columns, got (\d+)", re.DOTALL)
_NO_END: Final = "straddles two block boundaries"


class InvalidTableError(Exception):
    """It is no table that could be trained on. The message says what to do about it."""

    def __init__(self, message: str, *, line: int | None = None, column: str | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class RemoteFile(io.RawIOBase):
    """The file that is checked; its bytes are asked for over the pipe."""

    def __init__(self, size: int, fetch: Callable[[int, int], bytes]) -> None:
        self._size = size
        self._fetch = fetch
        self._position = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of any file."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """As of any file."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """As of any file."""
        view = memoryview(buffer).cast("B")
        length = max(0, min(len(view), self._size - self._position))
        if length:
            view[:length] = self._fetch(self._position, length)
            self._position += length
        return length


class _Ending(io.RawIOBase):
    """A stream with something after its end."""

    def __init__(self, stream: IO[bytes], ending: bytes) -> None:
        self._stream = stream
        self._ending = io.BytesIO(ending)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size) or self._ending.read(size)


def check(size: int, fetch: Callable[[int, int], bytes]) -> dict[str, Any]:
    """Format, rows and columns of the table in a file of `size` bytes; `fetch(offset, length)`
    reads from it. Raises `InvalidTableError`.
    """
    magic = fetch(0, min(size, 4))

    def open_file() -> RemoteFile:
        return RemoteFile(size, fetch)

    if magic == _PARQUET_MAGIC:
        return {"format": "parquet", **_parquet(open_file)}
    if magic.startswith(_UTF16_MAGICS):
        raise InvalidTableError("the file is UTF-16; save it as UTF-8")
    compressed = magic.startswith(_GZIP_MAGIC)

    def open_text() -> IO[bytes]:
        file = io.BufferedReader(open_file(), _READ_BYTES)
        return gzip.GzipFile(fileobj=file) if compressed else file  # type: ignore[return-value]

    return {"format": "csv.gz" if compressed else "csv", **_Csv(open_text).check()}


def _parquet(open_file: Callable[[], RemoteFile]) -> dict[str, Any]:
    with _meaning("Parquet"):
        file = pa.parquet.ParquetFile(
            pa.PythonFile(open_file(), mode="r"),
            buffer_size=_PAGE_BYTES,
            pre_buffer=False,
            page_checksum_verification=True,
        )
        schema, rows = file.schema_arrow, file.metadata.num_rows
    _check_names(schema.names)
    _check_rows(rows)
    for name in schema.names:
        # One by one: a group of rows of all columns may be as large as the file.
        with _meaning("Parquet", column=name):
            batches = file.iter_batches(_BATCH_ROWS, columns=[name], use_threads=False)
            found = sum(len(batch) for batch in batches)
        if found != rows:
            raise InvalidTableError(f"has {found} of {rows} values", column=name)
    return _table(schema, rows)


class _Csv:
    """A CSV file, read block by block and thrown away."""

    def __init__(self, open_text: Callable[[], IO[bytes]]) -> None:
        self._open = open_text
        with _meaning("CSV"), open_text() as text:
            header = text.read(_HEADER_BYTES).partition(b"\n")[0].decode("utf-8", "replace")
        self._delimiter = max(_DELIMITERS, key=header.count)
        self._names = self._read_names()

    def check(self) -> dict[str, Any]:
        """Types are those of the first block. A column with a later value of another type is read
        as text in another pass.
        """
        types: dict[str, pa.DataType] = {}
        while True:
            try:
                return self._pass(types)
            except pa.ArrowInvalid as error:
                odd = _CONVERSION_ERROR.match(str(error))
                if odd is None:
                    raise self._explained(error) from None
                name = self._names[int(odd[1])]
                if name in types or _NOT_UTF8 in str(error):
                    line = int(odd[2]) if odd[2] else None
                    message = "is not UTF-8; save the file as UTF-8"
                    raise InvalidTableError(message, line=line, column=name) from None
            types[name] = pa.string()
            if len(types) > _MOST_ODD_COLUMNS:
                types = dict.fromkeys(self._names, pa.string())

    def _read_names(self) -> list[str]:
        with _meaning("CSV"):
            try:
                with self._reader({}) as reader:
                    names: list[str] = reader.schema.names
            except UnicodeDecodeError:
                message = "the names of the columns are not UTF-8; save the file as UTF-8"
                raise InvalidTableError(message, line=1) from None
            except pa.ArrowInvalid as error:
                raise self._explained(error) from None
        _check_names(names)
        return names

    def _pass(self, types: Mapping[str, pa.DataType]) -> dict[str, Any]:
        # A row of nothing after the last one: a quote that is still open would swallow it.
        empty = self._delimiter.join(['""'] * len(self._names))
        rows, last = 0, None
        with _meaning("CSV"), self._reader(types, f"\n{empty}\n".encode()) as reader:
            for batch in reader:
                if len(batch):
                    rows, last = rows + len(batch), batch.slice(len(batch) - 1)
            schema = reader.schema
        for field in schema:
            if pa.types.is_binary(field.type):
                # Its first block is not UTF-8; as text, the error says where.
                return self._pass({**types, field.name: pa.string()})
        if last is not None and any(column.null_count == 0 for column in last.columns):
            raise InvalidTableError("a quote is opened and never closed", line=rows + 1)
        _check_rows(rows - 1)
        return _table(schema, rows - 1)

    @contextmanager
    def _reader(
        self, types: Mapping[str, pa.DataType], ending: bytes = b""
    ) -> Iterator[pa.csv.CSVStreamingReader]:
        with (
            self._open() as text,
            pa.csv.open_csv(
                pa.PythonFile(_Ending(text, ending), mode="r"),
                read_options=pa.csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
                parse_options=pa.csv.ParseOptions(
                    delimiter=self._delimiter, newlines_in_values=True
                ),
                convert_options=pa.csv.ConvertOptions(
                    strings_can_be_null=True, column_types=dict(types)
                ),
            ) as reader,
        ):
            yield reader

    def _explained(self, error: pa.ArrowInvalid) -> InvalidTableError:
        message = str(error)
        if "Empty CSV" in message:
            return InvalidTableError("the file is empty")
        if _NO_END in message:
            return InvalidTableError(
                f"a row is longer than {_BLOCK_BYTES >> 20} MiB: a quote is opened and not closed"
            )
        if count := _COUNT_ERROR.match(message):
            line, expected, got = map(int, count.groups())
            return InvalidTableError(
                f"has {got} values, but the header has {expected} columns; "
                "is a quote or a delimiter missing?",
                line=line,
            )
        return InvalidTableError(f"cannot be read as CSV: {_one_line(message)}")


@contextmanager
def _meaning(kind: str, *, column: str | None = None) -> Iterator[None]:
    """Say what an error of a library means for the file."""
    try:
        yield
    except (MemoryError, pa.ArrowMemoryError):
        raise InvalidTableError(
            f"a part of it takes more than {_DATA_BYTES >> 20} MiB to read; "
            "write it with smaller groups of rows, or as CSV",
            column=column,
        ) from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InvalidTableError(f"the gzip stream is damaged: {error}") from None
    except (pa.ArrowException, OSError, struct.error) as error:
        if kind == "CSV" and isinstance(error, pa.ArrowInvalid):
            raise
        raise InvalidTableError(
            f"cannot be read as {kind}: {_one_line(str(error))}", column=column
        ) from None


def _check_names(names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidTableError("occurs more than once; rename one", line=1, column=name)
        seen.add(name)
    if not names:
        raise InvalidTableError("the table has no columns")


def _check_rows(rows: int) -> None:
    if rows < 1:
        raise InvalidTableError("the table has columns but no rows")


def _table(schema: pa.Schema, rows: int) -> dict[str, Any]:
    columns = [{"name": field.name, "type": str(field.type)} for field in schema]
    return {"rows": rows, "columns": columns}


def _one_line(message: str) -> str:
    return message.partition("\n")[0][:300]


def main() -> None:
    """Check the file of as many bytes as the argument says."""
    resource.setrlimit(resource.RLIMIT_DATA, (_DATA_BYTES, _DATA_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pa.set_cpu_count(1)
    pipe_in, pipe_out = sys.stdin.buffer, sys.stdout.buffer
    # Arrow reads ahead in a thread of its own.
    lock = threading.Lock()

    def say(document: dict[str, Any]) -> None:
        pipe_out.write(json.dumps(document).encode() + b"\n")
        pipe_out.flush()

    def fetch(offset: int, length: int) -> bytes:
        with lock:
            say({"read": [offset, length]})
            body = pipe_in.read(length)
        if len(body) != length:
            # Nobody is there any more to be told anything.
            sys.exit(1)
        return body

    try:
        table = check(int(sys.argv[1]), fetch)
    except InvalidTableError as error:
        told = {"message": str(error), "line": error.line, "column": error.column}
        with lock:
            say({"invalid": told})
    else:
        with lock:
            say({"table": table})


if __name__ == "__main__":
    main()
