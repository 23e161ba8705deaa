"""What the operator knows of Models. Their TrainingJobs are in the cache of those."""

from trainyard_controller.models.objects import Model
from trainyard_controller.objects import Document, Key


class ModelCache:
    """The latest Models, filled as the cache of the TrainingJobs is."""

    def __init__(self) -> None:
        self._models: dict[Key, Model] = {}
        self._keys: dict[str, Key] = {}

    def model(self, key: Key) -> Model | None:
        """The Model of that name."""
        return self._models.get(key)

    def models(self) -> list[Model]:
        """All that are known."""
        return list(self._models.values())

    def key_of(self, uid: str) -> Key | None:
        """The key of the Model with this uid."""
        return self._keys.get(uid)

    def put(self, document: Document) -> bool:
        """Take note of a Model. Tells whether that was news."""
        fresh = Model.from_document(document)
        known = self._models.get(fresh.key)
        if known is not None and known.uid == fresh.uid:
            if int(fresh.resource_version) <= int(known.resource_version):
                return False
        elif known is not None:
            del self._keys[known.uid]
        self._models[fresh.key] = fresh
        self._keys[fresh.uid] = fresh.key
        return True

    def drop(self, key: Key, uid: str) -> None:
        """Take note that a Model is gone."""
        known = self._models.get(key)
        if known is not None and known.uid == uid:
            del self._models[key]
            del self._keys[uid]
