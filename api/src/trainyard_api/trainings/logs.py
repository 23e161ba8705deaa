"""Where the log of a training is: in its pod and, once that is gone, with its version in S3."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import structlog
from trainyard_schema import ModelType, VersionKey, names
from trainyard_schema.artifacts import LOG, MANIFEST
from trainyard_schema.run import model_type_of_pod

from trainyard_api.cluster import Cluster, Document, NotFoundError, UnavailableError
from trainyard_api.cluster.cache import ObjectCache
from trainyard_api.cluster.subscription import Subscription
from trainyard_api.http.problems import FieldError, Problem, invalid
from trainyard_api.http.sse import end_event
from trainyard_api.store import ModelStore, StoreError
from trainyard_api.trainings.log_lines import Numbered, Position, split
from trainyard_api.trainings.training_job import TrainingJob

_PAUSE_SECONDS: Final = 3.0
"""How long until a pod is looked for again, where no change of the training is a reason to."""


log = structlog.get_logger()


@dataclass(frozen=True)
class Pod:
    """A pod whose trainer has started."""

    name: str
    uid: str
    ended: bool


class JobLogs:
    """The logs of trainings, wherever they are."""

    def __init__(self, cluster: Cluster, jobs: ObjectCache[TrainingJob], store: ModelStore) -> None:
        self._cluster = cluster
        self._jobs = jobs
        self._store = store

    async def text(self, job: TrainingJob, model_type: ModelType) -> AsyncIterator[bytes]:
        """What has been printed so far, in chunks. Raises `Problem` (404), which says why."""
        pod = await self._pod(job, model_type)
        if pod is not None:
            try:
                return await _opened(self._cluster.log(pod.name, follow=False))
            except NotFoundError:
                pass
        stored = await self._stored(job, model_type)
        if stored is None:
            raise Problem(HTTPStatus.NOT_FOUND, _why_there_is_none(job, model_type))
        return stored[1]

    async def require(self, job: TrainingJob, model_type: ModelType) -> None:
        """Raises `Problem` (404) where there is no log, and never will be."""
        if not job.ended or await self._pod(job, model_type) is not None:
            return
        stored = await self._stored(job, model_type)
        if stored is None:
            raise Problem(HTTPStatus.NOT_FOUND, _why_there_is_none(job, model_type))
        await stored[1].aclose()

    async def follow(
        self, name: str, model_type: ModelType, seen: Position | None
    ) -> AsyncGenerator[bytes]:
        """Events of the lines after `seen`, of each pod that is started for it, up to its end.

        Ends early where the cluster is silent: who connects again is told why.
        """
        try:
            async for events in self._follow(name, model_type, seen):
                yield events
        except (UnavailableError, StoreError) as error:
            log.warning("a log cannot be followed further", training_job=name, error=str(error))

    async def _follow(
        self, name: str, model_type: ModelType, seen: Position | None
    ) -> AsyncIterator[bytes]:
        read: str | None = None
        async with self._jobs.subscribe(name) as news:
            while (job := self._jobs.get(name)) is not None:
                pod = await self._pod(job, model_type)
                if pod is not None and pod.uid != read:
                    numbered = Numbered(pod.uid, seen)
                    async for events in self._printed(pod, numbered):
                        yield events
                    seen = numbered.position
                    if pod.ended:
                        read = pod.uid
                        continue
                elif job.ended:
                    async for events in self._kept(job, model_type, seen, read):
                        yield events
                    break
                await _news_or_time(news)
        yield end_event(json.dumps({"status": job.status if job is not None else "deleted"}))

    async def _printed(self, pod: Pod, numbered: Numbered) -> AsyncIterator[bytes]:
        try:
            async with aclosing(self._cluster.log(pod.name, follow=True)) as chunks:
                async for lines in split(chunks):
                    if events := numbered.events(lines):
                        yield events
        except NotFoundError:
            # Deleted in between, or restarted.
            return

    async def _kept(
        self, job: TrainingJob, model_type: ModelType, seen: Position | None, read: str | None
    ) -> AsyncIterator[bytes]:
        """What the version has of a log that could not be read to its end in the pod."""
        stored = await self._stored(job, model_type)
        if stored is None:
            return
        pod_uid, chunks = stored
        async with aclosing(chunks):
            if pod_uid == read:
                return
            numbered = Numbered(pod_uid, seen)
            async for lines in split(chunks):
                if events := numbered.events(lines):
                    yield events

    async def _pod(self, job: TrainingJob, model_type: ModelType) -> Pod | None:
        """The newest pod of that type whose trainer has started."""
        found = await self._cluster.pods(f"{names.UID_LABEL}={job['metadata']['uid']}")
        of_type = [pod for pod in found if _trained_by(pod, job) == model_type]
        newest_first = sorted(
            of_type, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), reverse=True
        )
        return next((pod for pod in map(_started, newest_first) if pod is not None), None)

    async def _stored(
        self, job: TrainingJob, model_type: ModelType
    ) -> tuple[str, AsyncGenerator[bytes]] | None:
        """The log that a version keeps, and the uid of the pod that printed it."""
        version = _version(job, model_type)
        if version is None:
            return None
        key = VersionKey(job.model, model_type, version)
        manifest = await self._store.document(key, MANIFEST)
        found = await self._store.file(key, LOG)
        if manifest is None or found is None:
            return None
        return str(manifest.get("podUid")), found[1]


def wanted_type(job: TrainingJob, model_type: ModelType | None) -> ModelType:
    """Whose log is asked for. Raises `Problem` (422) where that is open, or not trained."""
    types = job.model_types
    if model_type is None and len(types) == 1:
        return types[0]
    if model_type is None or model_type not in types:
        raise invalid([FieldError(field="model_type", message=f"choose one of {', '.join(types)}")])
    return model_type


def _version(job: TrainingJob, model_type: ModelType) -> str | None:
    """The version that this training made of that type; None for one that it has only found."""
    models: list[dict[str, Any]] = (job.get("status") or {}).get("models") or []
    for model in models:
        if model.get("modelType") == model_type and not model.get("unchanged"):
            return str(model.get("version"))
    return None


def _why_there_is_none(job: TrainingJob, model_type: ModelType) -> str:
    if not job.ended:
        return f"There is no log yet: no trainer of {model_type} has started ({job.message})."
    if _version(job, model_type) is not None:
        return "The pod is gone, and the version that kept its log has been deleted."
    return (
        "The log was in the pod only, which is gone: no version was uploaded that would keep it. "
        f"The training's last word: {job.message}"
    )


def _trained_by(pod: Document, job: TrainingJob) -> ModelType | None:
    return model_type_of_pod(pod["metadata"].get("annotations") or {}, job.model_types)


def _started(pod: Document) -> Pod | None:
    for container in pod.get("status", {}).get("containerStatuses", []):
        state = container.get("state", {})
        if container["name"] == names.TRAINER_CONTAINER and state.keys() & {
            "running",
            "terminated",
        }:
            metadata = pod["metadata"]
            return Pod(metadata["name"], metadata["uid"], ended="terminated" in state)
    return None


async def _opened(chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same, once it is known that there is something to be read."""
    first = await anext(chunks, b"")

    async def all_of_it() -> AsyncGenerator[bytes]:
        async with aclosing(chunks):
            yield first
            async for chunk in chunks:
                yield chunk

    return all_of_it()


async def _news_or_time(news: Subscription) -> None:
    try:
        async with asyncio.timeout(_PAUSE_SECONDS):
            await anext(news)
    except TimeoutError:
        pass
