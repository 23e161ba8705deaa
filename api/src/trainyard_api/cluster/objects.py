"""Custom objects of one kind: reads from the watch cache, writes to the cluster."""

import re
from typing import Final, Generic

from trainyard_api.cluster.cache import ObjectCache, ObjectT
from trainyard_api.cluster.client import Cluster
from trainyard_api.cluster.errors import NotFoundError
from trainyard_api.cluster.kinds import Document, Kind

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_MERGE_PATCH: Final = "application/merge-patch+json"


class Objects(Generic[ObjectT]):
    """What all kinds have in common. Answers of the cluster go into the cache at once."""

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

    async def create(self, manifest: Document) -> ObjectT:
        """Create an object. Raises `AlreadyExistsError`, `RefusedError`, `UnavailableError`."""
        # Strict: a field that the CRD does not know is an error, and never dropped in silence.
        answer = await self._cluster.call(
            "create", self._kind, body=manifest, field_validation="Strict"
        )
        return self._cache.put(answer)

    async def patch(self, name: str, body: Document) -> ObjectT:
        """Merge-patch it. Raises what `Cluster.call` does."""
        answer = await self._cluster.call(
            "patch", self._kind, name=name, body=body, _content_type=_MERGE_PATCH
        )
        return self._cache.put(answer)
