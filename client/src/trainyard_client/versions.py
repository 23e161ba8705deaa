"""Versions of models in the object store: `client.versions`."""

from collections.abc import Iterator

from trainyard_client.models import model_path
from trainyard_client.paging import items
from trainyard_client.transport import Transport, segment
from trainyard_client.views import Version


class Versions:
    """What trainings left: model files and their evidence."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, model: str, *, model_type: str | None = None) -> Iterator[Version]:
        """The versions of a model, newest first."""
        path = f"{model_path(model)}/versions"
        return items(self._transport, path, Version, {"model_type": model_type})

    def get(self, model: str, version: str) -> Version:
        """A version and what its manifest tells. Raises `NotFoundError`."""
        path = f"{model_path(model)}/versions/{segment(version)}"
        return Version.model_validate(self._transport.get(path).json())

    def file(self, model: str, version: str, file: str) -> Iterator[bytes]:
        """A file of a version, such as `model-card.md`, in pieces."""
        path = f"{model_path(model)}/versions/{segment(version)}/files/{segment(file)}"
        with self._transport.stream(path) as response:
            yield from response.iter_bytes()
