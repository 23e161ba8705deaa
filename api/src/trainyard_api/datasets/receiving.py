"""From a request to a dataset: both paths of upload do the same."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final

from fastapi import Request
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from trainyard_api.datasets import forms
from trainyard_api.datasets.checking import InvalidDatasetError
from trainyard_api.datasets.forms import FormError, UploadForm
from trainyard_api.datasets.records import Dataset, dataset_name, name_of_file
from trainyard_api.datasets.service import BusyError, Datasets
from trainyard_api.http.problems import FieldError, Problem, invalid, unavailable
from trainyard_api.store.multipart import TooLargeError

RAW_TYPES: Final = ("text/csv", "application/vnd.apache.parquet")
_FORM_OVERHEAD_BYTES: Final = 64 << 10
_BUSY_RETRY_SECONDS: Final = 10


async def receive(
    request: Request, datasets: Datasets, *, name: str | None, max_bytes: int, uploaded_by: str
) -> tuple[Dataset, bool]:
    """The dataset that a request brings, and whether it is new.

    Raises `Problem`: 408, 413, 415, 422, 503; and `StoreError`.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.headers.get("content-encoding", "identity") != "identity":
        raise _unsupported("send the file without a Content-Encoding; a .csv.gz is taken as it is")
    form = None
    if kind == forms.MEDIA_TYPE:
        form = _form(request.headers["content-type"])
    elif kind not in RAW_TYPES:
        raise _unsupported(f"send {', '.join(RAW_TYPES)} or {forms.MEDIA_TYPE}, not {kind!r}")
    elif name is None:
        raise _invalid("name", "is missing; add ?name= to the URL")
    if name is not None:
        name = _checked(name)
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes + _FORM_OVERHEAD_BYTES:
        raise _too_large(max_bytes)
    try:
        with datasets.one_more_upload():
            chunks = form.file(_body(request)) if form else _body(request)
            staged = await datasets.stage(chunks, max_bytes=max_bytes)
            try:
                name = name or _name_in(form)
                return await datasets.announce(staged, name=name, uploaded_by=uploaded_by)
            finally:
                await datasets.discard(staged)
    except FormError as error:
        raise _invalid("body", str(error)) from None
    except InvalidDatasetError as error:
        raise _invalid("file", str(error)) from None
    except TooLargeError:
        raise _too_large(max_bytes) from None
    except BusyError:
        raise unavailable(
            "There are too many uploads at once; try again.",
            retry_after_seconds=_BUSY_RETRY_SECONDS,
        ) from None
    except ClientDisconnect:
        # Nobody reads this; it is for the log.
        raise Problem(HTTPStatus.BAD_REQUEST, "The client went away during the upload.") from None


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        if chunk:
            yield chunk


def _form(content_type: str) -> UploadForm:
    try:
        return UploadForm(content_type)
    except FormError as error:
        raise _invalid("Content-Type", str(error)) from None


def _name_in(form: UploadForm | None) -> str:
    assert form is not None
    given = form.fields.get("name")
    if given:
        return _checked(given)
    return _checked(name_of_file(form.file_name or ""))


def _checked(name: str) -> str:
    try:
        return dataset_name(name)
    except ValidationError as error:
        message = error.errors()[0]["msg"]
    except ValueError as error:
        message = str(error)
    raise _invalid("name", message)


def _invalid(field: str, message: str) -> Problem:
    return invalid([FieldError(field=field, message=message)])


def _unsupported(detail: str) -> Problem:
    return Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)


def _too_large(max_bytes: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the file has more than {max_bytes} bytes; put it into the bucket by other means and "
        "train on its s3:// URI",
        # What is still on its way is not read.
        headers={"Connection": "close"},
    )


def request_body() -> dict[str, object]:
    """The `requestBody` of both operations: no parameter tells of a body that is streamed."""
    binary = {"type": "string", "format": "binary"}
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {**binary, "description": "CSV, CSV with gzip, or Parquet."},
            "name": {"type": "string", "description": "Default: the name of the file."},
        },
    }
    example = {"text/csv": {"example": "age,plan,churned\n31,basic,no\n"}}
    return {
        "requestBody": {
            "required": True,
            "content": {
                **{kind: {"schema": binary, **example.get(kind, {})} for kind in RAW_TYPES},
                forms.MEDIA_TYPE: {"schema": form},
            },
        }
    }
