"""Models: reads from the watch cache, writes to the cluster."""

from typing import Any

from trainyard_api.cluster import MODEL, Cluster
from trainyard_api.cluster.cache import ObjectCache
from trainyard_api.cluster.objects import Objects


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
        return await self.patch(name, {"metadata": metadata})

    async def delete(self, name: str) -> None:
        """Delete a Model, and with it its TrainingJobs. Raises `NotFoundError`, `UnavailableError`.

        The watch tells the cache of it.
        """
        model = await self.get(name)
        # One that was created anew in this moment is another one.
        preconditions = {"uid": model["metadata"]["uid"]}
        await self._cluster.call(
            "delete",
            self._kind,
            name=name,
            body={"preconditions": preconditions, "propagationPolicy": "Background"},
        )
