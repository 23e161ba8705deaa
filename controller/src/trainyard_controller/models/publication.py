"""Makes the object store say what the status says: history first, then the pointer.

Every step may be repeated, by this operator or by another one. A transition is created and never
replaced. The pointer is only written over one of an earlier transition, and only if that has not
changed since it was read, so that an operator that was held up cannot bring the past back.
"""

import hashlib
from datetime import datetime

from pydantic import ValidationError
from trainyard_schema import (
    Champion,
    CurrentPointer,
    Transition,
    TransitionRecord,
    VersionKey,
)
from trainyard_schema.artifacts import champion_key, history_prefix, transition_key
from trainyard_schema.promotion import HISTORY_LENGTH

from trainyard_controller.errors import ConflictError
from trainyard_controller.models.objects import Model
from trainyard_controller.models.status import Problem
from trainyard_controller.models.transition import unpublished
from trainyard_controller.object_store import ObjectStore, StoreError

VERSION_MISSING = "VersionMissing"
FOREIGN_HISTORY = "ForeignHistory"


async def latest_records(store: ObjectStore, model: str) -> list[TransitionRecord]:
    """The end of a Model's history, oldest first. Raises `StoreError`."""
    records = []
    for entry in (await store.entries(history_prefix(model)))[-HISTORY_LENGTH:]:
        content = await store.get(entry.key)
        try:
            body = b"" if content is None else content.body
            records.append(TransitionRecord.model_validate_json(body, extra="ignore"))
        except ValidationError as error:
            raise StoreError(f"{entry.key} is no transition; mend or remove it") from error
    return records


async def publish(store: ObjectStore, model: Model, now: datetime) -> Problem | None:
    """Bring history and pointer up to date. Returns why that cannot be; None when it is done.

    Raises `StoreError` where it must be tried again.
    """
    champion = model.status.champion
    for transition in unpublished(model.status):
        sha256 = await _manifest_sha256(store, model, transition.to)
        if sha256 is None and champion is not None and transition.to == champion:
            return _missing(champion)
        if problem := await _record(store, model, transition, sha256):
            return problem
    if champion is None:
        return None
    sha256 = await _manifest_sha256(store, model, champion)
    if sha256 is None:
        return _missing(champion)
    return await _point(store, model, champion, sha256, now)


def _missing(champion: Champion) -> Problem:
    return Problem(
        reason=VERSION_MISSING,
        message=f"{champion.uri} has no manifest any more, so current.json stays as it was: "
        "roll back, or promote a version that is there",
    )


def _foreign(model: Model, key: str) -> Problem:
    return Problem(
        reason=FOREIGN_HISTORY,
        message=f"{key} was not written by this Model: another Model {model.name} files its "
        "versions in the same bucket; rename one of them, or create this one again to go on from "
        "that history",
    )


async def _manifest_sha256(
    store: ObjectStore, model: Model, champion: Champion | None
) -> str | None:
    if champion is None:
        return None
    key = VersionKey(model.name, champion.model_type, champion.version).manifest
    content = await store.get(key)
    return None if content is None else hashlib.sha256(content.body).hexdigest()


async def _record(
    store: ObjectStore, model: Model, transition: Transition, manifest_sha256: str | None
) -> Problem | None:
    fields = {name: getattr(transition, name) for name in Transition.model_fields}
    record = TransitionRecord(
        **fields,
        model=model.name,
        namespace=model.namespace,
        model_uid=model.uid,
        manifest_sha256=manifest_sha256,
    )
    key = transition_key(model.name, transition.number)
    if await store.create(key, record.to_json().encode()):
        return None
    there = await store.get(key)
    if there is None:
        raise ConflictError(f"{key} is gone again")
    try:
        known = TransitionRecord.model_validate_json(there.body, extra="ignore")
    except ValidationError:
        return _foreign(model, key)
    same = (known.time, known.action, known.version) == (
        transition.time, transition.action, transition.version,
    )  # fmt: skip
    return None if same else _foreign(model, key)


async def _point(
    store: ObjectStore, model: Model, champion: Champion, manifest_sha256: str, now: datetime
) -> Problem | None:
    key = champion_key(model.name)
    wanted = CurrentPointer(
        model_type=champion.model_type,
        version=champion.version,
        uri=champion.uri,
        manifest_sha256=manifest_sha256,
        updated_at=now,
        transition=champion.transition,
    )
    body = wanted.to_json().encode()
    there = await store.get(key)
    if there is None:
        written = await store.create(key, body)
    else:
        known = _pointer(there.body)
        if known is not None and known.model_copy(update={"updated_at": now}) == wanted:
            return None
        if known is not None and (known.transition or 0) > champion.transition:
            return _foreign(model, key)
        written = await store.replace(key, body, there.etag)
    if not written:
        raise ConflictError(f"{key} was written at the same time")
    return None


def _pointer(body: bytes) -> CurrentPointer | None:
    """What the pointer says; None where that cannot be read, so that it is written anew."""
    try:
        return CurrentPointer.model_validate_json(body, extra="ignore")
    except ValidationError:
        return None
