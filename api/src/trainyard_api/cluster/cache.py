"""The objects of one kind, as this replica knows them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, TypeVar

from trainyard_api.cluster.errors import UnavailableError
from trainyard_api.cluster.kinds import Document
from trainyard_api.cluster.subscription import Subscription

STALE_SECONDS: Final = 60.0
"""How long after the last word of the API server answers are still given."""

ObjectT = TypeVar("ObjectT", bound=dict[str, Any])


class ObjectCache(Generic[ObjectT]):
    """Filled by a `Reflector`, and by the answers to this replica's own writes.

    Readers share the documents and never change them.
    """

    def __init__(
        self,
        kind: str,
        *,
        make: Callable[[Document], ObjectT],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kind = kind
        self._make = make
        self._clock = clock
        self._objects: dict[str, ObjectT] = {}
        self._version = 0
        self._last_word = clock()
        self._synced = asyncio.Event()
        self._subscriptions: dict[str | None, set[Subscription]] = {}

    def get(self, name: str) -> ObjectT | None:
        """The object of that name. Raises `UnavailableError` where nothing recent is known."""
        self.require_recent()
        return self._objects.get(name)

    def all(self) -> Collection[ObjectT]:
        """All objects, in no order. Raises `UnavailableError` where nothing recent is known."""
        self.require_recent()
        return self._objects.values()

    @property
    def resource_version(self) -> str:
        """Up to where the cache knows everything. All replicas count alike."""
        return str(self._version)

    @property
    def synced(self) -> bool:
        """Whether everything has been listed once."""
        return self._synced.is_set()

    async def wait_synced(self, timeout: float) -> None:  # noqa: ASYNC109
        """Until everything has been listed once. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout):
            await self._synced.wait()

    @property
    def age_seconds(self) -> float:
        """Since the last word of the API server."""
        return self._clock() - self._last_word

    def require_recent(self) -> None:
        """Raises `UnavailableError` where what is known may long be false."""
        if not self.synced:
            raise UnavailableError(f"the {self._kind}s have not been read yet")
        if self.age_seconds > STALE_SECONDS:
            raise UnavailableError(
                f"nothing has been heard of the {self._kind}s for {self.age_seconds:.0f} s"
            )

    @asynccontextmanager
    async def subscribe(self, name: str | None = None) -> AsyncIterator[Subscription]:
        """News of the object of that name, or of all. What is known already is no news."""
        subscription = Subscription()
        self._subscriptions.setdefault(name, set()).add(subscription)
        try:
            yield subscription
        finally:
            others = self._subscriptions[name]
            others.discard(subscription)
            if not others:
                del self._subscriptions[name]

    def put(self, document: Document) -> ObjectT:
        """Take note of an answer to a request; the newest that is known of that object.

        Resource versions count through all objects of a kind, so what is older than `version` has
        been told by the watch, and may have been deleted since.
        """
        name = document["metadata"]["name"]
        known = self._objects.get(name)
        if version_of(document) > self._version and _is_news(known, document):
            return self._keep(name, document)
        return known if known is not None else self._make(document)

    def heard(self, version: int | None = None) -> None:
        """Take note of a word of the API server, and of up to where everything is known."""
        self._last_word = self._clock()
        if version is not None:
            self._version = version

    def changed(self, document: Document) -> None:
        """Take note of an event: an object was added or modified."""
        name = document["metadata"]["name"]
        if _is_news(self._objects.get(name), document):
            self._keep(name, document)
        self.heard(version_of(document))

    def deleted(self, document: Document) -> None:
        """Take note of an event: an object is gone."""
        name = document["metadata"]["name"]
        known = self._objects.get(name)
        if known is not None and version_of(known) <= version_of(document):
            self._drop(name)
        self.heard(version_of(document))

    def replace(self, documents: Iterable[Document], version: int) -> None:
        """Take note of a list of everything as it was at `version`."""
        # What was written since the list was made is in no list. A version that goes back is
        # another history: that of a cluster restored from a backup.
        restored = version < self._version
        fresh = {document["metadata"]["name"]: document for document in documents}
        for name, known in list(self._objects.items()):
            if name not in fresh and (restored or version_of(known) <= version):
                self._drop(name)
        for name, document in fresh.items():
            if restored or _is_news(self._objects.get(name), document):
                self._keep(name, document)
        self.heard(version)
        self._synced.set()

    def _keep(self, name: str, document: Document) -> ObjectT:
        # Half of an object's size, and of no use to anybody here.
        document["metadata"].pop("managedFields", None)
        kept = self._objects[name] = self._make(document)
        self._tell(name)
        return kept

    def _drop(self, name: str) -> None:
        del self._objects[name]
        self._tell(name)

    def _tell(self, name: str) -> None:
        for key in (name, None):
            for subscription in self._subscriptions.get(key, ()):
                subscription.tell(name)


def version_of(document: Document) -> int:
    """The resourceVersion, a number that grows with each write in the cluster."""
    return int(document["metadata"]["resourceVersion"])


def _is_news(known: Document | None, document: Document) -> bool:
    return known is None or version_of(document) > version_of(known)
