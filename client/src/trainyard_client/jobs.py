"""Trainings: `client.jobs`."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from trainyard_schema import TrainingJobSpec

from trainyard_client import waiting
from trainyard_client.events import events
from trainyard_client.paging import items
from trainyard_client.transport import Transport, segment
from trainyard_client.views import Job

_PATH: Final = "/api/v1/jobs"


class Jobs:
    """Start, follow and cancel trainings."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def submit(
        self,
        spec: TrainingJobSpec | Mapping[str, Any],
        *,
        name: str | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Start a training.

        `spec` is a TrainingJob's; a mapping has the names of its YAML (camelCase). Without a `name`
        the API makes one. With the same `idempotency_key` it is started once.
        """
        document = _document(spec) if isinstance(spec, TrainingJobSpec) else dict(spec)
        body = {"spec": document} | ({"name": name} if name else {})
        return Job.model_validate(self._transport.post(_PATH, body, key=idempotency_key).json())

    def list(
        self,
        *,
        status: str | None = None,
        phase: str | None = None,
        model: str | None = None,
        model_type: str | None = None,
        label: str | None = None,
    ) -> Iterator[Job]:
        """The trainings with these properties, newest first. Pages are asked for as they are read.

        `label` is `key=value`.
        """
        query = {
            "status": status,
            "phase": phase,
            "model": model,
            "model_type": model_type,
            "label": label,
        }
        return items(self._transport, _PATH, Job, query)

    def get(self, name: str) -> Job:
        """A training. Raises `NotFoundError`."""
        return Job.model_validate(self._transport.get(_path(name)).json())

    def cancel(self, name: str) -> Job:
        """Ask for its end; its status becomes cancelled once no pod is left.

        Raises `ConflictError` if it has completed or failed.
        """
        return Job.model_validate(self._transport.delete(_path(name)).json())

    def watch(self, *names: str, timeout: float | None = None) -> Iterator[Job]:
        """Trainings as they are now, and after each change, until all have ended.

        Raises `WaitTimeoutError` after `timeout` seconds.
        """
        return waiting.watch(self._transport, [_path(name) for name in names], timeout)

    def wait(self, name: str, *, timeout: float | None = None) -> Job:
        """A training once it has ended, whatever its end. Raises `WaitTimeoutError`."""
        for job in self.watch(name, timeout=timeout):
            if job.ended:
                return job
        return self.get(name)

    def logs(
        self, name: str, *, follow: bool = False, model_type: str | None = None
    ) -> Iterator[str]:
        """The lines of its log so far; with `follow` also those to come, until it ends.

        `model_type` chooses one where all were trained.
        """
        path = f"{_path(name)}/logs"
        if not follow:
            with self._transport.stream(path, {"model_type": model_type}) as response:
                yield from response.iter_lines()
            return
        for event in events(self._transport, path, {"follow": True, "model_type": model_type}):
            if event.event == "line":
                yield event.data

    def metrics(self, name: str) -> dict[str, Any]:
        """How its metrics moved while it trained: by model type, one mapping for each round, epoch
        or number of trees. A type is missing until its version has been uploaded.
        """
        history: dict[str, Any] = self._transport.get(f"{_path(name)}/metrics").json()
        return history


def _document(spec: TrainingJobSpec) -> dict[str, Any]:
    # What was not said is left to the cluster, whose defaults may be newer than ours.
    return spec.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _path(name: str) -> str:
    return f"{_PATH}/{segment(name)}"
