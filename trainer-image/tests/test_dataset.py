import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from trainyard_schema.artifacts import DataSource
from trainyard_trainer.dataset import read
from trainyard_trainer.errors import TrainerError


def _files(folder: Path, *contents: bytes | pa.Table) -> list[tuple[Path, DataSource]]:
    files = []
    for number, content in enumerate(contents):
        path = folder / str(number)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            pa.parquet.write_table(content, path)
        uri = f"s3://bucket/{number}"
        files.append((path, DataSource(uri=uri, etag="", sha256="", size_bytes=0)))
    return files


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(tmp_path: Path, delimiter: str) -> None:
    table = read(_files(tmp_path, b"a,b\n1,x\n2,\n".replace(b",", delimiter.encode())))
    assert table.to_pydict() == {"a": [1, 2], "b": ["x", None]}


def test_gzip_bom_and_quotes(tmp_path: Path) -> None:
    text = b'\xef\xbb\xbfa,b\n1,"x, and\ny"\n'
    assert read(_files(tmp_path, gzip.compress(text))).to_pydict() == {"a": [1], "b": ["x, and\ny"]}


def test_a_column_that_turns_to_text_late_is_text(tmp_path: Path) -> None:
    rows = b"".join(b"%d,%s\n" % (i, b"x" * 100) for i in range(100_000))
    table = read(_files(tmp_path, b"a,b\n" + rows + b"late,y\n"))
    assert table.schema.field("a").type == pa.string()
    assert len(table) == 100_001


def test_several_files_are_one_table(tmp_path: Path) -> None:
    table = read(_files(tmp_path, b"a,b\n1,x\n", b"b,a\ny,2.5\n", b"a,b\nz,1\n"))
    assert table.column_names == ["a", "b"]
    assert table["a"].to_pylist() == ["1", "2.5", "z"]
    assert table["b"].to_pylist() == ["x", "y", "1"]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ([b""], "s3://bucket/0 can be read neither"),
        ([b"a,b\n1,2,3\n"], "can be read neither as CSV.*Expected 2 columns, got 3"),
        ([b"a,b\n\xff\xfe,2\n"], "save the file as UTF-8"),
        ([b"a,a\n1,2\n"], "column 'a' occurs more than once"),
        ([b"PAR1 and then nonsense"], "neither as CSV nor as Parquet"),
        ([b"a,b\n1,2\n", b"a,c\n1,2\n"], "has a column 'b' that s3://bucket/1 lacks"),
        ([b"a\n1\n", pa.table({"a": [1]})], "s3://bucket/1 is Parquet, but s3://bucket/0 is CSV"),
    ],
)
def test_bad_files_are_named(
    tmp_path: Path, contents: list[bytes | pa.Table], message: str
) -> None:
    with pytest.raises(TrainerError, match=message):
        read(_files(tmp_path, *contents))
