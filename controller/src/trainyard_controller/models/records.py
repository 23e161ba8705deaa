"""What is known of a Model, and the one way to write its status."""

from trainyard_schema import ModelStatus

from trainyard_controller.announce import Announcement
from trainyard_controller.errors import ConflictError, RefusedError
from trainyard_controller.events import post_events
from trainyard_controller.kube import Api
from trainyard_controller.models.cache import ModelCache
from trainyard_controller.models.kube import ModelApi
from trainyard_controller.models.objects import Model
from trainyard_controller.objects import Key, utc_now
from trainyard_controller.workqueue import WorkQueue


class Records:
    """Models in the cache and on the API server."""

    def __init__(
        self,
        *,
        api: ModelApi,
        events: Api,
        cache: ModelCache,
        queue: WorkQueue[Key],
        instance: str,
    ) -> None:
        self._api = api
        self._events = events
        self._cache = cache
        self._queue = queue
        self._instance = instance

    async def is_outdated(self, model: Model) -> bool:
        """Look at the API server. If the Model is not as it is there, it comes again, as it is."""
        live = await self._api.get_model(*model.key)
        if live is None:
            self._cache.drop(model.key, model.uid)
        elif self._cache.put(live):
            self._queue.add(model.key)
        known = self._cache.model(model.key)
        return known is None or (known.uid, known.resource_version) != (
            model.uid, model.resource_version,
        )  # fmt: skip

    async def write(self, model: Model, status: ModelStatus, announced: list[Announcement]) -> None:
        """Write the status over that of the Model as it is known, and tell of it.

        Raises `ConflictError` where the Model has changed since; the cache has it by then.
        """
        try:
            fresh = await self._api.replace_status(
                *model.key,
                uid=model.uid,
                resource_version=model.resource_version,
                status=status.to_dict(),
            )
        except ConflictError:
            await self.is_outdated(model)
            raise
        except RefusedError as error:
            if error.status != 404:
                raise
            self._cache.drop(model.key, model.uid)
            return
        self._cache.put(fresh)
        await post_events(self._events, model, announced, utc_now(), instance=self._instance)
