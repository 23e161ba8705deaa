"""A form, however its bytes are cut."""

from collections.abc import AsyncIterator

import pytest
from trainyard_api.datasets.forms import FormError, UploadForm

TYPE = "multipart/form-data; boundary=XX"


def part(head: str, body: bytes) -> bytes:
    return f"--XX\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + body + b"\r\n"


FILE = part('name="file"; filename="C:\\data\\Customers 1.csv"', b"a,b\r\n--X\r\n1,2\r\n")
NAME = part('name="name"', b"churn")
END = b"--XX--\r\n"


async def read(body: bytes, cut: int) -> tuple[UploadForm, bytes]:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), cut):
            yield body[start : start + cut]

    form = UploadForm(TYPE)
    return form, b"".join([chunk async for chunk in form.file(chunks())])


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 64, 10_000])
@pytest.mark.parametrize("body", [FILE + NAME + END, NAME + FILE + END])
async def test_the_file_and_the_fields(body: bytes, cut: int) -> None:
    form, content = await read(body, cut)
    assert content == b"a,b\r\n--X\r\n1,2\r\n"
    assert form.fields == {"name": "churn"}
    assert form.file_name is not None
    assert form.file_name.endswith("Customers 1.csv")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (NAME + END, "no file"),
        (FILE, "ends before"),
        (FILE + NAME[:-5], "ends before"),
        (FILE + FILE + END, "more than one file"),
        (part('name="name"', b"x" * 1025) + END, "more than 1024 bytes"),
        (b"".join(part(f'name="{n}"', b"x") for n in range(17)) + END, "more than 16 fields"),
        (b"nonsense", "malformed"),
        (b"", "ends before"),
    ],
)
async def test_no_form(body: bytes, message: str) -> None:
    with pytest.raises(FormError, match=message):
        await read(body, 50)


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=", "a/b"])
def test_a_form_without_a_boundary(kind: str) -> None:
    with pytest.raises(FormError):
        UploadForm(kind)
