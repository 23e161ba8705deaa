"""How wrong the predicted ends were, once the end is known."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from trainyard_schema import TERMINAL_PHASES, Phase, TrainingJobStatus

from trainyard_controller.metrics import ETA_ERROR
from trainyard_controller.objects import Key
from trainyard_controller.progress import predicted_end

SHARES = (0.25, 0.5, 0.75)
"""Of the run's time, at which what was predicted then is compared with the end."""
_MOST = 64
"""Predictions kept of a run; every second one goes when there are more, and fewer are taken."""


class Prediction(NamedTuple):
    """What a status said of the end from a time on; None: nothing."""

    since: datetime
    end: datetime | None


def errors(
    predictions: Sequence[Prediction], start: datetime, end: datetime
) -> Iterator[tuple[float, float]]:
    """|predicted end - end| / duration of the prediction that stood at each of `SHARES`."""
    if end <= start:
        return
    for share in SHARES:
        moment = start + share * (end - start)
        standing = [one.end for one in predictions if start <= one.since <= moment]
        if standing and standing[-1] is not None:
            yield share, abs(standing[-1] - end) / (end - start)


class EtaErrors:
    """Remembers what the statuses of runs said, and counts how wrong it was when they succeed.

    Only a run of a single attempt is a measure: what it takes to try again nobody predicts.
    """

    def __init__(self) -> None:
        self._predictions: dict[Key, list[Prediction]] = {}

    def note(self, key: Key, status: TrainingJobStatus, now: datetime) -> None:
        """Take note of a status that was written."""
        if status.phase in TERMINAL_PHASES:
            self._count(self._predictions.pop(key, []), status)
        elif status.progress is not None:
            known = self._predictions.setdefault(key, [])
            said = Prediction(now, predicted_end(status.progress))
            if len(known) < 2 or now - known[-1].since >= known[1].since - known[0].since:
                known.append(said)
            if len(known) > _MOST:
                del known[1::2]

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a run that is gone."""
        self._predictions.pop(key, None)

    def _count(self, predictions: Sequence[Prediction], status: TrainingJobStatus) -> None:
        start, end = status.start_time, status.completion_time
        once = status.attempts == len(status.models)
        if status.phase is not Phase.SUCCEEDED or not once or start is None or end is None:
            return
        for share, error in errors(predictions, start, end):
            ETA_ERROR.labels(str(share)).observe(error)
