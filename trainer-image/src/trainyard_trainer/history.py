"""Which version was a Model's champion at which time: read from the object store alone."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import IO

from trainyard_schema import Transition, TransitionRecord
from trainyard_schema.artifacts import history_prefix

from trainyard_trainer.loading import ModelNotFoundError, connect, not_found_as
from trainyard_trainer.scoring import CorruptedVersionError

_COLUMNS = ("NUMBER", "TIME", "ACTION", "VERSION", "BY", "CHAMPION", "METRIC", "WHY")


def transitions(
    bucket: str, model: str, endpoint_url: str | None = None
) -> Iterator[TransitionRecord]:
    """The transitions of a Model, the latest first; each is read when it is asked for.

    Raises ModelNotFoundError if there are none, CorruptedVersionError if one cannot be read.
    """
    storage = connect(bucket, endpoint_url)
    prefix = history_prefix(model)
    with not_found_as(ModelNotFoundError(f"there is no bucket {bucket!r}")):
        found = storage.list(bucket, prefix)
    if not found:
        raise ModelNotFoundError(f"there is no transition under s3://{bucket}/{prefix}")
    for item in reversed(found):
        body = storage.get(bucket, item.key)
        try:
            yield TransitionRecord.model_validate_json(body or b"", extra="ignore")
        except ValueError as error:
            where = f"s3://{bucket}/{item.key}"
            raise CorruptedVersionError(f"{where} is no transition: {error}") from None


def latest_at(latest_first: Iterable[TransitionRecord], time: datetime) -> TransitionRecord | None:
    """The transition that was the latest one at a time; None if there was none yet."""
    return next((one for one in latest_first if one.time <= time), None)


def write_table(records: Iterable[Transition], out: IO[str]) -> None:
    """One line for each transition, with the champion from then on."""
    lines = [_COLUMNS, *(_cells(one) for one in records)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        out.write("  ".join(cells).rstrip() + "\n")


def _cells(one: Transition) -> tuple[str, ...]:
    champion = one.to
    return (
        str(one.number),
        one.time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        one.action,
        one.version,
        one.by,
        f"{champion.model_type}/{champion.version}" if champion else "none",
        (champion.metric if champion else None) or "-",
        " ".join(one.why.split()),
    )
