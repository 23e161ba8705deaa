"""TrainingJobs and Models: reads from the watch cache, writes to the cluster."""

import re
from typing import Any, Final, Generic

from trainyard_schema import TERMINAL_PHASES

from trainyard_api.cluster import MODEL, TRAINING_JOB, Cluster, Document, Kind, NotFoundError
from trainyard_api.jobs import TrainingJob
from trainyard_api.watching.cache import ObjectCache, ObjectT

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_MERGE_PATCH: Final = "application/merge-patch+json"


class Objects(Generic[ObjectT]):
    """What both kinds have in common. Answers of the cluster go into the cache at once."""

    def __init__(self, cluster: Cluster, kind: Kind, cache: ObjectCache[ObjectT]) -> None:
        self._cluster = cluster
        self._kind = kind
        self._cache = cache

    async def find(self, name: str) -> ObjectT:
        """The object of that name from the cache. Raises `NotFoundError`, `UnavailableError`.

        For one that is not there, the cluster is asked: another replica may have just created it.
        """
        return self._cache.get(name) or await self.get(name)

    async def get(self, name: str) -> ObjectT:
        """Read from the cluster. Raises `NotFoundError`, `UnavailableError`."""
        if not _NAME.fullmatch(name):
            raise NotFoundError(name)
        return self._cache.put(await self._cluster.call("get", self._kind, name=name))

    async def _patch(self, name: str, body: Document) -> ObjectT:
        answer = await self._cluster.call(
            "patch", self._kind, name=name, body=body, _content_type=_MERGE_PATCH
        )
        return self._cache.put(answer)


class TrainingJobs(Objects[TrainingJob]):
    """The TrainingJobs of the namespace."""

    def __init__(self, cluster: Cluster, cache: ObjectCache[TrainingJob]) -> None:
        super().__init__(cluster, TRAINING_JOB, cache)

    async def create(self, manifest: Document) -> TrainingJob:
        """Create a TrainingJob. Raises `AlreadyExistsError`, `RefusedError`, `UnavailableError`."""
        # Strict: a field that the CRD does not know is an error, and never dropped in silence.
        answer = await self._cluster.call(
            "create", self._kind, body=manifest, field_validation="Strict"
        )
        return self._cache.put(answer)

    async def cancel(self, name: str) -> TrainingJob:
        """Ask for the end of a TrainingJob; one that has ended or is being cancelled is left alone.

        Returns it as it then is. Raises `NotFoundError`, `UnavailableError`.
        """
        job = await self.get(name)
        if job["spec"].get("cancel") or job.get("status", {}).get("phase") in TERMINAL_PHASES:
            return job
        # Without a precondition, or the operator's writes of the status would hold it up. To one
        # that ends in this moment it does nothing.
        return await self._patch(name, {"spec": {"cancel": True}})


class Models(Objects[dict[str, Any]]):
    """The Models of the namespace."""

    def __init__(self, cluster: Cluster, cache: ObjectCache[dict[str, Any]]) -> None:
        super().__init__(cluster, MODEL, cache)

    async def annotate(
        self, name: str, annotations: dict[str, str | None], *, resource_version: str
    ) -> dict[str, Any]:
        """Set annotations (None: remove), unless the Model has changed since it was read.

        Raises `ConflictError`, `NotFoundError`, `RefusedError`, `UnavailableError`.
        """
        metadata = {"annotations": annotations, "resourceVersion": resource_version}
        return await self._patch(name, {"metadata": metadata})
