"""How far the run is. Written by the training thread, read by the server's.

The percent covers the whole run: each stage has a fixed share of it (`SHARES`), and training fills
its share by
units done of units planned, all fits of a cross-validation included. It never falls. Early stopping
skips units, so the
time left is an upper bound; it is that of training, since the stages after it take seconds.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from trainyard_schema import ModelType, Progress, ProgressUnit, Stage
from trainyard_schema.run import RunProgress

SHARES = {
    Stage.DOWNLOADING: 5,
    Stage.VALIDATING: 5,
    Stage.TRAINING: 75,
    Stage.EVALUATING: 5,
    Stage.UPLOADING: 5,
    Stage.JUDGING: 5,
}
UNITS = {
    ModelType.XGBOOST: ProgressUnit.ROUNDS,
    ModelType.RANDOM_FOREST: ProgressUnit.TREES,
    ModelType.NEURAL_NET: ProgressUnit.EPOCHS,
}
_SAMPLE_SECONDS = 0.5
_FIRST_ESTIMATE_SECONDS = 2.0
_SMOOTHING = 0.3


class ProgressTracker:
    """The state of one run. Every method may be called from any thread."""

    def __init__(self, model_type: ModelType, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._model_type = model_type
        self._stage = Stage.DOWNLOADING
        self._share = 0.0
        self._percent = 0
        self._done: int | None = None
        self._total: int | None = None
        self._rate: float | None = None
        self._sample: tuple[float, int] | None = None
        self._training_since = clock()
        self._updated_at = datetime.now(UTC)

    def enter(self, stage: Stage) -> None:
        """A stage begins."""
        with self._lock:
            self._stage, self._share, self._rate = stage, 0.0, None
            self._training_since = self._clock()
            self._sample = None
            self._touch()

    def advance(self, share: float) -> None:
        """`share` (0 to 1) of the present stage is done."""
        with self._lock:
            self._share = min(1.0, share)
            self._touch()

    def count(self, done: int, total: int) -> None:
        """`done` of `total` rounds, trees or epochs are done, over all fits of the run."""
        with self._lock:
            resumed = self._done is None
            self._done, self._total = done, total
            self._share = done / total if total else 1.0
            now = self._clock()
            if self._sample is None:
                # What comes before the first report is mostly preparation.
                self._sample = (now, done)
            then, done_then = self._sample
            if resumed:
                # What an earlier attempt has done says nothing about the speed.
                self._sample = (now, done)
            elif now - then >= _SAMPLE_SECONDS:
                rate = max(0.0, (done - done_then) / (now - then))
                known = self._rate
                self._rate = rate if known is None else known + _SMOOTHING * (rate - known)
                self._sample = (now, done)
            self._touch()

    def _touch(self) -> None:
        before = 0
        for stage, share in SHARES.items():
            if stage == self._stage:
                break
            before += share
        self._percent = max(self._percent, int(before + SHARES[self._stage] * self._share))
        self._updated_at = datetime.now(UTC)

    def _eta_seconds(self) -> int | None:
        known_for = self._clock() - self._training_since
        if self._stage != Stage.TRAINING or not self._rate or known_for < _FIRST_ESTIMATE_SECONDS:
            return None
        return round(((self._total or 0) - (self._done or 0)) / self._rate)

    def document(self) -> RunProgress:
        """What `/progress` serves."""
        with self._lock:
            return RunProgress(
                model_type=self._model_type,
                stage=self._stage,
                progress=Progress(
                    percent=self._percent,
                    unit=UNITS[self._model_type] if self._total is not None else None,
                    done=self._done,
                    total=self._total,
                    eta_seconds=self._eta_seconds(),
                    updated_at=self._updated_at,
                ),
            )
