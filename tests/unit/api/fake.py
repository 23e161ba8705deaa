"""A cluster in memory: the custom objects API as far as the Train API uses it."""

import asyncio
import copy
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace, TracebackType
from typing import Any, Self, cast

from kubernetes.aio.client import ApiException, CustomObjectsApi
from trainyard_api.cluster import Cluster
from trainyard_api.cluster.cache import ObjectCache
from trainyard_api.cluster.core import CoreApi
from trainyard_schema import names

Fault = Callable[[str], None]


def api_error(status: int, message: str) -> ApiException:
    error = ApiException(status=status, reason="as told by the status")
    error.body = json.dumps({"kind": "Status", "message": message})
    return error


Objects = dict[str, dict[str, Any]]


class FakeApi:
    """Resource versions, conflicts, chunked lists and watches behave as the API server's do."""

    def __init__(self) -> None:
        self.stored: Objects = {}
        """The TrainingJobs."""
        self.models: Objects = {}
        self.pods: Objects = {}
        self.printed: dict[str, list[bytes]] = {}
        """What a pod's trainer has printed; a log that is followed ends here as well."""
        self.calls: list[str] = []
        self.chunk = 2
        self.fault: Fault = lambda _: None
        self.version = 0
        self.bookmarks = True
        self.forgotten = 0
        """Events up to this version are compacted."""
        self._events: list[tuple[int, str, dict[str, Any]]] = []
        self._waiting: list[asyncio.Event] = []
        self._cut = 0

    def put(self, job: dict[str, Any], *, plural: str = names.PLURAL) -> None:
        objects = self._objects(plural)
        self.version += 1
        job = copy.deepcopy(job)
        name = job["metadata"]["name"]
        job["metadata"]["resourceVersion"] = str(self.version)
        job["metadata"].setdefault("creationTimestamp", f"2026-01-01T00:00:{self.version:02}Z")
        job["metadata"].setdefault("uid", f"uid-{self.version}")
        event = "MODIFIED" if name in objects else "ADDED"
        objects[name] = job
        self._tell(plural, event, job)

    def set_status(self, name: str, **status: Any) -> None:
        self.put({**self.stored[name], "status": status})

    def delete(self, name: str, *, plural: str = names.PLURAL) -> None:
        self.version += 1
        gone = self._objects(plural).pop(name)
        gone["metadata"]["resourceVersion"] = str(self.version)
        self._tell(plural, "DELETED", gone)

    def _tell(self, plural: str, event: str, document: dict[str, Any]) -> None:
        document = copy.deepcopy(document)
        self._events.append((self.version, plural, {"type": event, "object": document}))
        self._wake()

    def cut(self) -> None:
        """End the watches."""
        self._cut += 1
        self._wake()

    def forget(self) -> None:
        """Compact the history."""
        self.forgotten = self.version

    def _objects(self, plural: str) -> Objects:
        return {names.PLURAL: self.stored, names.MODEL_PLURAL: self.models}[plural]

    def _begin(self, verb: str) -> None:
        self.calls.append(verb)
        self.fault(verb)

    def _find(self, plural: str, name: str) -> dict[str, Any]:
        objects = self._objects(plural)
        if name not in objects:
            raise api_error(404, f'{plural}.trainyard.dev "{name}" not found')
        return copy.deepcopy(objects[name])

    async def create_namespaced_custom_object(
        self, *, plural: str, body: dict[str, Any], **_: Any
    ) -> dict[str, Any]:
        self._begin("create")
        name = body["metadata"]["name"]
        if name in self._objects(plural):
            raise api_error(409, f'{plural}.trainyard.dev "{name}" already exists')
        self.put(body, plural=plural)
        return self._find(plural, name)

    async def get_namespaced_custom_object(
        self, *, plural: str, name: str, **_: Any
    ) -> dict[str, Any]:
        self._begin("get")
        return self._find(plural, name)

    async def delete_namespaced_custom_object(
        self, *, plural: str, name: str, body: dict[str, Any], **_: Any
    ) -> dict[str, Any]:
        self._begin("delete")
        found = self._find(plural, name)
        if body["preconditions"]["uid"] != found["metadata"]["uid"]:
            raise api_error(409, "the UID in the precondition is another one")
        self.delete(name, plural=plural)
        return {"kind": "Status", "status": "Success"}

    async def list_namespaced_custom_object(
        self, *, plural: str, _continue: str = "", **_: Any
    ) -> dict[str, Any]:
        self._begin("list")
        start = int(_continue or 0)
        items = list(self._objects(plural).values())
        metadata = {"resourceVersion": str(self.version)}
        if start + self.chunk < len(items):
            metadata["continue"] = str(start + self.chunk)
        return {"items": copy.deepcopy(items[start : start + self.chunk]), "metadata": metadata}

    async def list_namespaced_custom_object_without_preload_content(
        self, *, plural: str, resource_version: str, **_: Any
    ) -> Any:
        self._begin("watch")
        return self._watch(plural, int(resource_version))

    @asynccontextmanager
    async def _watch(self, plural: str, version: int) -> AsyncIterator[Any]:
        if version < self.forgotten:
            message = json.dumps({"message": "too old resource version"})
            yield SimpleNamespace(
                status=410, reason="Gone", headers={}, text=lambda: _said(message)
            )
        else:
            yield SimpleNamespace(status=200, content=self._lines(plural, version))

    async def _lines(self, plural: str, version: int) -> AsyncIterator[bytes]:
        cut = self._cut
        while cut == self._cut:
            for at, kind, event in self._events:
                if at > version and kind == plural:
                    yield _line(event)
            version = self.version
            if self.bookmarks:
                metadata = {"resourceVersion": version}
                yield _line({"type": "BOOKMARK", "object": {"metadata": metadata}})
            if version == self.version and cut == self._cut:
                news = asyncio.Event()
                self._waiting.append(news)
                await news.wait()

    def _wake(self) -> None:
        for news in self._waiting:
            news.set()
        self._waiting.clear()

    def put_pod(
        self,
        name: str,
        job: str,
        *,
        index: int = 0,
        state: str = "running",
        lines: int = 0,
        types: str = "",
    ) -> None:
        named = {names.MODEL_TYPES_ANNOTATION: types} if types else {}
        self.pods[name] = {
            "metadata": {
                "name": name,
                "uid": hashlib.sha256(name.encode()).hexdigest(),
                "creationTimestamp": f"2026-01-01T00:01:{len(self.pods):02}Z",
                "labels": {names.UID_LABEL: self.stored[job]["metadata"]["uid"]},
                "annotations": {names.COMPLETION_INDEX_ANNOTATION: str(index), **named},
            },
            "status": {
                "containerStatuses": [{"name": names.TRAINER_CONTAINER, "state": {state: {}}}]
            },
        }
        self.printed[name] = [f"{name} line {number + 1}\n".encode() for number in range(lines)]

    async def list_pods(self, _: str, *, label_selector: str, **__: Any) -> Any:
        self._begin("list pods")
        wanted = dict(item.split("=") for item in label_selector.split(","))
        items = [
            pod for pod in self.pods.values() if pod["metadata"]["labels"].items() >= wanted.items()
        ]
        return _answered(200, read=lambda: _said(json.dumps({"items": items})))

    async def read_pod_log(self, _: str, pod: str, *, container: str, **__: Any) -> Any:
        self._begin("log")
        assert container == names.TRAINER_CONTAINER
        if pod not in self.pods:
            message = json.dumps({"message": f'pods "{pod}" not found'})
            return _answered(404, reason="Not Found", headers={}, text=lambda: _said(message))
        return _answered(200, content=SimpleNamespace(iter_any=lambda: self._chunks(pod)))

    async def _chunks(self, pod: str) -> AsyncIterator[bytes]:
        # Chunks do not end where lines do.
        text = b"".join(self.printed[pod])
        for start in range(0, len(text), 7):
            await asyncio.sleep(0)
            yield text[start : start + 7]

    async def patch_namespaced_custom_object(
        self, *, plural: str, name: str, body: dict[str, Any], **_: Any
    ) -> dict[str, Any]:
        self._begin("patch")
        found = self._find(plural, name)
        expected = body.get("metadata", {}).get("resourceVersion")
        if expected not in (None, found["metadata"]["resourceVersion"]):
            raise api_error(409, "the object has been modified")
        self.put(_merged(found, body), plural=plural)
        return self._find(plural, name)


def _merged(document: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """RFC 7386."""
    merged = dict(document)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = _merged(merged.get(name, {}), value)
        else:
            merged[name] = value
    return merged


def _line(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode() + b"\n"


@asynccontextmanager
async def _answered(status: int, **others: Any) -> AsyncIterator[SimpleNamespace]:
    yield SimpleNamespace(status=status, **others)


async def _said(text: str) -> str:
    return text


class FakeCluster(Cluster):
    """The real class on a fake API."""

    def __init__(self, api: FakeApi) -> None:
        super().__init__("trainyard")
        self._api = cast("CustomObjectsApi", api)
        self._core = cast("CoreApi", api)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None


async def settled(api: FakeApi, *caches: ObjectCache[Any]) -> None:
    """Until the watches have told these caches everything."""
    async with asyncio.timeout(5):
        for cache in caches:
            # Nothing tells of bookmarks.
            while not cache.synced or int(cache.resource_version) < api.version:  # noqa: ASYNC110
                await asyncio.sleep(0)
