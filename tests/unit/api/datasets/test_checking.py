"""Tables as strangers send them, read by the program that the API starts."""

import gzip
import io
import os
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from trainyard_api.datasets.checking import Checks, InvalidDatasetError
from trainyard_api.datasets.records import Table


async def check(body: bytes) -> Table:
    async def read(offset: int, length: int) -> bytes:
        return body[offset : offset + length]

    return await Checks().run(len(body), read)


def parquet(table: pa.Table, **options: object) -> bytes:
    file = io.BytesIO()
    pa.parquet.write_table(table, file, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("body", "rows", "types"),
    [
        (b"a,b\n1,2\n3,x\n", 2, ["int64", "string"]),
        (b"a,b\n1,2\n3,x", 2, ["int64", "string"]),
        (b"\xef\xbb\xbfa\n1\n2\n", 2, ["int64"]),
        (b"a;b\r\n1;2,5\r\n", 1, ["int64", "string"]),
        (b'a,b\n1,"x\ny ""z"" , w"\n', 1, ["int64", "string"]),
        (b"a,b\n,\n,\n", 2, ["null", "null"]),
        (b"a,b\n" + b"1,2\n" * 3_000_000 + b"x,y\n", 3_000_001, ["string", "string"]),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), 1, ["int64", "int64"]),
        (parquet(pa.table({"a": [1, 2], "b.c": ["x", None]})), 2, ["int64", "string"]),
    ],
)
async def test_a_table(body: bytes, rows: int, types: list[str]) -> None:
    table = await check(body)
    assert table.rows == rows
    assert [column.type for column in table.columns] == types


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\n\n", "the file is empty"),
        (b"a,b\n", "no rows"),
        (b"a,b,a\n1,2,3\n", "line 1, column 'a': occurs more than once"),
        (b"a,b\n1,2\n3,4,5\n", "line 3: has 3 values, but the header has 2 columns"),
        (b'a,b\n1,2\n3,"4\n6,7\n', "line 3: a quote is opened and never closed"),
        (b'a\n1\n"4\n6\n', "a quote is opened and never closed"),
        (b'a,b\n1,"' + b"6,7\n" * 4_000_000, "a quote is opened and not closed"),
        (b"a,\xe9\n1,2\n", "line 1: the names of the columns are not UTF-8"),
        (b"a,b\n1,x\n3,\xe9t\xe9\n", "line 3, column 'b': is not UTF-8"),
        (b"a,b\n" + b"1,x\n" * 3_000_000 + b"3,\xe9\n", "line 3000002, column 'b': is not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "the file is UTF-16"),
        (gzip.compress(b"a,b\n1,2\n" * 1000, mtime=0)[:-9], "the gzip stream is damaged"),
        (b"PAR1", "cannot be read as Parquet"),
        (parquet(pa.table({"a": [1, 2]}))[:-50], "cannot be read as Parquet"),
        (parquet(pa.table({"a": pa.array([], pa.int64())})), "no rows"),
    ],
)
async def test_no_table(body: bytes, message: str) -> None:
    with pytest.raises(InvalidDatasetError) as raised:
        await check(body)
    assert message in str(raised.value)


async def test_a_page_that_was_damaged_is_found_wherever_it_is() -> None:
    body = parquet(
        pa.table({"a": list(range(100_000)), "b": [str(n) for n in range(100_000)]}),
        write_page_checksum=True,
        compression="none",
    )
    middle = len(body) // 2
    with pytest.raises(InvalidDatasetError, match=r"column '[ab]'"):
        await check(
            body[:middle]
            + bytes(255 - one for one in body[middle : middle + 9])
            + body[middle + 9 :]
        )


async def test_a_small_file_that_is_large_in_memory_harms_nobody() -> None:
    body = parquet(
        pa.table({"a": ["x" * 100_000_000] * 8}), use_dictionary=False, compression="zstd"
    )
    assert len(body) < 100_000
    with pytest.raises(InvalidDatasetError, match="takes more than 384 MiB to read"):
        await check(body)


@pytest.mark.parametrize("magic", [b"", b"PAR1", b"\x1f\x8b"])
async def test_noise_is_refused_and_breaks_nothing(magic: bytes) -> None:
    with pytest.raises(InvalidDatasetError):
        await check(magic + random.Random(7).randbytes(100_000))


def _children() -> set[str]:
    """The processes that this one has started, servers of other tests among them."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def _environment(process: str) -> bytes:
    return Path(f"/proc/{process}/environ").read_bytes()


async def test_the_process_that_parses_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    seen: list[bytes] = []
    before = _children()

    async def read(offset: int, length: int) -> bytes:
        [child] = _children() - before
        seen.append(_environment(child))
        return b"a\n1\n"[offset : offset + length]

    await Checks().run(4, read)
    assert seen
    assert all(b"secret" not in one for one in seen)
