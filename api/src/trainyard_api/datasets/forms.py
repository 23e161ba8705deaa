"""The file of a multipart/form-data body, as it arrives: neither it nor the form is ever held."""

from collections.abc import AsyncIterator
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

MEDIA_TYPE: Final = "multipart/form-data"
_MOST_FIELDS: Final = 16
_LONGEST_FIELD: Final = 1024


class FormError(Exception):
    """The body is no form with one file in it. The message says what to do about it."""


class UploadForm:
    """A form with one file and a few short fields, in any order."""

    def __init__(self, content_type: str) -> None:
        """Raises `FormError`."""
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if kind != MEDIA_TYPE.encode() or not 1 <= len(boundary) <= 70:
            raise FormError("the Content-Type names no boundary of the form's parts")
        self.fields: dict[str, str] = {}
        """Complete once `file` has ended."""
        self.file_name: str | None = None
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )
        self._header = (b"", b"")
        self._disposition = b""
        self._field: str | None = None
        self._value = b""
        self._file_seen = self._ended = False
        self._arrived = bytearray()

    async def file(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The content of the file in a body. Raises `FormError`, and what `body` raises."""
        async for chunk in body:
            try:
                self._parser.write(chunk)
            except FormParserError as error:
                raise FormError(f"the form is malformed: {error}") from None
            if self._arrived:
                yield bytes(self._arrived)
                self._arrived.clear()
        if not self._ended:
            raise FormError("the form ends before its last boundary; send it again")
        if not self._file_seen:
            raise FormError("the form has no file; send it in the field `file`")

    def _on_part_begin(self) -> None:
        self._disposition, self._field, self._value = b"", None, b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0] + data[start:end], b"")

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0], self._header[1] + data[start:end])

    def _on_header_end(self) -> None:
        if self._header[0].lower() == b"content-disposition":
            self._disposition = self._header[1]
        self._header = (b"", b"")

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"filename" in options:
            if self._file_seen:
                raise FormError("the form has more than one file; send one at a time")
            self._file_seen = True
            self.file_name = options[b"filename"].decode("utf-8", "replace")
            return
        if len(self.fields) >= _MOST_FIELDS:
            raise FormError(f"the form has more than {_MOST_FIELDS} fields")
        self._field = options.get(b"name", b"").decode("utf-8", "replace")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self._arrived += data[start:end]
        else:
            self._value += data[start:end]
            if len(self._value) > _LONGEST_FIELD:
                raise FormError(f"a field has more than {_LONGEST_FIELD} bytes; send the file as "
                                "a file")  # fmt: skip

    def _on_part_end(self) -> None:
        if self._field is not None:
            self.fields[self._field] = self._value.decode("utf-8", "replace")

    def _on_end(self) -> None:
        self._ended = True
