"""The model versions in the object store. A version exists if and only if its manifest does."""

import json
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import structlog
from pydantic import ValidationError
from trainyard_schema import (
    CurrentPointer,
    Manifest,
    Model,
    ModelType,
    TransitionRecord,
    VersionKey,
)
from trainyard_schema.artifacts import MODELS_PREFIX, VERDICT, champion_key, history_prefix

from trainyard_api.store.bucket import Bucket

log = structlog.get_logger()

_THREADS: Final = 8

DocumentT = TypeVar("DocumentT", bound=Model)


@dataclass(frozen=True, kw_only=True)
class StoredVersion:
    """A version in the store."""

    key: VersionKey
    uri: str
    current: bool
    """Whether it is the Model's champion, or the current version of its type."""
    manifest: Manifest | None
    """None where this version of Trainyard cannot read it."""


class ModelStore:
    """Reads a bucket that trainers and the operator write to. Everything raises `StoreError`."""

    def __init__(self, *, bucket: str, endpoint_url: str | None, region: str) -> None:
        self.bucket = Bucket(bucket, endpoint_url=endpoint_url, region=region, threads=_THREADS)

    async def newest(
        self, *, model: str | None, model_type: ModelType | None, limit: int
    ) -> tuple[list[StoredVersion], int]:
        """The newest versions, newest first, and how many there are in all.

        The keys of all versions are listed, 1,000 objects a request; only what is returned is read.
        """
        keys = await self.keys(model=model, model_type=model_type)
        return await self.read(keys[:limit]), len(keys)

    async def keys(self, *, model: str | None, model_type: ModelType | None) -> list[VersionKey]:
        """The keys of all versions, newest first."""
        prefix = f"{MODELS_PREFIX}/" if model is None else f"{MODELS_PREFIX}/{model}/"
        if model is not None and model_type is not None:
            prefix += f"{model_type}/"
        found = (VersionKey.from_manifest_key(one.key) for one in await self.bucket.entries(prefix))
        keys = [key for key in found if key and model_type in (None, key.model_type)]
        return sorted(keys, key=sort_key, reverse=True)

    async def read(self, keys: Iterable[VersionKey]) -> list[StoredVersion]:
        """Versions by their keys."""
        keys = list(keys)
        pointers = sorted({name for key in keys for name in (key.champion, key.current)})
        found = await self.bucket.get_all([*(key.manifest for key in keys), *pointers])
        manifests, named = found[: len(keys)], dict(zip(pointers, found[len(keys) :], strict=True))
        return [
            self._version(key, manifest, named)
            for key, manifest in zip(keys, manifests, strict=True)
        ]

    async def find(self, model: str, version: str) -> StoredVersion | None:
        """A version by its name, which tells nothing of its type; None if there is none."""
        keys = [VersionKey(model, one, version) for one in ModelType]
        manifests = await self.bucket.get_all([key.manifest for key in keys])
        present = [key for key, body in zip(keys, manifests, strict=True) if body is not None]
        return (await self.read(present[:1]))[0] if present else None

    async def consumed(self, model: str) -> str | None:
        """The version that consumers load: the champion, else the newest of the current ones."""
        places = [champion_key(model), *(VersionKey(model, one, "").current for one in ModelType)]
        bodies = await self.bucket.get_all(places)
        champion, *current = [
            self._parse(key, body, CurrentPointer) for key, body in zip(places, bodies, strict=True)
        ]
        if champion is not None:
            return champion.version
        return max((one.version for one in current if one is not None), default=None)

    async def document(self, key: VersionKey, name: str) -> dict[str, Any] | None:
        """A JSON file of a version; None where it is not there, or is none."""
        body = await self.bucket.get(key.prefix + name)
        try:
            found = json.loads(body or b"null")
        except ValueError:
            log.warning("unreadable document", key=key.prefix + name)
            return None
        return found if isinstance(found, dict) else None

    async def file(self, key: VersionKey, name: str) -> tuple[int, AsyncGenerator[bytes]] | None:
        """Size and content of a file of a version."""
        return await self.bucket.chunks(key.prefix + name)

    async def transition_keys(self, model: str) -> list[str]:
        """Keys of a Model's transitions, the latest first."""
        entries = await self.bucket.entries(history_prefix(model))
        return [one.key for one in reversed(entries)]

    async def transitions(self, keys: list[str]) -> list[TransitionRecord | None]:
        """Transitions by their keys; None for one that cannot be read."""
        bodies = await self.bucket.get_all(keys)
        return [
            self._parse(key, body, TransitionRecord) for key, body in zip(keys, bodies, strict=True)
        ]

    def _version(
        self, key: VersionKey, manifest: bytes | None, pointers: dict[str, bytes | None]
    ) -> StoredVersion:
        named = [
            self._parse(name, pointers[name], CurrentPointer)
            for name in (key.champion, key.current)
        ]
        return StoredVersion(
            key=key,
            uri=self.bucket.uri(key.prefix),
            current=any(one is not None and one.version == key.version for one in named),
            manifest=self._parse(key.manifest, manifest, Manifest),
        )

    def _parse(self, key: str, body: bytes | None, kind: type[DocumentT]) -> DocumentT | None:
        """A document; None where it is gone, or is one that this version cannot read."""
        if body is None:
            return None
        try:
            return kind.model_validate_json(body, extra="ignore")
        except ValidationError as error:
            log.warning("unreadable document", key=key, problems=error.error_count())
            return None


def sort_key(key: VersionKey) -> tuple[str, str, str]:
    """What versions are sorted by; names of versions sort by time."""
    return key.version, key.model, str(key.model_type)


def public_files(manifest: Manifest | None) -> set[str]:
    """The files of a version that may be read over REST."""
    named = {file.name for file in manifest.files} if manifest else set()
    return named | {"manifest.json", VERDICT}
