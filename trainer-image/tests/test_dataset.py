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


def _blocks(*parts: tuple[str, int]) -> bytes:
    """A CSV with columns a and b whose rows `(value of a, times)` fill more than one block."""
    return b"a,b\n" + b"".join(
        (value.encode("latin-1") + b"," + b"x" * 100 + b"\n") * count for value, count in parts
    )


@pytest.mark.parametrize(
    ("first", "late", "kind", "values"),
    [
        ("1", "2.5", pa.string(), ["1", "2.5"]),
        ("", "late", pa.string(), [None, "late"]),
        ("2024-01-01", "2024-01-02 10:00", pa.string(), ["2024-01-01", "2024-01-02 10:00"]),
        ("007", "x", pa.string(), ["007", "x"]),
        ("x", "y", pa.string(), ["x", "y"]),
    ],
)
def test_a_column_is_typed_by_all_of_its_values(
    tmp_path: Path, first: str, late: str, kind: pa.DataType, values: list[str | None]
) -> None:
    table = read(_files(tmp_path, _blocks((first, 100_000), (late, 1))))
    assert table["a"].type == kind
    assert [table["a"][0].as_py(), table["a"][-1].as_py()] == values
    assert len(table) == 100_001


def test_many_columns_that_change_late(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(8)]
    early = ",".join("1" for _ in names) + "," + "x" * 100 + "\n"
    late = ["1"] * len(names)
    lines = []
    for number in range(len(names)):
        late[number] = "word"
        lines.append(",".join(late) + ",x\n")
    text = ",".join(names) + ",pad\n" + early * 100_000 + "".join(lines)
    table = read(_files(tmp_path, text.encode()))
    assert {table[name].type for name in names} == {pa.string()}
    assert table["c7"][-1].as_py() == "word"


def test_bytes_after_the_first_block_are_named(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match="column 'a' is not UTF-8"):
        read(_files(tmp_path, _blocks(("x", 100_000), ("\xff", 1))))


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
