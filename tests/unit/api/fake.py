"""A cluster in memory: the custom objects API as far as the Train API uses it."""

import copy
import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, cast

from kubernetes.aio.client import ApiException, CustomObjectsApi
from trainyard_api.cluster import TrainingJobs

Fault = Callable[[str], None]


def api_error(status: int, message: str) -> ApiException:
    error = ApiException(status=status, reason="as told by the status")
    error.body = json.dumps({"kind": "Status", "message": message})
    return error


class FakeApi:
    """Resource versions, conflicts and chunked lists behave as the API server's do."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.chunk = 2
        self.fault: Fault = lambda _: None
        self._writes = 0

    def put(self, job: dict[str, Any]) -> None:
        self._writes += 1
        job = copy.deepcopy(job)
        job["metadata"]["resourceVersion"] = str(self._writes)
        job["metadata"].setdefault("creationTimestamp", f"2026-01-01T00:00:{self._writes:02}Z")
        self.stored[job["metadata"]["name"]] = job

    def set_status(self, name: str, **status: Any) -> None:
        self.put({**self.stored[name], "status": status})

    def _begin(self, verb: str) -> None:
        self.calls.append(verb)
        self.fault(verb)

    def _find(self, name: str) -> dict[str, Any]:
        if name not in self.stored:
            raise api_error(404, f'trainingjobs.trainyard.dev "{name}" not found')
        return copy.deepcopy(self.stored[name])

    async def create_namespaced_custom_object(
        self, *, body: dict[str, Any], **_: Any
    ) -> dict[str, Any]:
        self._begin("create")
        name = body["metadata"]["name"]
        if name in self.stored:
            raise api_error(409, f'trainingjobs.trainyard.dev "{name}" already exists')
        self.put(body)
        return self._find(name)

    async def get_namespaced_custom_object(self, *, name: str, **_: Any) -> dict[str, Any]:
        self._begin("get")
        return self._find(name)

    async def list_namespaced_custom_object(
        self, *, _continue: str = "", **_: Any
    ) -> dict[str, Any]:
        self._begin("list")
        start = int(_continue or 0)
        items = list(self.stored.values())
        more = {"continue": str(start + self.chunk)} if start + self.chunk < len(items) else {}
        return {"items": copy.deepcopy(items[start : start + self.chunk]), "metadata": more}

    async def patch_namespaced_custom_object(
        self, *, name: str, body: dict[str, Any], **_: Any
    ) -> dict[str, Any]:
        self._begin("patch")
        job = self._find(name)
        self.put({**job, "spec": {**job["spec"], **body["spec"]}})
        return self._find(name)


class FakeTrainingJobs(TrainingJobs):
    """The real class on a fake API."""

    def __init__(self, api: FakeApi) -> None:
        super().__init__("trainyard")
        self._api = cast("CustomObjectsApi", api)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None
