"""A Model's transitions, the latest first, as the object store keeps them for ever."""

from datetime import datetime
from typing import Final

from trainyard_schema import TransitionRecord
from trainyard_schema.artifacts import transition_key

from trainyard_api.store import ModelStore
from trainyard_api.versions.views import TransitionView, VerdictView

_BATCH: Final = 32


async def transitions(
    store: ModelStore, model: str, *, before: int | None, at: datetime | None, limit: int
) -> tuple[list[TransitionRecord], bool]:
    """At most `limit` transitions with a number below `before` and not after `at`, the latest
    first; and whether there are more.
    """
    keys = await store.transition_keys(model)
    if before is not None:
        keys = [key for key in keys if key < transition_key(model, before)]
    found: list[TransitionRecord] = []
    batch = min(limit + 1, _BATCH)
    for start in range(0, len(keys), batch):
        for record in await store.transitions(keys[start : start + batch]):
            # One of the past that is later than the next was written by a clock that was wrong.
            if record is None or (at is not None and record.time > at and not found):
                continue
            if len(found) == limit:
                return found, True
            found.append(record)
    return found, False


def view(record: TransitionRecord) -> TransitionView:
    """What is said about a transition."""
    champion = record.to
    return TransitionView(
        number=record.number,
        time=record.time,
        action=str(record.action),
        version=record.version,
        by=record.by,
        why=record.why,
        from_version=record.from_.version if record.from_ else None,
        champion=champion.version if champion else None,
        champion_model_type=champion.model_type if champion else None,
        champion_uri=champion.uri if champion else None,
        champion_metric=champion.metric if champion else None,
        manifest_sha256=record.manifest_sha256,
        verdict=None if record.verdict is None else VerdictView.of(record.verdict),
    )
