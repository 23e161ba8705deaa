"""Checkpoints of runs that ended without a version: nobody goes on from them any more."""

from trainyard_schema.artifacts import CHECKPOINTS_PREFIX

from trainyard_controller.object_store import ObjectStore


class Checkpoints:
    """Removes them, and knows which are still to be removed while the object store is away.

    That knowledge ends with the operator: what is left then costs space and nothing else.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._left: set[str] = set()

    async def remove(self, uid: str) -> None:
        """Remove what the run of this TrainingJob left. Its pods must be gone. Raises `StoreError`;
        `retry` then tries again.
        """
        self._left.add(uid)
        await self.retry(uid)

    async def retry(self, uid: str) -> None:
        """Remove what could not be removed before, if anything."""
        if uid not in self._left:
            return
        for entry in await self._store.entries(f"{CHECKPOINTS_PREFIX}/{uid}/"):
            await self._store.delete(entry.key)
        self._left.discard(uid)
