"""Which versions of a Model are deleted: a pure function of what is in the store and of use."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError
from trainyard_schema import CurrentPointer, ModelSpec, ModelStatus, ModelType, VersionKey
from trainyard_schema.artifacts import CURRENT, MODELS_PREFIX, champion_key

from trainyard_controller.object_store import Entry, ObjectStore, StoreError
from trainyard_controller.objects import TrainingJob

LEFTOVER_AGE = timedelta(days=1)
"""Files without a manifest that are older than this belong to no upload that still goes on."""


@dataclass(frozen=True)
class Doomed:
    """A version that goes, or what is left of one."""

    key: VersionKey
    keys: tuple[str, ...]
    """Of its files, the manifest first: a version that is half deleted is none."""


def in_use(
    status: ModelStatus,
    spec: ModelSpec,
    runs: Iterable[TrainingJob],
    pointers: Sequence[CurrentPointer],
) -> set[str]:
    """The versions that must stay, however old they are."""
    kept = [status.champion, status.previous, *status.candidates, *pointers]
    compared = {run.spec.get("champion") for run in runs if not run.finished}
    return {
        *(one.version for one in kept if one is not None),
        *spec.pinned,
        *(uri.rstrip("/").rpartition("/")[2] for uri in compared if uri),
    }


def doomed(
    entries: Sequence[Entry], used: Collection[str], newest: int, now: datetime
) -> list[Doomed]:
    """Of the versions that nobody uses, all but the newest ones, and leftovers of uploads."""
    files: dict[VersionKey, list[Entry]] = defaultdict(list)
    for entry in entries:
        if key := VersionKey.from_key(entry.key):
            files[key].append(entry)
    whole = {key for key in files if any(entry.key == key.manifest for entry in files[key])}
    unused = sorted(
        (key for key in whole if key.version not in used),
        key=lambda key: (key.version, key.model_type),
        reverse=True,
    )
    leftovers = [
        key
        for key, found in files.items()
        if key not in whole and all(now - entry.modified > LEFTOVER_AGE for entry in found)
    ]
    return [_doom(key, files[key]) for key in [*unused[newest:], *leftovers]]


def _doom(key: VersionKey, entries: Sequence[Entry]) -> Doomed:
    keys = sorted((entry.key for entry in entries), key=lambda one: (one != key.manifest, one))
    return Doomed(key, tuple(keys))


async def read_pointers(store: ObjectStore, model: str) -> list[CurrentPointer]:
    """What the `current.json` of a Model and of its types name. Raises `StoreError`."""
    kinds = (f"{MODELS_PREFIX}/{model}/{kind}/{CURRENT}" for kind in ModelType)
    pointers = []
    for key in (champion_key(model), *kinds):
        content = await store.get(key)
        if content is not None:
            try:
                pointers.append(CurrentPointer.model_validate_json(content.body, extra="ignore"))
            except ValidationError as error:
                # Nothing is deleted while it is not known what is in use.
                raise StoreError(f"{key} names no version; mend or delete it") from error
    return pointers


async def delete(store: ObjectStore, version: Doomed) -> None:
    """Delete a version, the manifest first. Raises `StoreError`."""
    for key in version.keys:
        await store.delete(key)
