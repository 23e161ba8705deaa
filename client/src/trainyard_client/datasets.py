"""Tables to train on: `client.datasets`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from trainyard_schema.names import slug

from trainyard_client.errors import TrainyardError
from trainyard_client.paging import items
from trainyard_client.transport import Transport, segment
from trainyard_client.views import Dataset

_PATH: Final = "/api/v1/datasets"
_NAME_LENGTH: Final = 63
_CHUNK: Final = 256 * 1024
_MEDIA_TYPES: Final = {
    ".csv": "text/csv",
    ".csv.gz": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
}


class Datasets:
    """Upload tables and find them again."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, name: str | None = None) -> Iterator[Dataset]:
        """The datasets, newest first; with `name` only those of this name."""
        return items(self._transport, _PATH, Dataset, {"name": name})

    def get(self, dataset: str) -> Dataset:
        """A dataset by its id. Raises `NotFoundError`."""
        return Dataset.model_validate(self._transport.get(f"{_PATH}/{segment(dataset)}").json())

    def upload(
        self,
        path: Path | str,
        *,
        name: str | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Dataset:
        """Send a CSV or Parquet file, in bounded memory; the API checks it as a whole.

        `progress` is called with the number of bytes that have gone out since the last call. The
        same bytes are the same dataset. Raises `InvalidRequestError` with line and column where
        they are known, `TooLargeError`.
        """
        path = Path(path)
        ending = next((one for one in _MEDIA_TYPES if path.name.lower().endswith(one)), None)
        if ending is None:
            raise TrainyardError(f"{path}: give a file that ends in {', '.join(_MEDIA_TYPES)}")
        try:
            with path.open("rb") as file:
                headers = {
                    "Content-Type": _MEDIA_TYPES[ending],
                    "Content-Length": str(path.stat().st_size),
                }
                answer = self._transport.send_stream(
                    _PATH,
                    _pieces(file, progress),
                    query={"name": name or slug(path.name[: -len(ending)], _NAME_LENGTH)},
                    headers=headers,
                )
        except OSError as error:
            raise TrainyardError(f"{path}: {error.strerror or error}") from error
        return Dataset.model_validate(answer.json())


def _pieces(file: BinaryIO, progress: Callable[[int], None]) -> Iterator[bytes]:
    while piece := file.read(_CHUNK):
        yield piece
        progress(len(piece))
